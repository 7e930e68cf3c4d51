"""Where pictures that follow each other are shown: a terminal, taken over and given back as it was, or a file."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Protocol, Self

from .text import encodable, show

#: The other screen, without a cursor, and without going on in the next line where one is full; and back.
TAKE, GIVE_BACK = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
#: To the first place; the rest of a line away; the rest of the screen away.
HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
#: Seconds between two looks at the size of the terminal.
SIZE_LOOK_S = 0.1
#: Signals that end a process without a word, unless they are caught.
ENDING = (signal.SIGHUP, signal.SIGTERM)

#: Draws for so many columns and lines.
Picture = Callable[[int, int], list[str]]


class Shown(Protocol):
    """What shows pictures, inside a `with` block."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *raised: Any) -> None: ...

    def show(self, picture: Picture, *, is_error: bool) -> None:
        """Show this picture in the place of, or after, the one before."""

    def wait(self, seconds: float) -> bool:
        """Wait until it is time for the next picture, and tell whether somebody wants to quit."""


class Screen:
    """A terminal. What stood there before stands there again at the end, also after a signal, and while suspended."""

    def __init__(self) -> None:
        self._keys = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._settings: list[Any] | None = None
        self._size: os.terminal_size | None = None

    def __enter__(self) -> Self:
        for number in ENDING:
            signal.signal(number, _exit)
        signal.signal(signal.SIGTSTP, self._suspend)
        self._take()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._give_back()

    def show(self, picture: Picture, *, is_error: bool) -> None:
        """Draw over the picture before; what has no room at the end of a line is cut."""
        self._size = size()
        lines = picture(*self._size)
        self._write(HOME + f"{CLEAR_LINE}\n".join(lines) + CLEAR_LINE + CLEAR_BELOW)

    def wait(self, seconds: float) -> bool:
        """Until so long has passed, or the terminal has another size, or a key was pressed; true for q."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0 and size() == self._size:
            ready, _, _ = select.select([] if self._keys is None else [self._keys], [], [], min(left_s, SIZE_LOOK_S))
            for keys in ready:
                pressed = os.read(keys, 64)
                # Nothing at all: the terminal is gone.
                if not pressed or b"q" in pressed.lower():
                    return True
        return False

    def _take(self) -> None:
        if self._keys is not None:
            self._settings = termios.tcgetattr(self._keys)
            tty.setcbreak(self._keys, termios.TCSANOW)
        self._write(TAKE)

    def _give_back(self) -> None:
        try:
            self._write(GIVE_BACK)
            if self._keys is not None and self._settings is not None:
                termios.tcsetattr(self._keys, termios.TCSANOW, self._settings)
        except (OSError, termios.error):
            # A terminal that was closed needs nothing.
            return

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z: the shell gets its terminal as it was; after `fg` this goes on."""
        self._give_back()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, self._suspend)
        self._take()

    def _write(self, text: str) -> None:
        sys.stdout.write(encodable(text))
        sys.stdout.flush()


class Paper:
    """A file or a pipe, to which each picture is added; that Redis is away is told once, until it is back."""

    def __init__(self) -> None:
        self._was_error = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        return

    def show(self, picture: Picture, *, is_error: bool) -> None:
        """Print all of it, unless it is an error once more."""
        if not (is_error and self._was_error):
            show("\n".join([*picture(sys.maxsize, sys.maxsize), ""]))
            sys.stdout.flush()
        self._was_error = is_error

    def wait(self, seconds: float) -> bool:
        """Wait; nobody can press a key."""
        time.sleep(seconds)
        return False


def open_screen() -> Shown:
    """Where standard output goes."""
    return Screen() if sys.stdout.isatty() and os.environ.get("TERM") != "dumb" else Paper()


def size() -> os.terminal_size:
    """Of the terminal, now: what `COLUMNS` and `LINES` say was true when the shell started this."""
    try:
        found = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        found = os.terminal_size((0, 0))
    return os.terminal_size((found.columns or 80, found.lines or 24))


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
