"""The newcomer's walk: the quickstart alone, in an empty folder, gives an app, a job, a worker and a dashboard."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from tests.cli.processes import FOREIGN, Running
from tests.docs.pages import ROOT, Block, blocks
from tests.servers import free_port
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path("docs/quickstart.md")
TEXT = (ROOT / PAGE).read_text()
#: The job's id in the page, and the port.
PAGE_ID, PAGE_PORT = "x5Yq2bXhQ0cT1aZk", "5000"
#: Seconds that one step may take on a busy machine; installing takes longest.
PATIENCE_S, INSTALL_S = 30, 240

pytestmark = pytest.mark.needs("valkey-server")


class Newcomer:
    """Does what the page says, block by block, in an empty folder.

    Args:
        folder: is empty.
        redis_url: of the newcomer's own server, as the page comes to it.
        wheel: what to install into an environment of its own; None for this environment, which has everything.
    """

    def __init__(self, folder: Path, redis_url: str, wheel: Path | None = None) -> None:
        rest = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
        if wheel is None:
            rest["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), rest["PATH"]])
        self.folder, self.redis_url, self.wheel = folder, redis_url, wheel
        self.port = str(free_port())
        self.environment = {**rest, "FLASK_RUN_PORT": self.port}
        self.started: list[Running] = []
        self.local_id = PAGE_ID

    def follow(self, block: Block) -> None:
        """Write a file, or do what the commands say and see what the page says that they print."""
        if block.file:
            (self.folder / block.file).write_text(block.code)
            return
        steps = re.split(r"^\$ ", block.code, flags=re.MULTILINE)
        for command, _, printed in (step.partition("\n") for step in steps if step):
            self.do(command, printed)

    def do(self, command: str, printed: str) -> None:
        """Do one step; it may take a moment until it prints what it should, as jobs run elsewhere."""
        if command in {"flask queue dev", "flask run", "flask queue work"}:
            self.start(command)
        elif command.startswith("export "):
            self.end()
            self.environment["QUEUE_REDIS_URL"] = self.redis_url
        elif command.startswith("curl "):
            answer = self.fetch(*command.split()[-2:])
            self.local_id = json.loads(answer)["job"].partition(":")[2]
            assert matches(answer, self.told(printed))
        elif command.startswith(("python3 -m venv", ". ", "pip install")):
            if self.wheel is not None:
                self.run(command.replace("flask-queue[", f"{self.wheel}["))
        else:
            self.see(self.told(command), self.told(printed))

    def see(self, command: str, printed: str) -> None:
        """Call a command until it prints this."""
        last = ""

        def is_seen() -> bool:
            nonlocal last
            last = self.run(command)
            return matches(last, printed)

        try:
            wait_until(is_seen, PATIENCE_S, interval=0.2, what=command)
        except AssertionError as error:
            error.add_note(last)
            raise

    def told(self, text: str) -> str:
        """What the page has, with the newcomer's own id and port."""
        return text.replace(PAGE_ID, self.local_id).replace(f":{PAGE_PORT}/", f":{self.port}/")

    def run(self, command: str) -> str:
        """What a command prints."""
        done = subprocess.run(
            self._in_shell(command),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, command: str) -> None:
        """Start what goes on until Ctrl-C, and wait until it is ready."""
        output = self.folder / f"printed-{len(self.started)}"
        words = {"flask run": ["Running on"], "flask queue work": [" runs ("]}
        self.started.append(Running(self._in_shell(f"exec {command}"), self.folder, self.environment, output))
        self.started[-1].wait_for(*words.get(command, ["Running on", " runs ("]))

    def end(self) -> None:
        """Ctrl-C in each terminal."""
        for running in self.started:
            running.send(signal.SIGINT)
        assert {running.end() for running in self.started} <= {0}
        self.started.clear()

    def kill(self) -> None:
        for running in self.started:
            running.kill()

    def fetch(self, method: str, url: str, *, login: str = "") -> str:
        """What a page answers."""
        headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"} if login else {}
        request = Request(self.told(url), headers=headers, method=method)
        with build_opener(ProxyHandler({})).open(request, timeout=PATIENCE_S) as answer:
            return str(answer.read().decode())

    def _in_shell(self, command: str) -> list[str]:
        activate = "" if self.wheel is None else "[ -d .venv ] && . .venv/bin/activate; "
        return ["sh", "-c", activate + command]


def matches(text: str, told: str) -> bool:
    """Whether a page tells what was printed; `…` stands for anything."""
    pattern = ".*".join(re.escape(part.strip()) for part in told.split("…"))
    return re.fullmatch(pattern, text.strip(), re.DOTALL) is not None


@pytest.fixture
def newcomer(tmp_path: Path, redis_url: str) -> Iterator[Newcomer]:
    """In this environment."""
    found = Newcomer(tmp_path, redis_url)
    yield found
    found.kill()


def walk(newcomer: Newcomer) -> None:
    """The whole page, and the dashboard that it leads to."""
    (dashboard,) = re.findall(r"<(http://127\S+)>", TEXT)
    user, password = re.findall(r"user `(.+)`, password `(.+)`,", TEXT)[0]
    for block in blocks(PAGE, "console", "python"):
        newcomer.follow(block)
        if "flask queue logs" in block.code:
            jobs = newcomer.fetch("GET", dashboard + "jobs/", login=f"{user}:{password}")
            assert f"emails:{newcomer.local_id}" in jobs
    # On the newcomer's own server now.
    answer = json.loads(newcomer.fetch("POST", f"http://127.0.0.1:{PAGE_PORT}/sign-up/8"))
    newcomer.see(f"flask queue show {answer['job']}", '…"Welcome to the free plan, user 8!"…')
    newcomer.end()


@pytest.mark.timeout(180)
def test_the_walk(newcomer: Newcomer) -> None:
    """In this environment, which has all that the page installs."""
    walk(newcomer)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_walk_in_a_fresh_environment(tmp_path: Path, redis_url: str) -> None:
    """Nothing is there but Python: the page's own commands install the wheel, with what they ask for."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (tmp_path / "shop").mkdir()
    newcomer = Newcomer(tmp_path / "shop", redis_url, next((tmp_path / "dist").glob("*.whl")))
    try:
        walk(newcomer)
    finally:
        newcomer.kill()
