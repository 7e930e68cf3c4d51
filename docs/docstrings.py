"""Docstrings of the project as reStructuredText."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator

import flask_queue
from flask_queue.job import Dispatcher, OptionsCall

#: What a Job class offers through descriptors, and who has its docstring.
ELSEWHERE: dict[str, Callable[..., object]] = {
    "flask_queue.Job.dispatch": Dispatcher.dispatch,
    "flask_queue.Job.dispatch_many": Dispatcher.dispatch_many,
    "flask_queue.Job.options": OptionsCall.__call__,
}
_FIELDS = {"Args": "param", "Raises": "raises"}
_NAME = re.compile(r"(?<!`)`([A-Za-z]+)`(?!`)")


def convert(name: str, lines: list[str]) -> list[str]:
    """A docstring's lines, its sections as fields, and public names as links."""
    if name in ELSEWHERE:
        lines = (inspect.getdoc(ELSEWHERE[name]) or "").splitlines()
    return [_NAME.sub(_link, line) for line in _with_fields(lines)]


def _with_fields(lines: list[str]) -> Iterator[str]:
    field = ""
    for line in lines:
        section, _, rest = line.partition(":")
        if section in _FIELDS and not rest:
            field = _FIELDS[section]
        elif section == "Returns":
            field = ""
            yield f":returns: {rest.strip()}"
        elif field and (found := re.fullmatch(r" {4}(\w[\w, ]*): (.*)", line)):
            yield f":{field} {found[1]}: {found[2]}"
        else:
            # What goes on is deeper than its field; where text begins anew, a section is over.
            field = field if not line or line.startswith(" ") else ""
            yield line


def _link(found: re.Match[str]) -> str:
    name = found[1]
    return f":py:obj:`{name} <flask_queue.{name}>`" if name in flask_queue.__all__ else found[0]
