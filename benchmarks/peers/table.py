"""Who is measured: how each is installed and started, and what it keeps and guarantees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

ADAPTERS = Path(__file__).parent / "adapters"
THREADS = "8"
#: Listened on where a worker listens on three queues.
QUEUES = ("bench", "idle1", "idle2")

Bin: TypeAlias = Callable[[str], str]
Job: TypeAlias = Literal["nothing", "nap", "spin", "fails"]


@dataclass(frozen=True, slots=True, eq=False)
class Peer:
    """One system under one configuration."""

    name: str
    #: File among the adapters.
    adapter: str
    #: What is installed, by pip, npm or apt.
    requirements: Sequence[str]
    #: From the environment's programs, the number of worker processes and the queues: the commands that make those.
    worker: Callable[[Bin, int, Sequence[str]], list[list[str]]]
    #: Roughly how many no-op jobs a second one process runs: sets how long a round takes, and nothing else.
    per_s: int
    #: How its workers are run here.
    setting: str
    #: What becomes of a job whose worker dies.
    guarantee: str
    #: What can be looked up afterwards.
    keeps: str
    kind: Literal["python", "node", "ruby"] = "python"
    #: The environment that it shares, if not its own.
    environment: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    jobs: Sequence[Job] = ("nothing", "nap", "spin", "fails")
    #: Whether one worker process listens on several queues.
    has_queues: bool = True


def _flask_queue(bin_of: Bin, processes: int, queues: Sequence[str]) -> list[list[str]]:
    count = ["--processes", str(processes)] if processes > 1 else []
    return [[bin_of("flask"), "--app", "on_flask_queue", "queue", "work", *count]]


def _dramatiq(bin_of: Bin, processes: int, queues: Sequence[str]) -> list[list[str]]:
    return [[bin_of("dramatiq"), "on_dramatiq", "--processes", str(processes), "--threads", THREADS]]


def _rq(bin_of: Bin, processes: int, queues: Sequence[str]) -> list[list[str]]:
    options = ["--worker-class", "rq.SimpleWorker", "--url", "$BENCH_URL", "--logging_level", "CRITICAL"]
    return [[bin_of("rq"), "worker", *options, *queues]] * processes


def _celery(bin_of: Bin, processes: int, queues: Sequence[str]) -> list[list[str]]:
    options = ["--pool", "threads", "--concurrency", THREADS, "--queues", ",".join(queues), "--loglevel", "CRITICAL"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return [
        [bin_of("celery"), "-A", "on_celery", "worker", "--hostname", f"w{number}@%h", *options, *quiet]
        for number in range(processes)
    ]


def _huey(bin_of: Bin, processes: int, queues: Sequence[str]) -> list[list[str]]:
    options = ["--workers", THREADS, "--worker-type", "thread", "--no-periodic", "--quiet"]
    return [[bin_of("huey_consumer"), "on_huey.huey", *options]] * processes


def _saq(bin_of: Bin, processes: int, queues: Sequence[str]) -> list[list[str]]:
    return [[bin_of("saq"), "on_saq.settings", "--quiet", "--workers", str(processes)]]


def _taskiq(bin_of: Bin, processes: int, queues: Sequence[str]) -> list[list[str]]:
    options = ["--workers", str(processes), "--max-async-tasks", THREADS, "--log-level", "CRITICAL"]
    return [[bin_of("taskiq"), "worker", "on_taskiq:broker", *options]]


def _bullmq(bin_of: Bin, processes: int, queues: Sequence[str]) -> list[list[str]]:
    return [[bin_of("node"), "on_bullmq.cjs", "worker"]] * processes


def _sidekiq(bin_of: Bin, processes: int, queues: Sequence[str]) -> list[list[str]]:
    listen = [word for queue in queues for word in ("--queue", queue)]
    options = ["--require", "./on_sidekiq.rb", "--concurrency", THREADS, *listen]
    return [[bin_of("sidekiq"), *options]] * processes


_BACK_IN_15_S = "back within the lease, 15 s; after 3 losses `failed`"
_ALL_KEPT = "every job in one of six states, with times, attempts, tracebacks; 10,000 completed, 100,000 failed"
#: On both sides: without it, redis-py parses replies in Python.
_PARSER = "hiredis"

PEERS: tuple[Peer, ...] = (
    Peer(
        name="flask-queue",
        adapter="on_flask_queue.py",
        requirements=["flask-queue", _PARSER],
        worker=_flask_queue,
        per_s=15_000,
        setting="8 threads, default middleware, app context, dashboard on",
        guarantee=_BACK_IN_15_S,
        keeps=_ALL_KEPT,
    ),
    Peer(
        name="flask-queue+stock",
        adapter="on_flask_queue.py",
        requirements=["flask-queue", _PARSER],
        environment="flask-queue",
        env={"BENCH_STOCK_MIDDLEWARE": "1"},
        worker=_flask_queue,
        per_s=8_000,
        setting="the same, with dramatiq's unmodified default middleware added to ours",
        guarantee=_BACK_IN_15_S,
        keeps=_ALL_KEPT,
    ),
    Peer(
        name="dramatiq",
        adapter="on_dramatiq.py",
        requirements=["dramatiq[redis]", _PARSER],
        worker=_dramatiq,
        per_s=1_700,
        setting="8 threads, RedisBroker, default middleware",
        guarantee="back after a minute and a lottery, with no limit",
        keeps="failed ones for 7 days; completed ones not",
    ),
    Peer(
        name="rq",
        adapter="on_rq.py",
        requirements=["rq", _PARSER],
        worker=_rq,
        per_s=135,
        setting="SimpleWorker, its fastest: one job at a time, without a fork for each",
        guarantee="back after some minutes",
        keeps="completed for 500 s, failed for a year",
    ),
    Peer(
        name="celery",
        adapter="on_celery.py",
        requirements=["celery[redis]", _PARSER],
        worker=_celery,
        per_s=500,
        setting="8 threads, late acknowledgement, no result backend, no gossip, mingle, heartbeat",
        guarantee="back after the visibility time-out, an hour",
        keeps="nothing without a result backend",
    ),
    Peer(
        name="huey",
        adapter="on_huey.py",
        requirements=["huey", "redis", _PARSER],
        worker=_huey,
        per_s=1_500,
        setting="8 threads, blocking pop, no results, no periodic tasks",
        guarantee="lost (at most once)",
        keeps="nothing",
        has_queues=False,
    ),
    Peer(
        name="saq",
        adapter="on_saq.py",
        requirements=["saq[redis]", _PARSER, "typing_extensions"],
        worker=_saq,
        per_s=900,
        setting="8 coroutines",
        guarantee="not run again unless it has retries",
        keeps="completed and failed for 10 minutes",
        has_queues=False,
    ),
    Peer(
        name="taskiq",
        adapter="on_taskiq.py",
        requirements=["taskiq", "taskiq-redis", _PARSER],
        worker=_taskiq,
        per_s=1_100,
        setting="8 coroutines, Redis stream",
        guarantee="back after 10 minutes",
        keeps="messages, for ever",
        has_queues=False,
    ),
    Peer(
        name="bullmq",
        adapter="on_bullmq.cjs",
        requirements=["bullmq", "ioredis"],
        kind="node",
        worker=_bullmq,
        per_s=6_000,
        setting="concurrency 8 on one thread of Node",
        guarantee="back within a minute",
        keeps="set to 10,000 completed and 100,000 failed, as flask-queue",
        jobs=("nothing", "nap", "fails"),
    ),
    Peer(
        name="bullmq-removing",
        adapter="on_bullmq.cjs",
        requirements=["bullmq", "ioredis"],
        kind="node",
        environment="bullmq",
        env={"BENCH_REMOVE": "1"},
        worker=_bullmq,
        per_s=6_000,
        setting="the same, completed jobs removed",
        guarantee="back within a minute",
        keeps="failed ones",
        jobs=("nothing", "nap", "fails"),
    ),
    Peer(
        name="sidekiq",
        adapter="on_sidekiq.rb",
        requirements=["ruby-sidekiq"],
        kind="ruby",
        worker=_sidekiq,
        per_s=4_500,
        setting="8 threads",
        guarantee="lost (at most once)",
        keeps="dead ones; completed ones not",
        jobs=("nothing", "nap", "fails"),
    ),
)


def chosen(only: Sequence[str]) -> list[Peer]:
    """The peers of these names, or of all but the variants that are asked for by name.

    Raises:
        KeyError: there is none of that name.
    """
    by_name = {peer.name: peer for peer in PEERS}
    return [by_name[name] for name in only or by_name if only or name != "bullmq-removing"]
