"""The write half: what dispatches and workers change, one script each."""

from __future__ import annotations

import json
import math
import random
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self, TypeAlias, assert_never

from redis.exceptions import RedisError

from ..config import Queue
from ..outcome import Cancelled, Completed, Failed, GivenBack, Outcome, Released, Retried
from ..record import JobError, JobState
from .keys import QueueKeys
from .own_connection import Client, OwnConnection
from .records import RawJob
from .scripts import Argument, Call, load, run, run_all
from .state import StateRecord

#: Jobs a script call takes: Lua's unpack stops near 8,000 values, and a longer call would hold up the server.
BATCH = 256
#: A job that lost so many workers is a suspect: it then runs alone in its process, so that it takes no others with it.
SUSPECT_FROM = 2
#: The poke of a worker that died before it was read goes away by itself.
POKE_EXPIRY_MS = 60_000
#: Before a suspect comes back, and between two of them: drawn from this range, so that workers do not meet over them.
SUSPECT_PAUSE_MS = (200, 600)

_dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class NewEntry(NamedTuple):
    """A job to store: `due` is empty for now, `+ms` after now, or a Unix time in ms; `nonce` - for generated ids.

    `lock` is empty, or how long a unique lock holds, and its name: `ms name`. No tag has a line break.
    """

    local_id: str
    message: bytes
    due: str = ""
    priority: int = 0
    nonce: str = "-"
    lock: str = ""
    tags: Sequence[str] = ()


#: A queue, and up to 256 jobs of it.
Batch: TypeAlias = tuple[str, Sequence[NewEntry]]
#: Redis's time (Unix ms) when jobs were stored, and by position those that existed, by their id or lock, and were left.
Stored: TypeAlias = tuple[int, dict[int, RawJob]]


@dataclass(frozen=True, slots=True)
class Retention:
    """How many finished jobs a queue keeps, and for how long."""

    completed: int
    completed_ms: int
    failed: int
    failed_ms: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a queue allows over all its workers; 0 for no limit."""

    #: Claims in any `window_ms`.
    claims: int = 0
    window_ms: int = 0
    #: Jobs that workers hold at a time.
    running: int = 0

    @classmethod
    def of(cls, queue: Queue) -> Self:
        """Those of a configured queue."""
        rate, running = queue.rate_limit, queue.max_running or 0
        # Rounded up: a window that is cut short would let one claim too many through.
        return cls(rate.limit, math.ceil(rate.per_s * 1000), running) if rate else cls(running=running)


class Settlement(NamedTuple):
    """The end of one run; `number` is that of the run."""

    local_id: str
    number: int
    runtime_ms: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class CycleRequest:
    """One queue's part in a worker's cycle: what ended, what started late, how many jobs it can take."""

    queue: str
    want: int = 0
    #: Threads without work: as many of the claimed start at once.
    idle: int = 0
    settlements: Sequence[Settlement] = ()
    #: Local id and run number of jobs that were claimed ahead and have started since.
    started: Sequence[tuple[str, int]] = ()
    limits: Limits = Limits()


class Claimed(NamedTuple):
    """A job that this worker has now."""

    local_id: str
    state: StateRecord
    message: bytes


@dataclass(frozen=True, slots=True)
class CycleReply:
    """What a cycle brought; times are Unix ms by Redis's clock."""

    now_ms: int
    #: Jobs that are ready and were not taken.
    left: int
    #: When the limits let these be claimed; 0 for now, negative for once a marker says so.
    opens_ms: int
    #: When the next delayed job is due; 0 for none.
    next_due_ms: int
    #: The oldest sign of life among the queue's workers.
    oldest_beat_ms: int
    #: Jobs that Redis says this worker holds now; another number than its own tells of a reply that was lost.
    held: int
    #: Runs that were settled, or said to have started, too late, by local id and number: somebody else has the job, or
    #: had it. One worker can settle two runs of a job at once, of which one is late.
    late_runs: Sequence[tuple[str, int]] = ()
    claimed: Sequence[Claimed] = field(default=())
    #: Local ids of jobs this worker holds that an operator asked to stop.
    asked: Sequence[str] = ()
    #: Local ids of settled runs that ended cancelled, whatever their outcome was: they had been asked to stop.
    overruled: Sequence[str] = ()

    @property
    def late(self) -> list[str]:
        """Local ids of what was too late."""
        return [local_id for local_id, _ in self.late_runs]


