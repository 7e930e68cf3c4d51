"""The demo as a user meets it: a process that is started, asked to end, or harmed."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

import example_app
from flask_queue.embedded import EmbeddedServer
from tests.servers import free_port
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds for the demo to be up, or to be gone, on a busy machine.
PATIENCE_S = 40
#: Where the example, and flask_queue with it, is imported from.
TOP = Path(example_app.__file__).parents[1]

pytestmark = [pytest.mark.timeout(150), pytest.mark.needs("valkey-server")]


class Demo:
    """A running demo, in a process group of its own as in a terminal."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self._printed = folder.with_name(f"printed-{secrets.token_hex(4)}")
        self._socket = EmbeddedServer(folder / "instance" / "queue").socket_path
        command = [sys.executable, "-m", "example_app.demo", "--folder", str(folder), *options]
        with self._printed.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=TOP, stdout=output, stderr=output, start_new_session=True)

    @property
    def printed(self) -> str:
        return self._printed.read_text()

    def wait_until_up(self) -> None:
        wait_until(lambda: "runs at http" in self.printed or self.process.poll() is not None, PATIENCE_S)
        assert self.process.poll() is None, self.printed

    def children(self) -> dict[str, int]:
        """The process ids of web server and worker, by the command that each runs."""
        listing = subprocess.run(
            ["ps", "-A", "-ww", "-o", "ppid=,pid=,args="], capture_output=True, text=True, check=True
        )
        rows = [line.split(maxsplit=2) for line in listing.stdout.splitlines()]
        mine = {pid: args for parent, pid, args in rows if parent == str(self.process.pid)}
        return {"worker" if "queue work" in args else "web": int(pid) for pid, args in mine.items()}

    def logs(self) -> str:
        """What its processes printed."""
        return "".join(path.read_text() for path in (self.folder / "logs").iterdir())

    def has_server(self) -> bool:
        """Whether the embedded server is there."""
        return self._socket.exists()

    def end(self) -> int:
        """Wait for the end, and return the exit status."""
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """A demo that is up."""
    demo = Demo(tmp_path / "demo", "--port", str(free_port()))
    try:
        demo.wait_until_up()
        yield demo
    finally:
        demo.process.kill()
        demo.process.wait()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_once_goes_through_everything_and_reports(tmp_path: Path) -> None:
    """`--once` prints the jobs, all completed, and where the mails lie, and leaves no process behind."""
    demo = Demo(tmp_path / "demo", "--once")

    assert demo.end() == 0, demo.printed
    table, _, footer = demo.printed.partition("\n\n")
    rows = [line.split() for line in table.splitlines()]
    assert rows[0] == ["id", "name", "queue", "state", "attempts", "ms"]
    assert {row[1]: row[4] for row in rows[1:]} == {
        "SendWelcomeEmail": "1",
        "MakeThumbnails": "1",
        "ImportContacts": "1",
        "DeliverWebhook": "3",
    }
    assert {row[3] for row in rows[1:]} == {"completed"}
    assert footer.splitlines() == [
        f"3 mails in {demo.folder / 'mails'}",
        "The dashboard at /admin/queues/ shows all 6 jobs.",
    ]
    assert len(list((demo.folder / "mails").glob("*.eml"))) == 3
    assert not demo.has_server()


def test_once_starts_afresh(tmp_path: Path) -> None:
    """A second `--once` in the same folder tells the same story, and not what is left of the first."""
    for _ in range(2):
        demo = Demo(tmp_path / "demo", "--once")
        assert demo.end() == 0, demo.printed
        assert "3 mails" in demo.printed


@pytest.mark.needs("ps")
@pytest.mark.parametrize(
    ("number", "is_for_all"),
    [(signal.SIGINT, True), (signal.SIGINT, False), (signal.SIGTERM, False), (signal.SIGHUP, True)],
    ids=["Ctrl-C", "INT", "TERM", "closed terminal"],
)
def test_the_demo_ends_cleanly(demo: Demo, number: signal.Signals, is_for_all: bool) -> None:
    """Ctrl-C, and a signal to the command alone, end every process with status 0 and without a traceback."""
    children = demo.children()
    assert children.keys() == {"web", "worker"}
    with urlopen(demo.printed.split()[5], timeout=10) as page:
        assert page.status == 200
    wait_until(demo.has_server)
    if is_for_all:
        os.killpg(demo.process.pid, number)
    else:
        demo.process.send_signal(number)

    assert demo.end() == 0, demo.printed
    assert demo.printed.endswith("Stopped.\n")
    assert "Traceback" not in demo.printed + demo.logs()
    assert not any(map(is_running, children.values()))
    assert not demo.has_server()


@pytest.mark.needs("ps")
def test_a_killed_demo_leaves_no_process_behind(demo: Demo) -> None:
    """Even if the demo is killed, its processes end by themselves."""
    children = demo.children()
    demo.process.kill()

    wait_until(lambda: not any(map(is_running, children.values())), PATIENCE_S)
    wait_until(lambda: not demo.has_server(), PATIENCE_S)


@pytest.mark.needs("ps")
@pytest.mark.parametrize(("which", "name"), [("worker", "worker"), ("web", "web server")])
def test_a_process_that_ends_early_ends_the_demo(demo: Demo, which: str, name: str) -> None:
    """The demo says in one line which process ended, shows the end of its log, and ends the others."""
    children = demo.children()
    os.kill(children[which], signal.SIGKILL)

    assert demo.end() == 1
    assert f"demo: the {name} ended early with status -9; the end of " in demo.printed
    assert "Traceback" not in demo.printed
    assert not any(map(is_running, children.values()))


def test_once_says_that_it_was_interrupted(tmp_path: Path) -> None:
    """Ctrl-C during `--once` ends with 1, since not all jobs were seen to be done."""
    demo = Demo(tmp_path / "demo", "--once")
    wait_until((demo.folder / "logs" / "worker.log").exists, PATIENCE_S)
    demo.process.send_signal(signal.SIGINT)

    assert demo.end() == 1
    assert demo.printed == "demo: stopped before all jobs were done\n"


def test_two_demos_need_two_folders(demo: Demo) -> None:
    """A second demo in a folder in use ends with one line."""
    second = Demo(demo.folder, "--port", str(free_port()))

    assert second.end() == 1
    assert (
        second.printed == f"demo: another demo is running in {demo.folder}; stop it first, or name another --folder\n"
    )


def test_a_busy_port_is_one_line(tmp_path: Path) -> None:
    """A wanted port that is in use ends the demo before it starts anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        demo = Demo(tmp_path / "demo", "--port", str(port))

        assert demo.end() == 1
    assert demo.printed == f"demo: port {port} cannot be used; leave --port out to get one that can\n"
