"""Where the jobs of an app live, and their tests: found from those that it has."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from flask import Flask

from ..broker import QueueBroker

#: Folders of what was installed, which is not the user's to write in.
INSTALLED = {"site-packages", "dist-packages"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new job goes."""

    #: Of the class: a new file, or one to which it is added.
    file: Path
    #: Of its test: a new file.
    test: Path

    @property
    def module(self) -> str:
        """The name by which the class is imported."""
        names = [] if self.file.stem == "__init__" else [self.file.stem]
        folder = self.file.parent
        while (folder / "__init__.py").exists():
            names.insert(0, folder.name)
            folder = folder.parent
        return ".".join(names)


def place_for(app: Flask, broker: QueueBroker, file_name: str) -> Place:
    """Where a new job is expected, by those that the app has, or else next to the app.

    Jobs that have a file each, or live in a package `jobs`, get one more file; a module with several gets one more
    class. The module that makes the app is not touched: a class at its end would come after the list of jobs.

    Args:
        app: a Flask app.
        broker: of the app.
        file_name: of a file for the job alone, without suffix.
    """
    homes = Counter(_homes(app, broker))
    file = _like(homes, file_name) if homes else _next_to(Path(app.root_path).resolve(), file_name)
    return Place(file, _tests_of(file) / f"test_{file_name}.py")


def names_in(source: str) -> set[str]:
    """What a module's text defines or imports at its top."""
    names: set[str] = set()
    for node in ast.parse(source).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {alias.asname or alias.name for alias in aliases}
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def _homes(app: Flask, broker: QueueBroker) -> Iterator[Path]:
    """The user's file of each Job class."""
    for actor in broker.actors.values():
        job = getattr(actor, "job_class", None)
        module = None if job is None else sys.modules.get(job.__module__)
        file = None if module is None or _makes_app(module, app) else module.__file__
        if file and not INSTALLED & set(Path(file).parts):
            yield Path(file).resolve()


def _makes_app(module: ModuleType, app: Flask) -> bool:
    made = (app, app.extensions["queue"])
    return module.__name__ == app.import_name or any(value is each for value in vars(module).values() for each in made)


def _like(homes: Counter[Path], file_name: str) -> Path:
    """Where one more job goes, given the files of the others, and how many each has."""
    (file, count), *_ = homes.most_common(1)
    siblings = [other for other in homes if other.parent == file.parent]
    has_file_each = count == 1 and len(siblings) > 1
    if file.stem == "__init__" or file.parent.name == "jobs" or has_file_each:
        return file.with_name(f"{file_name}.py")
    return file


def _next_to(folder: Path, file_name: str) -> Path:
    """Where the first job goes."""
    package = folder / "jobs"
    return package / f"{file_name}.py" if (package / "__init__.py").exists() else folder / "jobs.py"


def _tests_of(file: Path) -> Path:
    """The folder with the tests of this file's project, which need not be there."""
    here = Path.cwd().resolve()
    project = here if here in file.parents else _above_packages(file)
    tests = next((project / name for name in ("tests", "test") if (project / name).is_dir()), project / "tests")
    return tests / "jobs" if (tests / "jobs").is_dir() else tests


def _above_packages(file: Path) -> Path:
    folder = file.parent
    while (folder / "__init__.py").exists():
        folder = folder.parent
    return folder.parent if folder.name == "src" else folder