@dataclass(frozen=True, slots=True)
class Reaped:
    """What became of a dead worker's jobs."""

    recovered: int
    #: When the next lease can run out (Unix ms); 0 where no worker is left.
    next_expiry_ms: int
    now_ms: int
    #: Those that ended: given up, or cancelled as they had been asked to stop.
    ended: Sequence[RawJob] = ()

    @property
    def given_up(self) -> list[str]:
        """Local ids of those that failed, as they lost too many workers."""
        return [job.local_id for job in self.ended if job.state.job_state is JobState.FAILED]


class Transitions:
    """The changes of dispatches and workers, atomic and safe to repeat. Raises the client library's errors."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def keys(self, queue: str) -> QueueKeys:
        """The keys of a queue."""
        return QueueKeys(self._prefix, queue)

    def enqueue(self, client: Client, queue: str, entries: Sequence[NewEntry]) -> Stored:
        """Store up to 256 jobs of one queue. Redis: enqueue.lua, one round trip."""
        return _stored(queue, run(client, self._enqueue_call(queue, entries)))

    def enqueue_each(self, connection: OwnConnection, batches: Iterable[Batch]) -> Iterator[Stored]:
        """Store batch after batch, on a server that knows the script; the next is under way when one is told of.

        Redis: enqueue.lua for each, in a round trip of which nothing but the last is waited for.
        """
        queues: deque[str] = deque()

        def commands() -> Iterator[Sequence[bytes]]:
            for queue, entries in batches:
                queues.append(queue)
                yield self._enqueue_call(queue, entries).packed()

        for reply in connection.execute_each(commands()):
            yield _stored(queues.popleft(), reply)

    def _enqueue_call(self, queue: str, entries: Sequence[NewEntry]) -> Call:
        keys = self.keys(queue)
        args: list[Argument] = [keys.tag]
        for local_id, message, due, priority, nonce, lock, tags in entries:
            args += (local_id, message, due, priority, nonce, lock, "\n".join(tags))
        return Call(load("enqueue"), keys, args)

    def cycle(
        self, client: Client, worker: str, retention: Retention, requests: Sequence[CycleRequest]
    ) -> list[CycleReply | RedisError]:
        """Settle, promote and claim, on several queues at once; at most 256 settlements a queue.

        Returns: a reply for each request, in order, or the error of that queue's script.
        Redis: cycle.lua for each queue, all in one round trip.
        """
        calls = [self._cycle_call(worker, retention, request) for request in requests]
        return [reply if isinstance(reply, RedisError) else _cycle_reply(reply) for reply in run_all(client, calls)]

    def _cycle_call(self, worker: str, keep: Retention, request: CycleRequest) -> Call:
        keys = self.keys(request.queue)
        limits = request.limits
        args: list[Argument] = [keys.tag, worker, request.want, request.idle]
        args += (keep.completed, keep.completed_ms, keep.failed, keep.failed_ms)
        args += (limits.claims, limits.window_ms, limits.running, SUSPECT_FROM, len(request.started))
        for local_id, number in request.started:
            args += (local_id, number)
        completed: list[Argument] = []
        others: list[Argument] = []
        for settlement in _last_given_back_first(request.settlements):
            _append_settlement(completed, others, settlement)
        args += (len(completed) // 5, *completed, len(others) // 8, *others)
        return Call(load("cycle"), keys, args, worker)

    def held(self, client: Client, queue: str, worker: str, known: Sequence[str]) -> list[Claimed]:
        """The jobs a worker holds without knowing: it did not hear the reply of the claim. Redis: held.lua."""
        return _claimed(run(client, Call(load("held"), self.keys(queue), known, worker)))

    def reap(self, client: Client, queue: str, *, lease_ms: int, max_recoveries: int, by_ms: int) -> Reaped:
        """Take back the jobs of one worker that has been silent for longer than the lease.

        Args:
            client: of the server.
            queue: its name.
            lease_ms: how long a worker may be silent.
            max_recoveries: a job that lost more workers fails.
            by_ms: nobody is taken for dead after this moment, in Unix ms of Redis: a call that arrives so late was held
                up, and the beats of the living with it.

        Redis: reap.lua, one round trip. Safe to call by anybody at any time.
        """
        keys = self.keys(queue)
        lost = JobError("WorkerLost", f"its worker died under it more than {max_recoveries} times: %s")
        pause_ms = random.randint(*SUSPECT_PAUSE_MS)
        args: list[Argument] = [keys.tag, lease_ms, max_recoveries, error_json(lost), SUSPECT_FROM, pause_ms]
        args += (group_json(lost), by_ms)
        reply = run(client, Call(load("reap"), keys, args))
        rows = zip(*(reply[3][start::5] for start in range(5)), strict=True)
        ended = [
            RawJob(queue, local_id.decode(), StateRecord.parse(state), message, attempts, tags=tags)
            for local_id, state, message, attempts, tags in rows
        ]
        return Reaped(int(reply[0]), int(reply[1]), int(reply[2]), ended)

    def unfinished(self, client: Client, queue: str) -> int:
        """How many jobs are ready to run or running, with any worker. Redis: counts.lua, one round trip."""
        keys = self.keys(queue)
        waiting, _, active, *_ = run(client, Call(load("counts"), keys, [keys.tag]))
        return int(waiting + active)

    def leave(self, client: Client, queues: Sequence[str], worker: str) -> None:
        """Sign a worker off that has nothing left. Redis: leave.lua for each queue, one round trip."""
        for reply in run_all(client, [Call(load("leave"), self.keys(queue), [worker], worker) for queue in queues]):
            if isinstance(reply, RedisError):
                raise reply

    def poke(self, client: Client, queue: str, worker: str) -> None:
        """End the wait of a worker that waits for this key as well. Redis: poke.lua, one round trip."""
        run(client, Call(load("poke"), self.keys(queue), [POKE_EXPIRY_MS], worker))

    def log(self, client: Client, queue: str, local_id: str, line: str) -> bool:
        """Append to a job's log; False where the job is gone. Redis: log.lua, one round trip."""
        keys = self.keys(queue)
        return bool(run(client, Call(load("log"), keys, [keys.tag, local_id, line])))

    def progress(self, client: Client, queue: str, local_id: str, done: float, total: float) -> bool:
        """Note a job's progress; False where the job is gone. Redis: progress.lua, one round trip."""
        call = Call(load("progress"), self.keys(queue), [local_id, f"{done:.12g} {total:.12g}"])
        return bool(run(client, call))


