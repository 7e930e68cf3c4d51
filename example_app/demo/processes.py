"""The processes of the application: started together, watched, ended together."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from flask_queue.embedded import EmbeddedServer

from .errors import DemoError

#: Seconds that running jobs get at the end, and then the processes.
FINISH_JOBS_S, STOP_S = 6, 10
#: Seconds for the embedded server, which ends by itself once nobody uses it.
SERVER_STOP_S = 5
#: Lines of a log that are shown when its process ended early.
TAIL_LINES = 15


@dataclass(frozen=True, slots=True)
class Child:
    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Children:
    """`flask` commands of the application, from `start` to the exit of this context.

    Args:
        logs: the folder for what they print.
        env: their environment.
    """

    def __init__(self, logs: Path, env: dict[str, str]) -> None:
        self._logs = logs
        self._env = env
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        self._logs.mkdir(exist_ok=True)
        return self

    def start(self, name: str, *command: str) -> None:
        """Start a command. In a session of its own: a Ctrl-C reaches us alone, and each of them gets one SIGTERM."""
        log = self._logs / f"{name.replace(' ', '-')}.log"
        words = [sys.executable, "-m", "example_app.demo.leash", "--app", "example_app", *command]
        with log.open("wb") as out:
            process = subprocess.Popen(
                words, env=self._env, stdin=subprocess.PIPE, stdout=out, stderr=out, start_new_session=True
            )
        self._children.append(Child(name, process, log))

    def check(self) -> None:
        """Raise if one of them has ended."""
        for child in self._children:
            if (status := child.process.poll()) is not None:
                tail = "\n".join(child.log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
                raise DemoError(f"the {child.name} ended early with status {status}; the end of {child.log}:\n{tail}")

    def __exit__(self, *exc_info: object) -> None:
        for child in self._children:
            child.process.terminate()
        deadline = time.monotonic() + STOP_S
        for child in self._children:
            try:
                child.process.wait(max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            if child.process.stdin:
                child.process.stdin.close()
        self._wait_for_server()

    def _wait_for_server(self) -> None:
        """Leave nothing running: the embedded server removes its socket as the last thing it does."""
        path = EmbeddedServer(Path(self._env["INSTANCE_PATH"], "queue")).socket_path
        deadline = time.monotonic() + SERVER_STOP_S
        while path.exists() and time.monotonic() < deadline:
            time.sleep(0.05)


def run(env: dict[str, str], *command: str) -> None:
    """Run one command of the application to its end."""
    words = [sys.executable, "-m", "flask", "--app", "example_app", *command]
    done = subprocess.run(words, env=env, capture_output=True, text=True, start_new_session=True, check=False)
    if done.returncode:
        raise DemoError(f"flask {' '.join(command)} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")


def environment(folder: Path, *, mail_port: int, webhook_url: str) -> dict[str, str]:
    """The environment of the processes: settings that this machine has for other applications are left out."""
    ours = ("DATABASE_URL", "FLASK_", "INSTANCE_PATH", "MAIL_", "QUEUE", "REDIS_", "SECRET_KEY", "WEBHOOK_URL")
    rest = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return rest | {
        "INSTANCE_PATH": str(folder / "instance"),
        "MAIL_PORT": str(mail_port),
        "PYTHONUNBUFFERED": "1",
        "QUEUE_SHUTDOWN_TIMEOUT_S": str(FINISH_JOBS_S),
        "SECRET_KEY": secrets.token_hex(),
        "WEBHOOK_URL": webhook_url,
        "no_proxy": "127.0.0.1",
    }
