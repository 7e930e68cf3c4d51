"""Whatever a public call is given: only errors of the contract come out, and the store stays whole."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_queue.calls import QueueCalls
from tests.properties.conftest import Echo, Stage, Unique
from tests.properties.odd import BOUNDED, ODD, TEXTS, arguments, only_contract_errors

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = [name for name, _ in inspect.getmembers(QueueCalls, inspect.isfunction) if not name.startswith("_")]
OPTIONS = (
    "delay_s",
    "at",
    "priority",
    "queue_name",
    "max_retries",
    "timeout_s",
    "unique_for_s",
    "unique_key",
    "job_id",
)


def parameters(name: str) -> dict[str, bool]:
    """The named parameters of a call, and whether each is optional."""
    found = list(inspect.signature(getattr(QueueCalls, name)).parameters.values())[1:]
    return {each.name: each.default is not each.empty for each in found if each.kind is not each.VAR_KEYWORD}


@pytest.mark.parametrize("name", CALLS)
@given(data=st.data())
@settings(BOUNDED, max_examples=40)
def test_any_call(stage: Stage, name: str, data: st.DataObject) -> None:
    """Every method of FlaskQueue that looks at jobs or changes them."""
    given = data.draw(arguments(parameters(name)))
    stage.set()
    call: Callable[..., Any] = getattr(stage.queue, name)
    positional = [given.pop("job_id")] if name == "duplicate" else []
    with only_contract_errors():
        call(*positional, **given)
    stage.check()


@given(changes=st.dictionaries(st.one_of(st.just("data"), TEXTS), ODD, max_size=2))
@settings(BOUNDED, max_examples=60)
def test_a_duplicate_with_any_changes(stage: Stage, changes: dict[str, Any]) -> None:
    stage.set()
    with only_contract_errors():
        stage.queue.duplicate("default:w", **changes)
    stage.check()


@given(values=st.lists(ODD, max_size=3), named=st.dictionaries(st.one_of(st.just("user_id"), TEXTS), ODD, max_size=3))
@settings(BOUNDED, max_examples=150)
def test_a_dispatch_of_anything(stage: Stage, values: list[Any], named: dict[str, Any]) -> None:
    stage.set()
    for job in (Echo, Unique):
        dispatch: Callable[..., Any] = job.dispatch
        with only_contract_errors():
            dispatch(*values, **named)
    stage.check()


@given(options=arguments(dict.fromkeys(OPTIONS, True)))
@settings(BOUNDED, max_examples=300)
def test_a_dispatch_with_any_options(stage: Stage, options: dict[str, Any]) -> None:
    stage.set()
    make: Callable[..., Any] = Echo.options
    with only_contract_errors():
        record = make(**options).dispatch()
        assert stage.queue.get(record.id).id == record.id
    stage.check()


@given(payloads=st.one_of(ODD, st.lists(st.one_of(ODD, st.just({"data": 1})), max_size=3)), job_ids=ODD)
@settings(BOUNDED, max_examples=100)
def test_many_of_anything(stage: Stage, payloads: Any, job_ids: Any) -> None:
    stage.set()
    dispatch: Callable[..., Any] = Echo.dispatch_many
    with only_contract_errors():
        dispatch(payloads, job_ids=job_ids)
    stage.check()
