"""Every command line of ours that a page or a help text shows is run, on a shop that has what it is about."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from flask_queue import JobNotFound
from flask_queue.cli import queue_cli
from flask_queue.current import broker_of
from flask_queue.testing import drain
from flask_queue.worker import Worker
from tests.cli.processes import CommandLine
from tests.docs import shop
from tests.docs.pages import PAGES, blocks
from tests.servers import RedisServer, free_port
from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

#: As pages and help texts call them.
LOCAL_ID, GROUP, WORKER = "x5Yq2bXhQ0cT1aZk", "3f2a9c01b7de", "web1-4711-ab12cd"
#: The state of the job that a command is about, unless it is completed, and that after the command.
BEFORE = {"retry": "failed", "cancel": "waiting", "promote": "delayed", "reschedule": "delayed"}
AFTER = {"retry": "waiting", "cancel": "cancelled", "promote": "waiting", "reschedule": "delayed"}
#: What goes on until Ctrl-C, and what it prints once it is there.
ENDLESS = {"work": " runs (", "dev": "Running on", "status --watch": "QUEUE"}
#: The newcomer's walk goes through that one.
WALKED = Path("docs/quickstart.md")

HELP = [line.strip() for command in queue_cli.commands.values() for line in str(command.epilog).splitlines()]
SHOWN = [
    f"flask queue {found[1]}"
    for page in PAGES
    if page != WALKED
    for block in blocks(page, "sh", "bash", "console")
    for line in block.commands()
    if (found := re.search(r"\bflask (?:--app \S+ )?queue (.+)", line))
]
EXAMPLES = sorted({line for line in (*HELP, *SHOWN) if line.startswith("flask queue ")})


def is_endless(example: str) -> bool:
    """Whether it goes on until Ctrl-C."""
    return any(f"{example} ".startswith(f"flask queue {words} ") for words in ENDLESS)


def writes_files(example: str) -> bool:
    """Whether it does so where the app is."""
    return example.startswith("flask queue make-job")


@contextmanager
def working(app: Flask) -> Iterator[str]:
    """A worker that has told of itself; its id."""
    worker = Worker(broker_of(app))
    worker.start()
    try:
        wait_until(lambda: [each.id for each in shop.queue.workers()] == [worker.id])
        yield worker.id
    finally:
        worker.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One that keeps its data, as `doctor` wants it."""
    with RedisServer(appendonly=True) as server:
        yield server


@pytest.fixture
def app(server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The shop, in whose folder a user is, inside its context."""
    with server.client() as client:
        client.flushall()
    shutil.copy(shop.__file__, tmp_path / "app.py")
    (tmp_path / "payload.json").write_text('{"user_id": 7}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUEUE_REDIS_URL", server.url)
    app = shop.create_app()
    with app.app_context():
        yield app
    broker_of(app).close()


def fill(example: str) -> str:
    """Give the shop what an example is about; the example, with the names that this has here."""
    for user_id in (42, 7):
        shop.SendWelcomeEmail.dispatch(user_id=user_id)
    drain()
    name = example.split()[2]
    (queue_name,) = re.findall(rf"(\w+):{LOCAL_ID}", example) or ["default"]
    state = BEFORE.get(name, "completed")
    options = shop.SendWelcomeEmail.options(
        queue_name=queue_name, job_id=LOCAL_ID, delay_s=60 if state == "delayed" else None
    )
    options.dispatch(user_id=42 if state == "failed" else 1)
    if state in {"completed", "failed"}:
        drain()
    assert shop.queue.get(f"{queue_name}:{LOCAL_ID}").state == state
    (failed, *_) = shop.queue.failures()
    return example.replace(GROUP, failed.fingerprint)


@pytest.mark.parametrize("example", [each for each in EXAMPLES if not is_endless(each) and not writes_files(each)])
def test_it_works(app: Flask, example: str) -> None:
    """Ends with 0, and the job that it is about is where it should be."""
    words = shlex.split(fill(example))[2:]
    stdin = ""
    if "<" in words:
        *words, _, file = words
        stdin = Path(file).read_text()
    with working(app) if WORKER in words else nullcontext(WORKER) as worker_id:
        words = [worker_id if word == WORKER else word for word in words]
        done = app.test_cli_runner().invoke(queue_cli, words, input=stdin)
    assert done.exit_code == 0, done.output
    assert done.output
    if (about := re.findall(rf"\w+:{LOCAL_ID}", example)) and words[0] in AFTER:
        assert shop.queue.get(about[0]).state == AFTER[words[0]]
    elif words[0] == "delete":
        with pytest.raises(JobNotFound):
            shop.queue.get(about[0])


@pytest.mark.parametrize("example", [each for each in EXAMPLES if "jobs --" in each])
def test_it_finds_something(app: Flask, example: str) -> None:
    """So that an example of a search is one."""
    words = shlex.split(fill(example))[2:]
    assert "SendWelcomeEmail" in app.test_cli_runner().invoke(queue_cli, words).output


@pytest.mark.parametrize("example", [each for each in EXAMPLES if writes_files(each)])
def test_it_writes_what_works(app: Flask, server: RedisServer, tmp_path: Path, example: str) -> None:
    """In a process of its own, where the app is `app.py`; the job's test passes."""
    commands = CommandLine(tmp_path, QUEUE_REDIS_URL=server.url)
    done = commands.run(*shlex.split(example)[1:])
    assert done.returncode == 0, done.stderr
    (command,) = re.findall(r"python -m (pytest .+)", done.stdout)
    tested = subprocess.run([sys.executable, "-m", *command.split()], cwd=tmp_path, capture_output=True, check=False)
    assert tested.returncode == 0, tested.stdout


@pytest.mark.parametrize("example", [each for each in EXAMPLES if is_endless(each)])
def test_it_goes_on_until_it_is_ended(app: Flask, server: RedisServer, tmp_path: Path, example: str) -> None:
    """In a process of its own, on ports that are free here; Ctrl-C ends it with 0."""
    fill(example)
    port = str(free_port())
    commands = CommandLine(tmp_path, QUEUE_REDIS_URL=server.url, FLASK_RUN_PORT=port)
    (sign,) = [sign for words, sign in ENDLESS.items() if f"{example} ".startswith(f"flask queue {words} ")]
    try:
        running = commands.start(*shlex.split(re.sub(r"(?<=port )\d+", port, example))[1:])
        running.wait_for(sign)
        running.send(signal.SIGINT)
        assert running.end() == 0, running.printed
    finally:
        commands.close()


def test_every_command_has_an_example() -> None:
    """In its help text, and so on the page about commands."""
    assert {example.split()[2] for example in EXAMPLES} == set(queue_cli.commands)
