"""The app `shop` in a folder of its own, with the files of `deploy/` beside it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.processes import FOREIGN, Running
from tests.deployment import shop as program
from tests.deployment.files import DEPLOY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Shop:
    """Runs programs as users run them, in the app's folder."""

    def __init__(self, folder: Path, **settings: str) -> None:
        rest = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
        path = os.pathsep.join([str(Path(sys.executable).parent), rest["PATH"]])
        self.folder = folder
        self._environment = {**rest, "PATH": path, "HOME": str(folder), **settings}
        self._running: list[Running] = []

    def start(self, words: Sequence[str], **settings: str) -> Running:
        """Start a command, whatever folder its program is said to be in; it is killed after the test."""
        output = self.folder / f"printed-{len(self._running)}"
        command = [Path(words[0]).name, *words[1:]]
        self._running.append(Running(command, self.folder, {**self._environment, **settings}, output))
        return self._running[-1]

    def close(self) -> None:
        for running in self._running:
            running.kill()


@pytest.fixture
def shop(tmp_path: Path, redis_url: str) -> Iterator[Shop]:
    """The app on the shared server; its processes end with the test."""
    (tmp_path / "shop").mkdir()
    shutil.copy(program.__file__, tmp_path / "shop" / "__init__.py")
    for path in (DEPLOY / "web").iterdir():
        shutil.copy(path, tmp_path)
    found = Shop(tmp_path, QUEUE_REDIS_URL=redis_url, FLASK_SECRET_KEY="secret")
    yield found
    found.close()
