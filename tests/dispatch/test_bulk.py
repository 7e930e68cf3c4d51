"""Many jobs in one dispatch, and how large one may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from dramatiq import Message, Middleware
from redis import Redis

from flask_queue import InvalidPayload, Job, JobIdConflict, PayloadTooLarge, QueueUnavailable
from flask_queue.batches import BATCH_BYTES
from flask_queue.signals import job_dispatch_failed, job_dispatched
from flask_queue.store.transitions import BATCH
from tests.dispatch.test_unavailable import app_on

#: So many batches.
BATCHES = 5


class Letter(Job):
    def handle(self, text: str) -> None: ...


class Other(Job):
    def handle(self, text: str) -> None: ...


def scripts(client: Redis) -> int:
    """How many scripts the server has run."""
    stats = client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha"))


def test_a_conflict_among_many_says_what_was_stored(redis_url: str) -> None:
    """The others are stored; the error names the id that was taken, and has their records."""
    with app_on(redis_url) as queue:
        queue.register(Other)
        queue.register(Letter)
        Other.options(job_id="b").dispatch("taken")
        with pytest.raises(JobIdConflict) as info:
            Letter.dispatch_many([{"text": name} for name in "abc"], job_ids=list("abc"))
        assert (info.value.job_id, info.value.taken_by) == ("default:b", "Other")
        assert [record.id for record in info.value.stored] == ["default:a", "default:c"]
        assert queue.counts()["default"]["waiting"] == 3
        assert queue.get("b").name == "Other"


@pytest.mark.parametrize("options", [{}, {"max_retries": 7}])
def test_a_payload_of_exactly_the_limit_is_stored(redis_url: str, options: dict[str, int]) -> None:
    """The limit counts the JSON of the arguments: neither the job's name nor its options."""
    limit = 1000
    text = "x" * (limit - len('{"text":""}'))
    with app_on(redis_url, QUEUE_MAX_PAYLOAD_BYTES=limit) as queue:
        queue.register(Letter)
        sender = Letter.options(max_retries=options.get("max_retries"))
        assert queue.get(sender.dispatch(text).id).payload == {"text": text}
        with pytest.raises(PayloadTooLarge) as info:
            sender.dispatch(text + "x")
        assert (info.value.size, info.value.limit) == (limit + 1, limit)


