"""The command that writes a new job and its test, where the app has its others."""

from __future__ import annotations

import keyword
import re
import shutil
import sys
from pathlib import Path

import click
from flask import current_app

from ..broker import QueueBroker
from ..current import current_broker
from ..errors import QueueError, UnknownQueue
from .complete import queue_names
from .group import examples, queue_cli
from .layout import Place, place_for
from .read import as_json_option
from .records import to_json
from .stubs import DEFAULT_QUEUE, job_file, test_file, with_job
from .text import one_line, show

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@queue_cli.command("make-job", epilog=examples("make-job SendInvoice", "make-job ResizeImage --queue images"))
@click.argument("name")
@click.option("--queue", shell_complete=queue_names, help="The queue of the job.")
@as_json_option
def make_job(name: str, queue: str | None, as_json: bool) -> None:
    """Write a Job class NAME and its test.

    They go where the app has its others, and nothing is overwritten. What is left to do is registering it with the app.
    """
    broker = current_broker()
    file_name = check_name(name)
    chosen = _queue(broker, queue)
    if name in broker.actors:
        raise QueueError(f"There is a job named {name} already: choose another name.")
    place = place_for(current_app, broker, file_name)
    _write(place, name, chosen, file_name)
    line = f"from {place.module} import {name}"
    job, test = _near(place.file), _near(place.test)
    if as_json:
        show(to_json({"job": job, "test": test, "import": line}))
        return
    show(one_line(f"Wrote {name} in {job}"))
    show(one_line(f"Wrote {test}, to be run with: python -m pytest {test}"))
    show(one_line(f"Left to do: {line}, and register it: FlaskQueue(…, jobs=[…, {name}]){_maker()}"))


def check_name(name: str) -> str:
    """The file name, without suffix, for a class of this name.

    Raises:
        click.BadParameter: it is no good name for a class.
    """
    file_name = _WORDS.sub("_", name).lower()
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name):
        camel = "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", name)).lstrip("0123456789")
        hint = f", as {camel[:1].upper() + camel[1:]}" if camel else ", as SendInvoice"
        raise click.BadParameter(f"{name!r}: give the name of a class{hint}", param_hint="NAME")
    if name in ("Job", "None", "True", "False") or keyword.iskeyword(file_name):
        raise click.BadParameter(f"{name!r} has a meaning already: choose a longer name", param_hint="NAME")
    return file_name


def _queue(broker: QueueBroker, name: str | None) -> str:
    names = list(broker.queues)
    if name is None:
        if DEFAULT_QUEUE not in names and len(names) != 1:
            raise click.UsageError(f"There is no queue {DEFAULT_QUEUE!r}: choose by --queue among {', '.join(names)}.")
        return DEFAULT_QUEUE if DEFAULT_QUEUE in names else names[0]
    if name not in names:
        raise UnknownQueue(name, names)
    return name


def _write(place: Place, name: str, queue: str, file_name: str) -> None:
    """Write both files, or none."""
    for file in [place.test, *([place.file] if place.file.stem == file_name else [])]:
        if file.exists():
            raise QueueError(f"{_near(file)} exists already: choose another name.")
    text = _added(place.file, name, queue) if place.file.exists() else job_file(name, queue)
    try:
        if not place.test.parent.exists():
            # As a package: pytest finds the modules of the folder above then.
            _write_new(place.test.with_name("__init__.py"), "")
        _write_new(place.test, test_file(name, queue, module=place.module, file_name=file_name))
        try:
            _replace(place.file, text)
        except OSError:
            place.test.unlink()
            raise
    except OSError as error:
        raise QueueError(f"{error.filename} cannot be written: {error.strerror}.") from None


def _added(file: Path, name: str, queue: str) -> str:
    """The text of a module, with one job more."""
    try:
        return with_job(file.read_text(encoding="utf-8"), name, queue)
    except QueueError as error:
        raise QueueError(f"{_near(file)}: {error}") from None


def _replace(file: Path, text: str) -> None:
    """Write a module as a whole, so that a full disk leaves it as it was."""
    written = file.with_name(f".{file.name}.new")
    _write_new(written, text)
    if file.exists():
        shutil.copymode(file, written)
    written.replace(file)


def _write_new(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x", encoding="utf-8") as stream:
        stream.write(text)


def _near(file: Path) -> str:
    """The path as a user here would write it."""
    here = Path.cwd().resolve()
    return str(file.relative_to(here) if here in file.parents else file)


def _maker() -> str:
    """Where the extension is made, as far as that can be seen."""
    extension = current_app.extensions["queue"]
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and any(value is extension for value in list(vars(module).values())):
            return f" in {_near(Path(file).resolve())}"
    return ""
