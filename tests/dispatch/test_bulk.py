"""Many jobs in one dispatch, and how large one may be."""

from __future__ import annotations

import pytest
from redis import Redis

from flask_queue import Job, JobIdConflict, PayloadTooLarge
from flask_queue.broker import CHUNK_BYTES
from tests.dispatch.test_unavailable import app_on


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
        Letter.dispatch_many([{"text": "x" * (CHUNK_BYTES // 8)}] * 20)
        assert scripts(redis_client) - before == 3
        before = scripts(redis_client)
        Letter.dispatch_many([{"text": "x"}] * 257)
        assert scripts(redis_client) - before == 2
        assert queue.counts()["default"]["waiting"] == 278
