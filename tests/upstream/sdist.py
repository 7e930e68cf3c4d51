"""Dramatiq's tests, from the source distribution of the version that is installed. Nothing of it is kept in ours."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from importlib.metadata import version
from typing import TYPE_CHECKING

from tests.upstream.exemptions import LEFT_OUT

if TYPE_CHECKING:
    from pathlib import Path

VERSION = version("dramatiq")
#: The package that the tests are unpacked into. They import from `.common`, and `tests` is ours.
PACKAGE = "dramatiq_tests"
#: Seconds for the download. Pip builds the metadata, too, though nobody asks it to.
PATIENCE_S = 120


def fetch(folder: Path) -> Path | None:
    """Download the archive into a folder; None where that can't be done, with pip's words in our output."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries=2"]
    wanted = ["--no-deps", "--no-binary=dramatiq", f"--dest={folder}", f"dramatiq=={VERSION}"]
    subprocess.run([*pip, *wanted], check=False, timeout=PATIENCE_S)
    return next(folder.glob("dramatiq-*.tar.gz"), None)


def unpack(archive: Path, folder: Path) -> list[str]:
    """Make the package of tests in a folder, and return the names of its modules."""
    package = folder / PACKAGE
    package.mkdir()
    modules = []
    with tarfile.open(archive) as content:
        for member in content:
            _, _, name = member.name.partition("/tests/")
            file = content.extractfile(member) if member.isfile() else None
            if file is not None and name.startswith("test_") and name.endswith(".py") and name not in LEFT_OUT:
                (package / name).write_bytes(file.read())
                modules.append(name)
    (package / "__init__.py").touch()
    (package / "common.py").write_text("from tests.upstream.common import *\n")
    return modules
