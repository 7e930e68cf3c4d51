"""Starts mail server, partner, web server and workers, and ends them all. See `--help`."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from contextlib import ExitStack
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from types import FrameType
from typing import NoReturn

from .errors import DemoError
from .mailbox import Mailbox
from .operator import DASHBOARD, Operator
from .partner import Partner
from .ports import choose_port, free_port
from .processes import Children, environment
from .report import report
from .visit import visit, wait_until_up

FOLDER = Path(__file__).resolve().parents[2] / ".demo"
#: What a run leaves in the folder, and the next one with --once removes.
LEFTOVERS = ("instance", "logs", "mails")
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Seconds between two looks at the processes.
WATCH_S = 0.2


class Stopped(BaseException):
    """Someone pressed Ctrl-C, or sent one of `STOP_SIGNALS`."""


def main() -> int:
    for number in STOP_SIGNALS:
        signal.signal(number, _stop)
    options = _options()
    try:
        return run(options)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except Stopped:
        print("Stopped." if not options.once else "demo: stopped before all jobs were done", flush=True)
        return int(options.once)


def run(options: argparse.Namespace) -> int:
    """Start everything, stay until it is over, and end everything."""
    folder: Path = options.folder.resolve()
    port = choose_port(options.port) if not options.once else free_port()
    address = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        _prepare(folder, stack, is_fresh=options.once)
        mailbox = stack.enter_context(Mailbox(folder / "mails", announce=not options.once))
        partner = stack.enter_context(Partner())
        env = environment(folder, mail_port=mailbox.port, webhook_url=partner.url)
        children = stack.enter_context(Children(folder / "logs", env))
        operator = Operator()
        operator.create(env)
        children.start("worker", "queue", "work")
        children.start("web server", "run", "--port", str(port))
        wait_until_up(address, children)
        if options.once:
            jobs = visit(address, children)
            status = report(jobs, mailbox)
            operator.look(address, jobs)
            return status
        _welcome(address, folder, operator)
        while True:
            children.check()
            time.sleep(WATCH_S)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m example_app.demo", description="Run the example application.")
    parser.add_argument("--once", action="store_true", help="use it without a person, print its jobs, and end")
    parser.add_argument("--port", type=int, help="of the web server (default: 5000, or a free one)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for everything that is written (%(default)s)")
    return parser.parse_args()


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    # From here on everything is ending, and each step of that has its own time limit.
    for each in STOP_SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Stopped


def _prepare(folder: Path, stack: ExitStack, *, is_fresh: bool) -> None:
    """Take the folder for this run alone, and clear it for a fresh one."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = stack.enter_context((folder / "lock").open("w"))
    try:
        flock(lock, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        raise DemoError(f"another demo is running in {folder}; stop it first, or name another --folder") from None
    if is_fresh:
        for name in LEFTOVERS:
            shutil.rmtree(folder / name, ignore_errors=True)


def _welcome(address: str, folder: Path, operator: Operator) -> None:
    print(
        f"\nThe example application runs at {address}\n"
        f"  Sign up there; the mails arrive in {folder / 'mails'}\n"
        f"  The dashboard is at {address}{DASHBOARD}\n"
        f"  Sign in at {address}/sign-in as {operator.email} with the password {operator.password}\n"
        f"  What the processes say is in {folder / 'logs'}\n"
        "  Ctrl-C stops everything.\n",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
