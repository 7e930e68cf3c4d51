"""Tracebacks, taken apart."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_queue.admin.traces import Kind, take_apart

if TYPE_CHECKING:
    from collections.abc import Callable


def trace_of(call: Callable[[], object]) -> str:
    """What Python writes about the error of a call."""
    try:
        call()
    except Exception as error:
        return "".join(traceback.format_exception(error))
    raise AssertionError("no error")


def kinds(text: str) -> list[Kind]:
    """What the parts are."""
    return [part.kind for part in take_apart(text)]


def parse() -> None:
    """Fails in Python's own module, two frames deep or more."""
    json.loads("{")


def chained() -> None:
    """Fails because of an error before."""
    try:
        parse()
    except ValueError as error:
        raise LookupError("first line\n  second line\n\nlast line") from error


def while_handled() -> None:
    """Fails while another error is handled."""
    try:
        parse()
    except ValueError:
        int("no number")


def grouped() -> None:
    """Fails with several errors."""
    errors = []
    for call in (parse, chained):
        try:
            call()
        except Exception as error:
            errors.append(error)
    raise ExceptionGroup("several", [*errors, ExceptionGroup("inner", [OSError("a\nb")])])


def misspelt() -> None:
    """Cannot be compiled."""
    compile("x ===", "<string>", "exec")


def deep(level: int = 0) -> None:
    """Calls itself for ever."""
    deep(level + 1)


def test_library_frames_are_set_apart() -> None:
    """Those in a row are one part, which tells how many they are; each frame of the app stands alone."""
    parts = take_apart(trace_of(parse))
    assert [part.kind for part in parts] == [Kind.HEAD, Kind.OWN, Kind.OWN, Kind.LIBRARY, Kind.TEXT]
    assert parts[3].frames >= 2
    assert "json/decoder.py" in parts[3].text
    assert "json.loads" in parts[2].text
    assert parts[4].text.startswith("json.decoder.JSONDecodeError")


def test_each_exception_of_a_chain_is_told_apart() -> None:
    """The sentence between them is a part of its own, and a message of several lines stays together."""
    parts = take_apart(trace_of(chained))
    assert [part.kind for part in parts].count(Kind.LINK) == 1
    assert [part.kind for part in parts].count(Kind.HEAD) == 2
    assert parts[-1].text.rstrip("\n") == "LookupError: first line\n  second line\n\nlast line"
    assert Kind.LINK in kinds(trace_of(while_handled))


def test_groups_are_taken_apart_with_their_margins() -> None:
    """Frames inside of a group are frames, at any depth."""
    parts = take_apart(trace_of(grouped))
    assert [part.kind for part in parts].count(Kind.LIBRARY) == 2
    assert [part.kind for part in parts].count(Kind.LINK) == 1
    raised = [part.text for part in parts if part.kind is Kind.TEXT]
    assert any("| OSError: a\n" in text and "| b" in text for text in raised)
    assert any("ExceptionGroup: several" in text for text in raised)
    own = [part.text for part in parts if part.kind is Kind.OWN]
    assert any(text.startswith("    |   File") and "json.loads" in text for text in own)


def test_the_place_of_a_syntax_error_keeps_its_caret() -> None:
    """It has no function, and comes after the frames."""
    parts = take_apart(trace_of(misspelt))
    place = next(part.text for part in parts if 'File "<string>", line 1' in part.text)
    assert place.split("\n")[1].strip() == "x ==="
    assert "^" in place.split("\n")[2]
    assert parts[-1].text.startswith("SyntaxError")


def test_repeated_frames_stay_together() -> None:
    """Python says how often the line before is repeated."""
    parts = take_apart(trace_of(deep))
    assert any(part.kind is Kind.OWN and "[Previous line repeated" in part.text for part in parts)
    assert parts[-1].text.startswith("RecursionError")


@pytest.mark.parametrize(
    ("file", "is_own"),
    [
        ("/srv/acme/mail.py", True),
        ("/srv/lib/mail.py", True),
        ("<string>", True),
        ("/srv/acme/.venv/lib/python3.12/site-packages/requests/api.py", False),
        ("/srv/acme/.venv/lib/python3.12/site-packages/acme/mail.py", True),
        ("/srv/acme/.venv/lib/python3.12/site-packages/acme.py", True),
        ("/srv/acme/.venv/lib/python3.12/site-packages/acme_tools/mail.py", False),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", False),
        ("/usr/local/lib/python3.13/smtplib.py", False),
        ("/opt/python-3.13t/lib/python3.13t/smtplib.py", False),
        ("/home/me/flask-queue/flask_queue/worker/executor.py", False),
        ("/usr/lib/python311.zip/json/__init__.py", False),
        ("<frozen importlib._bootstrap>", False),
    ],
)
def test_whose_code_it_is_is_told_by_the_path(file: str, is_own: bool) -> None:
    """Also where the app itself is installed as a package."""
    text = f'  File "{file}", line 3, in send\n    raise OSError'
    assert [part.kind for part in take_apart(text, {"acme"})] == [Kind.OWN if is_own else Kind.LIBRARY]


FRAGMENTS = st.sampled_from(
    [
        "Traceback (most recent call last):",
        '  File "/srv/a.py", line 1, in f',
        '  File "/usr/lib/python3.11/json/__init__.py", line 1, in f',
        '  |   File "a", line 2',
        "    code()",
        "    ^^^^",
        "  | ",
        "  +-+---------------- 1 ----------------",
        "During handling of the above exception, another exception occurred:",
        "",
        "… 12 bytes left out …",
    ]
)


@settings(deadline=None)
@given(st.lists(FRAGMENTS | st.text()).map("\n".join))
def test_nothing_is_lost(text: str) -> None:
    """Whatever a text is, its parts make it up."""
    assert "\n".join(part.text for part in take_apart(text)) == text


def test_what_is_no_traceback_is_text() -> None:
    """As it stands."""
    assert kinds("<the traceback of Odd cannot be shown: ValueError>") == [Kind.TEXT]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("line", ["+" + "-" * 32_000 + "x", "+" + "+-" * 16_000 + "x", " " * 32_000 + "|"])
def test_a_hostile_line_takes_no_time(line: str) -> None:
    """Whoever chooses an error's message cannot hold up the page. Once such a line took a quarter of a minute."""
    assert kinds(line) == [Kind.TEXT]