def error_json(error: JobError) -> str:
    """The traceback comes last, so that Lua can cut it off."""
    return _dumps({"type": error.type, "message": error.message, "place": error.place, "traceback": error.traceback})


def group_json(error: JobError) -> str:
    """What jobs that failed for the same reason have in common; Lua makes their fingerprint of it."""
    return _dumps({"type": error.type, "place": error.place})


def _last_given_back_first(settlements: Sequence[Settlement]) -> Sequence[Settlement]:
    """Each that is given back goes to the very front: so that they keep their order, the first of them comes last."""
    settled = [each for each in settlements if not isinstance(each.outcome, GivenBack)]
    given_back = [each for each in settlements if isinstance(each.outcome, GivenBack)]
    return [*settled, *reversed(given_back)]


def _append_settlement(completed: list[Argument], others: list[Argument], settlement: Settlement) -> None:
    outcome = settlement.outcome
    head = (settlement.local_id, settlement.number, settlement.runtime_ms)
    match outcome:
        case Completed():
            completed += (*head, outcome.result, "t" if outcome.result_cut else "")
        case Retried():
            others += ("retried", *head, outcome.delay_ms, error_json(outcome.error), "", outcome.message or "")
        case Failed():
            kind = "failed" if outcome.spends_attempt else "refused"
            others += (kind, *head, 0, error_json(outcome.error), group_json(outcome.error), "")
        case Released():
            others += ("released", *head, outcome.delay_ms, "", "", "")
        case Cancelled():
            others += ("cancelled", *head, 0, "", "", "")
        case GivenBack():
            others += ("given_back", *head, outcome.delay_ms, "", "", "")
        case _:
            assert_never(outcome)


def _stored(queue: str, reply: Sequence[Any]) -> Stored:
    if len(reply) == 1:
        return int(reply[0]), {}
    existing = {
        position: RawJob(queue, local_id.decode(), StateRecord.parse(state), *texts)
        for position, local_id, state, *texts in zip(*(reply[start::7] for start in range(1, 8)), strict=True)
    }
    return int(reply[0]), existing


def _claimed(flat: Sequence[Any]) -> list[Claimed]:
    triples = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return [Claimed(local_id.decode(), StateRecord.parse(state), message) for local_id, state, message in triples]


def _cycle_reply(reply: Any) -> CycleReply:
    now, left, opens, next_due, oldest_beat, held, late, claimed, asked, overruled = reply
    return CycleReply(
        now_ms=int(now),
        left=left,
        opens_ms=int(opens),
        next_due_ms=int(float(next_due)),
        oldest_beat_ms=int(float(oldest_beat)),
        held=held,
        late_runs=[(local_id, int(number)) for local_id, number in (run.decode().split() for run in late)],
        claimed=_claimed(claimed),
        asked=[local_id.decode() for local_id in asked],
        overruled=[local_id.decode() for local_id in overruled],
    )
