"""Every public name says what it is, every public method what it does, and every parameter what it takes."""

from __future__ import annotations

import inspect
import re
from dataclasses import is_dataclass
from enum import Enum
from typing import Any

import pytest
from dramatiq import Middleware
from sphinx.pycode import ModuleAnalyzer

import flask_queue
from flask_queue import signals, testing
from flask_queue.admin.views import QueueView
from flask_queue.bulk import Applied, Bulk, BulkStep
from flask_queue.job import Dispatcher, OptionsCall
from flask_queue.monitor import Monitor
from flask_queue.tracing import Tracing

PUBLIC: list[Any] = [getattr(module, name) for module in (flask_queue, testing) for name in module.__all__]
PUBLIC += [Applied, Bulk, BulkStep, Tracing]
CLASSES = [value for value in PUBLIC if inspect.isclass(value)]
#: How the extension talks to what stands in for the store, and Dramatiq to middleware.
SEAMS = {"enqueue", "held", "stored", *(name for name, _ in inspect.getmembers(Middleware, inspect.isfunction))}
#: Of overridden static methods, which get the payload by name alone; and of what only passes arguments on.
NAMELESS = {"_", "args", "kwargs", "self", "cls"}


def _is_ours(value: Any) -> bool:
    is_call = inspect.isfunction(value) or inspect.ismethod(value)
    return is_call and value.__name__[0] != "_" and value.__module__.startswith("flask_queue")


def _is_made_by_us(value: type) -> bool:
    """Records, back-offs and most errors: what they hold is told, not how they are made."""
    if issubclass(value, Exception):
        return value.__name__ not in {"Retry", "Fail", "Release"}
    return value.__module__ in {"flask_queue.record", "flask_queue.backoff"} or issubclass(
        value, Enum | BulkStep | Applied
    )


def calls() -> dict[str, Any]:
    """Every public function and method, and each class for what makes it, by its name."""
    found: dict[str, Any] = {value.__name__: value for value in PUBLIC if inspect.isfunction(value)}
    for value in CLASSES:
        methods = inspect.getmembers(value, _is_ours)
        found |= {f"{value.__name__}.{name}": method for name, method in methods if name not in SEAMS}
        if not _is_made_by_us(value):
            found[value.__name__] = value
    found |= {f"QueueView.{name}": getattr(QueueView, name) for name in ("page", "back", "user")}
    return found | {"options": OptionsCall.__call__, "dispatch_many": Dispatcher.dispatch_many}


@pytest.mark.parametrize("name", calls())
def test_calls(name: str) -> None:
    """The docstring names each parameter, in its section of arguments or in backticks."""
    call = calls()[name]
    text = inspect.getdoc(call) or ""
    assert text
    parameters = set(inspect.signature(call).parameters) - NAMELESS
    assert not {each for each in parameters if not re.search(rf"^ +{each}: |`{each}`", text, re.MULTILINE)}


@pytest.mark.parametrize("value", CLASSES, ids=lambda value: value.__name__)
def test_what_values_hold(value: type) -> None:
    """Each field, attribute and property has a comment or a docstring, or is named in the class's own."""
    text = inspect.getdoc(value) or ""
    assert text
    comments = {name for owner, name in _comments(value.__module__) if owner == value.__name__}
    fields = {name for name in inspect.get_annotations(value) if name[0] != "_"}
    assert not {name for name in fields - comments if not re.search(rf"^ +{name}: |`{name}`", text, re.MULTILINE)}
    properties = {name: each for name, each in vars(value).items() if isinstance(each, property)}
    assert all(each.__doc__ for each in properties.values())


def test_queries_take_what_listings_take() -> None:
    """As the docstring says, which names none of it."""
    told, taken = (set(inspect.signature(call).parameters) for call in (flask_queue.FlaskQueue.jobs, Monitor.query))
    assert taken == told - {"limit", "cursor"}
    assert "given the same arguments" in str(Monitor.query.__doc__)


def test_facts_of_errors() -> None:
    """What an error knows is named in its docstring."""
    for value in CLASSES:
        if issubclass(value, Exception) and "__init__" in vars(value):
            facts = re.findall(r"self\.(\w+)(?:: .+)? = ", inspect.getsource(value.__init__))
            text = inspect.getdoc(value) or ""
            assert not [fact for fact in facts if not re.search(rf"^ +{fact}: |`{fact}`", text, re.MULTILINE)], value


def test_signals() -> None:
    """Each has a comment."""
    assert {name for owner, name in _comments(signals.__name__) if not owner} >= set(signals.__all__)


def _comments(module: str) -> dict[tuple[str, str], list[str]]:
    return ModuleAnalyzer.for_module(module).find_attr_docs()


def test_dataclasses_are_among_them() -> None:
    """So that the tests above see fields at all."""
    assert len([value for value in CLASSES if is_dataclass(value)]) > 10
