"""Where an error comes from, in words that outlive edits, releases and hosts: errors are grouped by it."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import PurePath
from types import FrameType, TracebackType

from .payload import storable

#: Longer ones are cut: they are made by programs.
MAX_LENGTH = 200
#: Packages of which every job has frames, wherever they are installed.
_OURS = ("flask_queue", "dramatiq")
_INSTALLED = {"site-packages", "dist-packages"}
_STDLIB = tuple(
    {f"{path}/" for path in (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")) if path}
    | {"<frozen "}  # its modules that are part of the interpreter
)


def place_of(frames: TracebackType | None) -> str:
    """The innermost function of the app's own code, `shop/jobs.py:SendInvoice.handle`; without any, of all code.

    Line numbers and the folder of the installation are left out. Empty without a traceback.
    """
    places = list(_frames(frames))
    if not places:
        return ""
    frame = next((frame for frame in reversed(places) if _is_own(frame)), places[-1])
    return storable(f"{_file_of(frame)}:{frame.f_code.co_qualname}")[:MAX_LENGTH]


def _frames(frames: TracebackType | None) -> Iterator[FrameType]:
    while frames is not None:
        yield frames.tb_frame
        frames = frames.tb_next


def _is_own(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    if _module_of(frame).partition(".")[0] in _OURS or file.startswith(_STDLIB):
        return False
    return not _INSTALLED.intersection(PurePath(file).parts)


def _file_of(frame: FrameType) -> str:
    """The path as far as it is the module's own name: what is above depends on the host."""
    path = PurePath(frame.f_code.co_filename)
    depth = _module_of(frame).count(".") + 1 + (path.stem == "__init__")
    return "/".join(path.parts[-depth:])


def _module_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))
