"""Whatever a command is given: it ends with 0, 1 or 2, with one line for 1, and never with a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import pytest
from flask import current_app
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_queue.cli import queue_cli
from tests.properties.conftest import Stage
from tests.properties.odd import BOUNDED, LOCAL_IDS, TEXTS

if TYPE_CHECKING:
    from click.testing import Result

#: These run until they are ended; so does `status` with its flag.
LASTING = {"work", "dev"}
WATCH = "--watch"
#: Adds files to the project: has tests of its own, in a project of its own.
WRITING = {"make-job"}
COMMANDS = sorted(set(queue_cli.commands) - LASTING - WRITING)
WORDS = st.one_of(
    st.sampled_from([*LOCAL_IDS, "default", "default:f", "Echo", "failed", "waiting", "{}", '{"data": 1}', "5", "0.5"]),
    # A process gets no others from its shell.
    TEXTS.filter(lambda text: "\x00" not in text),
)


@st.composite
def lines(draw: st.DrawFn, name: str) -> list[str]:
    """A command line: some arguments, some of the command's options."""
    words = [name, *draw(st.lists(WORDS, max_size=3))]
    options = [each for each in queue_cli.commands[name].params if isinstance(each, click.Option)]
    usable = [each for each in options if WATCH not in each.opts]
    for option in draw(st.lists(st.sampled_from(usable), max_size=3)) if usable else []:
        words += [option.opts[-1], *([] if option.is_flag else [draw(WORDS)])]
    return words


def check(result: Result, words: list[str]) -> None:
    """A line for each job that is named, or one."""
    problem: Any = result.exception
    assert problem is None or isinstance(problem, SystemExit), repr(problem)
    assert result.exit_code in (0, 1, 2)
    if result.exit_code == 1 and result.stderr:
        lines = result.stderr.removesuffix("\n").split("\n")
        assert all(line.startswith("Error: ") for line in lines), result.stderr
        assert len(lines) <= max(1, len(words) - 1)


@pytest.mark.parametrize("name", COMMANDS)
@given(data=st.data())
@settings(BOUNDED, max_examples=25)
def test_any_words(stage: Stage, name: str, data: st.DataObject) -> None:
    words = data.draw(lines(name))
    stage.set()
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy, which its annotation hides
    check(app.test_cli_runner().invoke(queue_cli, words), words)
    stage.check()
