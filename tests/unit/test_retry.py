"""decide: an error and an attempt give one outcome; describe_error: what is kept of the error."""

from __future__ import annotations

from typing import NoReturn

import pytest

from flask_queue.backoff import Backoff
from flask_queue.errors import Fail, JobTimeout, Release, Retry
from flask_queue.outcome import Failed, Released, Retried
from flask_queue.retry import MAX_MESSAGE_BYTES, MAX_TRACEBACK_BYTES, RetryPolicy, decide, describe_error

POLICY = RetryPolicy(max_retries=2, backoff=Backoff.fixed([1, 2.5]))


def delay_ms(policy: RetryPolicy, attempt: int, error: Exception) -> int | None:
    """The delay of a retry, None for a final failure."""
    outcome = decide(policy, attempt, error)
    if isinstance(outcome, Retried):
        return outcome.delay_ms
    assert isinstance(outcome, Failed)
    return None


@pytest.mark.parametrize(("attempt", "delay"), [(1, 1000), (2, 2500), (3, None), (4, None)])
def test_max_retries_counts_runs_after_the_first(attempt: int, delay: int | None) -> None:
    """max_retries=2 means three runs; the delays are the back-off's."""
    assert delay_ms(POLICY, attempt, ValueError()) == delay


def test_no_retries() -> None:
    """max_retries=0 means one run, also for a job that raises Retry."""
    policy = RetryPolicy(max_retries=0, backoff=Backoff.fixed([1]))
    assert delay_ms(policy, 1, ValueError()) is None
    assert delay_ms(policy, 1, Retry(delay_s=1)) is None


def test_time_outs_are_retried_like_any_failure() -> None:
    """JobTimeout is an ordinary error, also for retry_on."""
    assert delay_ms(POLICY, 1, JobTimeout()) == 1000
    only = RetryPolicy(2, Backoff.fixed([1]), retry_on=(OSError,))
    assert delay_ms(only, 1, JobTimeout()) is None


def test_retry_on_and_fail_on() -> None:
    """Errors outside retry_on are final; fail_on wins over it; subclasses count."""
    policy = RetryPolicy(2, Backoff.fixed([1]), retry_on=(OSError,), fail_on=(FileNotFoundError,))
    assert delay_ms(policy, 1, ConnectionError()) == 1000
    assert delay_ms(policy, 1, FileNotFoundError()) is None
    assert delay_ms(policy, 1, KeyError()) is None


def test_an_empty_retry_on_retries_nothing() -> None:
    """retry_on=() names no error, so all are final; asking by Retry still works."""
    policy = RetryPolicy(2, Backoff.fixed([1]), retry_on=())
    assert delay_ms(policy, 1, OSError()) is None
    assert delay_ms(policy, 1, Retry()) == 1000


def test_retry_asks_for_its_own_delay() -> None:
    """Retry(delay_s=…) wins over the back-off, and counts against max_retries."""
    assert delay_ms(POLICY, 1, Retry(delay_s=0)) == 0
    assert delay_ms(POLICY, 2, Retry(delay_s=0.25)) == 250
    assert delay_ms(POLICY, 2, Retry()) == 2500
    assert delay_ms(POLICY, 3, Retry(delay_s=0)) is None


@pytest.mark.parametrize("nonsense", [-1, float("nan"), float("inf"), "soon", 1e300])
def test_a_nonsense_delay_is_the_usual_one(nonsense: float) -> None:
    """A run settles in any case: a delay that is none counts as not asked for."""
    assert delay_ms(POLICY, 1, Retry(delay_s=nonsense)) == 1000
    assert decide(POLICY, 1, Release(delay_s=nonsense)) == Released(0)


def test_fail_ends_the_job() -> None:
    """Fail is final whatever is left, and its reason is kept."""
    outcome = decide(RetryPolicy(9, Backoff.fixed([1]), retry_on=(Fail,)), 1, Fail("no such user"))
    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.error.message) == ("Fail", "no such user")


@pytest.mark.parametrize("attempt", [1, 99])
def test_release_spends_nothing(attempt: int) -> None:
    """Release gives the job back, whatever attempts are spent."""
    assert decide(POLICY, attempt, Release(delay_s=1.5)) == Released(1500)


def fall_over(message: str) -> NoReturn:
    """Fail with a cause of one's own."""
    raise ValueError(message) from KeyError("key")


def caught(message: str = "no") -> ValueError:
    with pytest.raises(ValueError, match=message[:5]) as info:
        fall_over(message)
    return info.value


def test_an_error_is_kept_with_its_causes() -> None:
    """Class name, message and the whole chain of causes."""
    error = describe_error(caught("no plan"))
    assert (error.type, error.message) == ("ValueError", "no plan")
    assert "KeyError: 'key'" in error.traceback
    assert "direct cause" in error.traceback
    assert error.traceback.endswith("ValueError: no plan\n")


def test_the_workers_frames_are_left_out() -> None:
    """A traceback begins at the job's own code, not at the worker's that called it."""
    module: dict[str, object] = {"__name__": "flask_queue.worker.executor", "job": fall_over}
    exec("def run(): job('no')", module)
    with pytest.raises(ValueError, match="no") as info:
        module["run"]()  # type: ignore[operator]
    frames = info.value.__traceback__
    assert frames is not None
    info.value.__traceback__ = frames.tb_next
    text = describe_error(info.value).traceback
    assert "in run" not in text
    assert "in fall_over" in text


def test_an_error_of_the_machinery_keeps_its_frames() -> None:
    """Where no frame is the job's own, all of them are kept."""
    module: dict[str, object] = {"__name__": "flask_queue.worker.executor"}
    exec("def run(): raise ValueError('no')", module)
    with pytest.raises(ValueError, match="no") as info:
        module["run"]()  # type: ignore[operator]
    frames = info.value.__traceback__
    assert frames is not None
    info.value.__traceback__ = frames.tb_next
    assert "in run" in describe_error(info.value).traceback


def test_long_texts_lose_their_middle() -> None:
    """A huge message or traceback is cut in its middle, within the limit in bytes."""
    error = describe_error(caught("first " + "é" * 100_000 + " last"))
    assert len(error.message.encode()) <= MAX_MESSAGE_BYTES
    assert error.message.startswith("first é")
    assert error.message.endswith("é last")
    assert "bytes left out" in error.message
    assert len(error.traceback.encode()) <= MAX_TRACEBACK_BYTES
    assert "KeyError" in error.traceback
    assert error.traceback.endswith(" last\n")


def test_what_cannot_be_shown_is_said() -> None:
    """An exception whose str() raises is described all the same."""

    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    error = describe_error(Broken())
    assert error.type == "Broken"
    assert "str() raised RuntimeError" in error.message
    assert "Broken" in error.traceback


def test_surrogates_are_escaped() -> None:
    """A message with what UTF-8 cannot hold is kept in a form that it can."""
    error = describe_error(ValueError("name \udc80"))
    assert error.message == r"name \udc80"
    error.traceback.encode()
