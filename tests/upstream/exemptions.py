"""What of Dramatiq's own tests does not hold for our broker and worker, and why: all of it."""

from __future__ import annotations

from dataclasses import dataclass

#: Modules about parts of Dramatiq that ours replaces or does not touch.
LEFT_OUT = {
    "test_rabbitmq.py": "its RabbitMQ broker",
    "test_cli.py": "its command line",
    "test_pidfile.py": "its command line: --pid-file",
    "test_watch.py": "its command line: --watch",
    "test_stub_broker.py": "its stub broker",
}

#: More would mean that our broker is no broker of Dramatiq's any more.
MOST = 10


@dataclass(frozen=True, slots=True)
class Exemption:
    """One test function that need not pass, with all its parameters.

    Args:
        reason: what it demands, and what holds instead.
        since: the first version of Dramatiq that has it.
        is_run: False where the machine decides whether it passes.
    """

    reason: str
    since: tuple[int, int] = (2, 0)
    is_run: bool = True


EXEMPTIONS = {
    "test_actors.py::test_workers_log_rate_limit_exceeded_errors_differently": Exemption(
        "It looks for a sentence in Dramatiq's debug log. Our worker logs the end of a run in words of its own."
    ),
    "test_actors.py::test_worker_handles_non_numeric_eta_and_logs_warning": Exemption(
        "It looks for a warning about a broken `eta` option, in which Dramatiq keeps the due time. Ours is in a sorted "
        "set in Redis: the option means nothing, and the message runs."
    ),
    "test_redis.py::test_redis_unacked_messages_can_be_requeued": Exemption(
        "It calls RedisBroker's scripts, and lets a lottery among commands take a dead worker's messages back. Here "
        "leases do: tests/store/test_reap.py."
    ),
    "test_redis.py::test_redis_broker_can_connect_via_url": Exemption(
        "It makes a RedisBroker, and wants a server on the default port.", is_run=False
    ),
    "test_redis.py::test_redis_broker_can_connect_via_client": Exemption(
        "It makes a RedisBroker, and wants a server on the default port.", is_run=False
    ),
    "test_redis.py::test_redis_consumer_ack_can_retry_on_connection_error": Exemption(
        "It breaks a method of RedisBroker's consumer. Ours has none: the pump settles, and keeps what it could not "
        "settle until Redis is back."
    ),
    "test_redis.py::test_redis_consumer_nack_can_retry_on_connection_error": Exemption(
        "The same for a message that failed."
    ),
    "test_redis.py::test_redis_join_race_condition": Exemption(
        "It counts every message in a worker's hand twice, as RedisBroker keeps it twice: sizes of 4, 4, 2, 2. A job "
        "of ours is in one state at a time: 2, 2, 1, 1."
    ),
    "test_results.py::test_actor_warning_when_returns_result_and_no_results_middleware_present": Exemption(
        "It expects a warning that a result was discarded. Ours is kept with the completed job."
    ),
    "test_worker.py::test_workers_process_messages_in_order": Exemption(
        "It counts what was fetched for a paused thread. Ours claims what idle threads can run, and no more. That jobs "
        "run in order is in tests/worker.",
        since=(2, 2),
    ),
}