def test_large_jobs_go_in_more_calls(redis_url: str, redis_client: Redis) -> None:
    """One call holds up the server for all others: it carries 256 jobs, or a few megabytes."""
    with app_on(redis_url) as queue:
        queue.register(Letter)
        Letter.dispatch("loads the script")
        before = scripts(redis_client)
        Letter.dispatch_many([{"text": "x" * (BATCH_BYTES // 8)}] * 20)
        assert scripts(redis_client) - before == 3
        before = scripts(redis_client)
        Letter.dispatch_many([{"text": "x"}] * 257)
        assert scripts(redis_client) - before == 2
        assert queue.counts()["default"]["waiting"] == 278


def dispatch_many_while(happens: Callable[[int], object]) -> list[str]:
    """Five batches; this is called with the number of each that was told of. Returns the texts in order."""
    told = 0

    def receive(sender: object, record: Any) -> None:
        nonlocal told
        if record.name != "Letter":
            return
        told += 1
        if told % BATCH == 0:
            happens(told // BATCH - 1)

    with job_dispatched.connected_to(receive):
        records = Letter.dispatch_many([{"text": str(number)} for number in range(BATCHES * BATCH)])
    assert not any(record.deduplicated for record in records)
    return [record.payload["text"] for record in records]


def waiting(client: Any) -> list[str]:
    """The texts of the jobs that wait, the first first."""
    ids = client.lrange("{flask-queue:default}:waiting", 0, -1)
    lines = client.hmget("{flask-queue:default}:jobs", ids)
    return [line.split(b'"')[3].decode() for line in lines if line.startswith(b"Letter")]


def test_batches_are_stored_in_order(redis_url: str, redis_client: Redis) -> None:
    """And the next one is with the server when one is told of."""
    stored: list[int] = []
    with app_on(redis_url) as queue:
        queue.register(Letter)
        texts = dispatch_many_while(lambda number: stored.append(len(waiting(redis_client)) // BATCH))
    assert texts == waiting(redis_client) == [str(number) for number in range(BATCHES * BATCH)]
    assert stored[0] == 1
    assert set(stored[1:-1]) <= {2, 3, 4, 5}
    assert stored[-1] == BATCHES


def test_what_goes_wrong_between_two_batches_loses_and_doubles_nothing(redis_url: str, redis_client: Redis) -> None:
    """A connection that is cut, a server that forgets its scripts, a receiver that dispatches."""

    def cut(number: int) -> None:
        for each in redis_client.client_list():
            if each["name"] == "flask-queue":
                redis_client.client_kill_filter(_id=each["id"])

    def dispatch_another(number: int) -> None:
        assert Other.dispatch(str(number)).payload == {"text": str(number)}

    with app_on(redis_url) as queue:
        queue.register(Letter)
        queue.register(Other)
        for trouble in (cut, lambda number: redis_client.script_flush(), dispatch_another):
            redis_client.flushdb()
            texts = dispatch_many_while(trouble)
            stored = waiting(redis_client)
            assert texts == sorted(stored, key=int) == [str(number) for number in range(BATCHES * BATCH)]
            assert [record.payload["text"] for record in queue.jobs(name="Other").records] == (
                ["0", "1", "2", "3", "4"] if trouble is dispatch_another else []
            )


def test_a_server_that_takes_no_more_is_told_with_what_it_took(redis_url: str, redis_client: Redis) -> None:
    """Those whose batch it answered; the next one may be stored as well."""

    def refuse(number: int) -> None:
        if number == 1:
            redis_client.config_set("min-replicas-to-write", 1)

    try:
        with app_on(redis_url) as queue:
            queue.register(Letter)
            with pytest.raises(QueueUnavailable, match="NOREPLICAS") as info:
                dispatch_many_while(refuse)
            assert len(info.value.stored) in (2 * BATCH, 3 * BATCH)
            assert len(waiting(redis_client)) == len(info.value.stored)
    finally:
        redis_client.config_set("min-replicas-to-write", 0)
    with app_on(redis_url) as queue:
        queue.register(Letter)
        assert Letter.dispatch("after").payload == {"text": "after"}


def test_an_error_of_a_receiver_leaves_no_answer_to_another_question(redis_url: str, redis_client: Redis) -> None:
    """While its traceback is held, too."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with app_on(redis_url) as queue:
        queue.register(Letter)
        with pytest.raises(KeyboardInterrupt) as held:
            dispatch_many_while(interrupted)
        for number in range(3):
            record = Letter.dispatch(str(number))
            assert queue.get(record.id).payload == {"text": str(number)}
        assert held.value.__traceback__ is not None


@pytest.mark.parametrize("taken", [7, BATCH + 7])
def test_the_error_of_an_id_that_is_taken_has_all_that_were_stored(redis_url: str, taken: int) -> None:
    """Also those of the next batch, which was under way; there are no more behind it."""
    with app_on(redis_url) as queue:
        queue.register(Other)
        queue.register(Letter)
        Other.options(job_id=str(taken)).dispatch("taken")
        ids = [str(number) for number in range(BATCHES * BATCH)]
        with pytest.raises(JobIdConflict) as info:
            Letter.dispatch_many([{"text": name} for name in ids], job_ids=ids)
        stored = [record.payload["text"] for record in info.value.stored]
        assert stored == [name for name in ids[: len(stored) + 1] if name != str(taken)]
        assert taken < len(stored) < 3 * BATCH
        assert queue.counts()["default"]["waiting"] == len(stored) + 1


def test_a_wrong_tag_or_key_of_a_late_job_lets_none_be_stored(redis_url: str) -> None:
    """All are checked before one is sent."""

    class Tagged(Letter):
        @staticmethod
        def tags(*_: Any, **payload: Any) -> list[str]:
            return [payload["text"]]

    with app_on(redis_url) as queue:
        queue.register(Tagged)
        with pytest.raises(InvalidPayload, match="tags returned"):
            Tagged.dispatch_many([{"text": str(number)} for number in range(2 * BATCH)] + [{"text": ""}])
        assert queue.counts()["default"]["waiting"] == 0


def test_middleware_is_told_of_all_before_one_is_stored(redis_url: str) -> None:
    """What it makes of them is checked again."""

    class Grows(Middleware):
        def before_enqueue(self, broker: Any, message: Message[Any], delay: int | None) -> None:
            message.kwargs["text"] *= 10 if message.kwargs["text"] == "late" else 1

    with app_on(redis_url, QUEUE_MAX_PAYLOAD_BYTES=40) as queue:
        queue.register(Letter)
        queue.broker.add_middleware(Grows())
        with pytest.raises(PayloadTooLarge):
            Letter.dispatch_many([{"text": str(number)} for number in range(2 * BATCH)] + [{"text": "late"}])
        assert queue.counts()["default"]["waiting"] == 0


def test_failures_are_told_of_all_that_are_not_known_to_be_stored(redis_url: str, redis_client: Redis) -> None:
    """Those that are under way, and those that would have followed."""
    lost: list[str] = []

    def fail(sender: object, record: Any) -> None:
        lost.append(record.payload["text"])

    def refuse(number: int) -> None:
        redis_client.config_set("min-replicas-to-write", 1)

    try:
        with app_on(redis_url) as queue, job_dispatch_failed.connected_to(fail):
            queue.register(Letter)
            with pytest.raises(QueueUnavailable) as info:
                dispatch_many_while(refuse)
    finally:
        redis_client.config_set("min-replicas-to-write", 0)
    stored = [record.payload["text"] for record in info.value.stored]
    assert stored + lost == [str(number) for number in range(BATCHES * BATCH)]
    assert len(stored) < BATCHES * BATCH
