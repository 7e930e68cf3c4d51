"""Bad and odd values, and what may come of them."""

from __future__ import annotations

import linecache
import math
import traceback
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

import flask_queue
from flask_queue import JobState, QueueError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The same examples in every run: what fails in continuous integration fails at the desk. A failure is told as it was
#: found; to shrink it would take longer than the rest of the suite.
BOUNDED = settings(
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
PACKAGE = str(Path(flask_queue.__file__).parent)

#: Texts that ids, names, cursors and reasons are not meant to be.
TEXTS = st.one_of(
    st.sampled_from(
        [
            *(
                "",
                " ",
                "\n",
                "a\nb",
                "a:b",
                "::",
                ":",
                "default:",
                ":w",
                "default:w:w",
                "other:w",
                "*",
                "-",
                "%s",
                "{}",
            ),
            *(
                "\x00",
                "\x1b[31m",
                "é",
                "名前",
                "\ud800",
                "default:\ud800",
                "١٢",
                "NaN",
                "1e999",
                "-1",
                "0",
                "null",
                "[]",
            ),
            *("[" * 3_000, "x" * 10_000, "1-1", "99999999999999999999-0", "MC4w", "////", "default:w\n", "\u2028"),
        ]
    ),
    st.text(st.characters(exclude_categories=()), max_size=30),
)
NUMBERS = st.one_of(
    st.sampled_from([0, -1, 1, 2**31, 2**53, 2**64, 10**400, -(10**400), True, False, 0.5, -0.0, 1e-320, 1e308]),
    st.sampled_from([math.nan, math.inf, -math.inf]),
    st.integers(),
    st.floats(),
)
MOMENTS = st.sampled_from(
    [
        datetime(1, 1, 1),  # noqa: DTZ001 - naive on purpose
        datetime(2030, 1, 1),  # noqa: DTZ001 - likewise
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime(1969, 12, 31, tzinfo=UTC),
        datetime(2500, 1, 1, tzinfo=UTC),
        date(2030, 1, 1),
        timedelta(days=1),
    ]
)
OTHERS = st.sampled_from([None, b"", b"default:w", object(), Exception, [], {}, (), {1: 2}, {"a"}, range(3), len])
ODD: st.SearchStrategy[Any] = st.one_of(TEXTS, NUMBERS, MOMENTS, OTHERS, st.lists(TEXTS, max_size=2))

#: A job of each state, by its local id; `y` is nobody's.
LOCAL_IDS = ("w", "d", "a", "c", "f", "x", "y")
IDS = st.sampled_from([*LOCAL_IDS, *(f"default:{local_id}" for local_id in LOCAL_IDS), "plain.queue:w"])
QUEUES = st.sampled_from(["default", "other"])
LIMITS = st.integers(1, 5)
#: What a parameter of this name is meant to be.
MEANT: dict[str, st.SearchStrategy[Any]] = {
    "job_id": IDS,
    "queue": QUEUES,
    "state": st.sampled_from([*JobState]),
    "name": st.sampled_from(["Echo", "Unique", "Nobody"]),
    "error": st.sampled_from(["ValueError", "ValueError: no"]),
    "limit": LIMITS,
    "at": st.just(datetime(2031, 1, 1, tzinfo=UTC)),
    "older_than_s": st.sampled_from([0, 0.5, 3600]),
    "reason": st.just("a reason"),
}


def arguments(names: dict[str, bool]) -> st.SearchStrategy[dict[str, Any]]:
    """Values for parameters, by name: what is meant, or something odd; where it `is_optional` also nothing."""
    values = {name: st.one_of(MEANT.get(name, ODD), ODD) for name in names}
    required = {name: values[name] for name, is_optional in names.items() if not is_optional}
    return st.fixed_dictionaries(required, optional={name: values[name] for name in names if name not in required})


@contextmanager
def only_contract_errors(*others: type[Exception]) -> Iterator[None]:
    """Nothing else may come out: errors of the package, or a TypeError or ValueError that it raises itself.

    One that comes from the depths would tell a user nothing.
    """
    try:
        yield
    except Exception as error:
        _judge(error, (TypeError, ValueError, *others))


def _judge(error: Exception, own: tuple[type[Exception], ...]) -> None:
    where = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(where.filename, where.lineno or 0).strip()
    is_ours = where.filename.startswith(PACKAGE) and line.startswith("raise ")
    if not (isinstance(error, QueueError) or (type(error) in own and is_ours)):
        raise AssertionError(f"{error!r} comes from {where.filename}:{where.lineno}: {line}") from error
    assert str(error).strip(), "it says nothing"
