"""Random transitions with random crashes between them: whatever happens, no job is lost, doubled or run again.

Two queues, three workers. After each step Redis must hold what the model says, and be whole by itself.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from flask_queue.outcome import Cancelled, Completed, Failed, GivenBack, Outcome, Released, Retried
from flask_queue.store.transitions import CycleReply, CycleRequest, Limits, NewEntry, Retention, Settlement
from tests.store.checks import Client, Snapshot, check_snapshot, snapshot
from tests.store.compare import expected, seen
from tests.store.driver import DAY_MS, ERROR, LEASE_MS, MESSAGE, OTHER_ERROR, Driver
from tests.store.model import QueueModel
from tests.store.model_job import NEVER_MS
from tests.store.model_worker import Worker

QUEUES = ("q1", "q2")
SLOTS = (0, 1, 2)
#: Ids that callers choose; those that we make come on top.
CHOSEN = ("e0", "e1", "e2", "e3", "e4")
KEEP_ALL = Retention(99, DAY_MS, 99, DAY_MS)
RETENTION = [KEEP_ALL, KEEP_ALL, KEEP_ALL, Retention(2, DAY_MS, 1, DAY_MS), Retention(0, DAY_MS, 99, 0)]
HOUR_MS = 3_600_000
LIMITS = [*[Limits()] * 5, Limits(9, HOUR_MS), Limits(running=3), Limits(9, HOUR_MS, 3)]

#: The states of the jobs that an operator would do it to.
FIT = {"undo": "w", "retry": "fx", "cancel": "wda", "promote": "d", "delete": "wdcfx"}

queues = st.sampled_from(QUEUES)
slots = st.sampled_from(SLOTS)
endings: list[Outcome | None] = [
    *(Completed(), None, Completed(), Failed(ERROR), None, Retried(0, ERROR), Released(), GivenBack(), Completed()),
    *(Completed(), Cancelled(), Retried(9**9, ERROR), Failed(ERROR, False), GivenBack(), None, Released(9**9)),
    Failed(OTHER_ERROR),
]
#: Chosen id, priority, due, lock, tags.
NewJob: TypeAlias = tuple[str, int, str, str, tuple[str, ...]]
new_jobs = st.lists(
    st.tuples(
        st.sampled_from(["", "", "", *CHOSEN]),
        st.sampled_from([0, 0, 0, 1, 1, -1]),
        st.sampled_from(["", "", "", "+99999999"]),
        st.sampled_from(["", "", "", "", "99999999 k1", "99999999 k 2"]),
        st.sampled_from([(), (), (), ("vip",), ("vip", "a:{7}")]),
    ),
    min_size=3,
    max_size=8,
)


class Store(RuleBasedStateMachine):
    """Drives Redis and the model side by side."""

    client: ClassVar[Client]

    def __init__(self) -> None:
        super().__init__()
        self.client.flushall()
        client = self.client
        self.drivers = {name: Driver(client, name) for name in QUEUES}
        self.models = {name: QueueModel() for name in QUEUES}
        self.workers = {slot: Worker(f"w{slot}") for slot in SLOTS}
        self.counter = 0

    def count(self) -> int:
        """A number that was not used yet."""
        self.counter += 1
        return self.counter

    @initialize(jobs=new_jobs, limits=st.tuples(*[st.sampled_from(LIMITS)] * len(QUEUES)))
    def begin(self, jobs: list[NewJob], limits: tuple[Limits, ...]) -> None:
        """Both queues have jobs from the start, and limits to their end, or none."""
        self.limits = dict(zip(QUEUES, limits, strict=True))
        for queue in QUEUES:
            self.enqueue(queue, jobs, is_heard=True)

    @rule(queue=queues, jobs=new_jobs, is_heard=st.booleans())
    def enqueue(self, queue: str, jobs: list[NewJob], is_heard: bool) -> None:
        """Store jobs; a caller that did not hear the answer sends the same once more, and stores nothing by it."""
        entries = []
        for chosen, priority, due, lock, tags in jobs:
            nonce = f"n{self.count()}" if chosen else "-"
            local_id = chosen or f"j{self.count()}"
            entries.append(NewEntry(local_id, MESSAGE, due, priority, nonce, lock, tags))
        for _ in range(1 if is_heard else 2):
            expected = self.models[queue].enqueue(entries)
            _, existing = self.drivers[queue].transitions.enqueue(self.client, queue, entries)
            assert {position: job.local_id for position, job in existing.items()} == expected

    @rule(who=st.lists(slots, min_size=1, max_size=4), data=st.data(), keep=st.sampled_from(RETENTION))
    def work(self, who: list[int], data: st.DataObject, keep: Retention) -> None:
        """Workers settle, start and claim on both queues; one whose reply is lost knows no more than before."""
        self.feed()
        for slot in who:
            worker = self.workers[slot]
            requests = [self.request(worker, name, data) for name in QUEUES]
            is_heard = data.draw(st.sampled_from([True, True, True, False]), label="is heard")
            self.cycle(worker, requests, keep, is_heard=is_heard)

    @rule(slot=slots, queue=queues, want=st.integers(1, 9), keep=st.sampled_from(RETENTION))
    def take(self, slot: int, queue: str, want: int, keep: Retention) -> None:
        """An idle worker is woken by the marker, if there is one, and claims."""
        self.feed()
        self.drivers[queue].take_marker()
        self.models[queue].marked = False
        self.cycle(self.workers[slot], [CycleRequest(queue, want, want, limits=self.limits[queue])], keep)

    def feed(self) -> None:
        """Store some jobs where few are left: also the histories in which nobody dispatches have work."""
        for name, model in self.models.items():
            if len(model.ids("w")) < 2 and len(model.jobs) < 12:
                self.enqueue(
                    name,
                    [("", 0, "", "", ("vip",)), ("", 1, "", "", ()), ("", 0, "", "99999999 k1", ())],
                    is_heard=True,
                )

    @precondition(lambda self: any(model.beats for model in self.models.values()))
    @rule(data=st.data(), max_recoveries=st.sampled_from([0, 1, 3, 3]), times=st.sampled_from([0, 1, 1, 2]))
    def silence(self, data: st.DataObject, max_recoveries: int, times: int) -> None:
        """A worker, dead or only stopped, is silent for longer than the lease; now or later its jobs are taken back."""
        known = [(name, worker) for name, model in self.models.items() for worker in model.beats]
        name, worker = data.draw(st.sampled_from(known), label="who")
        self.models[name].beats[worker] = self.count()
        self.client.zadd(self.drivers[name].keys["workers"], {worker: self.counter})
        for _ in range(times):
            self.reap(name, max_recoveries)

    @precondition(lambda self: any(model.ids("d") for model in self.models.values()))
    @rule(data=st.data())
    def time_passes(self, data: st.DataObject) -> None:
        """Some delayed jobs are due."""
        for name, model in self.models.items():
            delayed = model.ids("d")
            for local_id in delayed[: data.draw(st.integers(1, 4), label="how many")]:
                self.drivers[name].make_due(local_id)
                model.jobs[local_id].due_ms = self.drivers[name].state(local_id).due_ms

    @rule(data=st.data(), queue=queues, what=st.sampled_from([*FIT, "retry"]))
    def operate(self, data: st.DataObject, queue: str, what: str) -> None:
        """An operator changes jobs, some of which are in the wrong state, or gone; some calls are sent twice."""
        model = self.models[queue]
        fit = [local_id for local_id, job in model.jobs.items() if job.state in FIT[what]]
        ids = data.draw(
            st.sets(st.sampled_from([*fit * 3, *model.jobs, "unknown"]), min_size=1, max_size=3).map(sorted)
        )
        for _ in range(data.draw(st.sampled_from([1, 1, 2]), label="times")):
            if what in ("cancel", "undo"):
                self.cancel(queue, ids)
            if what in ("retry", "undo"):
                assert self.drivers[queue].retry(*ids) == model.retry(ids)
            if what == "delete":
                assert self.drivers[queue].delete(*ids) == model.delete(ids)
            if what == "promote":
                assert self.drivers[queue].promote(*ids) == model.promote_early(ids)

    def cancel(self, queue: str, ids: list[str]) -> None:
        """An operator cancels jobs."""
        driver = self.drivers[queue]
        before = driver.cancel(*ids)
        ended = [each for each, state in zip(ids, before, strict=True) if state in ("w", "d")]
        now_ms = driver.state(ended[0]).finished_ms if ended else 0
        assert before == self.models[queue].cancel(ids, now_ms)

    @rule(data=st.data(), what=st.sampled_from(["log", "log", "reschedule", "pause", "resume", "resume"]), queue=queues)
    def touch(self, data: st.DataObject, what: str, queue: str) -> None:
        """A job logs, an operator gives a delayed one another time, or a queue is paused, or resumed."""
        driver, model = self.drivers[queue], self.models[queue]
        if what == "pause":
            driver.pause("a reason")
            model.paused = True
        elif what == "resume":
            assert driver.resume() == model.resume()
        else:
            local_id = data.draw(st.sampled_from([*model.ids("d"), *sorted(model.jobs), "unknown"]), label="id")
            if what == "log":
                exists = local_id in model.jobs
                assert (driver.log(local_id, "line"), driver.progress(local_id, 1, 2)) == (exists, exists)
                model.logged.update({local_id} & set(model.jobs))
            else:
                due_ms = data.draw(st.sampled_from([NEVER_MS, self.count()]), label="due")
                assert driver.reschedule(local_id, due_ms) == model.reschedule(local_id, due_ms)

    @rule(what=st.sampled_from(["recall", "crash", "leave", "marker", "flush", "hour"]), queue=queues, slot=slots)
    def accident(self, what: str, queue: str, slot: int) -> None:
        """What may come between any two transitions."""
        driver, model = self.drivers[queue], self.models[queue]
        match what:
            case "recall":
                self.recall(self.workers[slot], queue)
            case "crash" | "leave":
                self.end(slot, is_orderly=what == "leave")
            case "marker":  # a worker dies that popped it
                driver.take_marker()
                model.marked = False
            case "flush":
                self.client.script_flush()
            case "hour":
                for local_id in model.remembered:
                    self.client.delete(driver.keys[f"id:{local_id}"])
                model.remembered.clear()
                for key, (local_id, _) in model.locks.items():
                    self.client.hset(driver.keys["unique"], key, f"{local_id} 0")
                model.locks_run_out()
                driver.age_claims(HOUR_MS + 1)
                model.claims = 0

    def recall(self, worker: Worker, queue: str) -> None:
        """A worker asks for what it holds without knowing."""
        known = worker.of(queue)
        found = self.drivers[queue].transitions.held(self.client, queue, worker.name, list(known))
        held = self.models[queue].held(worker.name)
        expected = {job.local_id: job.number for job in held if job.local_id not in known}
        assert {job.local_id: job.state.number for job in found} == expected
        for job in found:
            worker.runs[queue, job.local_id] = (job.state.number, job.state.started_ms > 0)

    def end(self, slot: int, *, is_orderly: bool) -> None:
        """A worker dies with all it knows, or signs off first; another one takes its place."""
        name = self.workers[slot].name
        self.workers[slot] = Worker(f"w{slot}.{self.count()}")
        if is_orderly:
            self.drivers[QUEUES[0]].transitions.leave(self.client, QUEUES, name)
            for model in self.models.values():
                if not model.held(name):
                    model.beats.pop(name, None)

    def cycle(self, worker: Worker, requests: list[CycleRequest], keep: Retention, *, is_heard: bool = True) -> None:
        """One round trip of a worker."""
        replies = self.drivers[QUEUES[0]].transitions.cycle(self.client, worker.name, keep, requests)
        for request, reply in zip(requests, replies, strict=True):
            assert isinstance(reply, CycleReply), reply
            self.follow(worker, request, reply, keep)
            if is_heard:
                self.learn(worker, request, reply)

    def request(self, worker: Worker, name: str, data: st.DataObject) -> CycleRequest:
        """Some of the worker's runs have ended, some have started; the last to end is settled twice at times."""
        runs = worker.of(name)
        settlements, started = [], []
        for local_id, (number, has_started) in sorted(runs.items()):
            outcome = data.draw(st.sampled_from(endings), label=f"{name}:{local_id} ends")
            if not has_started and data.draw(st.booleans(), label="has started"):
                started.append((local_id, number))
            if outcome is not None:
                settlements.append(Settlement(local_id, number, 0, outcome))
        if settlements and data.draw(st.integers(0, 3), label="again") == 0:
            settlements.append(settlements[-1])
        want = data.draw(st.sampled_from([2, 4, 1, 9, 0]), label="want")
        idle = data.draw(st.integers(0, want), label="idle")
        return CycleRequest(name, want, idle, settlements, started, self.limits[name])

    def follow(self, worker: Worker, request: CycleRequest, reply: CycleReply, keep: Retention) -> None:
        """The model does the same, and must come to the same reply."""
        model, now_ms = self.models[request.queue], reply.now_ms
        model.beats[worker.name] = now_ms
        late = model.start(worker.name, request.started, now_ms)
        late += model.settle(worker.name, request.settlements, now_ms)
        model.trim(keep, now_ms)
        model.promote(now_ms)
        claimed, closed = model.claim(worker.name, request.want, request.idle, now_ms, request.limits)
        assert {0: "", -1: "marker"}.get(reply.opens_ms, "rate") == closed
        assert sorted(reply.late) == sorted(late)
        assert [(job.local_id, job.state.number) for job in reply.claimed] == claimed
        assert (reply.left, reply.held) == (model.listed(), len(model.held(worker.name)))
        assert reply.oldest_beat_ms == min(model.beats.values())

    def learn(self, worker: Worker, request: CycleRequest, reply: CycleReply) -> None:
        """The worker heard the reply: what it settled or lost is gone, what it claimed is its own."""
        for local_id, number in request.started:
            worker.runs[request.queue, local_id] = (number, True)
        for local_id in [*(each.local_id for each in request.settlements), *reply.late]:
            worker.runs.pop((request.queue, local_id), None)
        for job in reply.claimed:
            worker.runs[request.queue, job.local_id] = (job.state.number, job.state.started_ms > 0)

    def reap(self, name: str, max_recoveries: int) -> None:
        """Somebody takes back what the longest silent worker held."""
        driver, model = self.drivers[name], self.models[name]
        reaped = driver.reap(max_recoveries=max_recoveries)
        recovered, given_up = model.reap(LEASE_MS, max_recoveries, reaped.now_ms)
        assert (reaped.recovered, sorted(reaped.given_up)) == (len(recovered), sorted(given_up))
        for level, actual in self.levels(snapshot(self.client, driver.keys)).items():
            model.adopt(level, actual, [local_id for local_id in recovered if model.jobs[local_id].state == "w"])
        for local_id in recovered:
            if model.jobs[local_id].state == "d":  # its pause is so short that time itself would end it
                assert driver.reschedule(local_id, NEVER_MS) == model.reschedule(local_id, NEVER_MS)

    @invariant()
    def redis_is_what_the_model_says(self) -> None:
        """Every queue is whole, and every job is where and what it should be."""
        for name, driver in self.drivers.items():
            found, model = snapshot(self.client, driver.keys), self.models[name]
            check_snapshot(found)
            assert seen(found) == expected(model)
            assert self.levels(found) == {level: ids for level, ids in model.levels.items() if ids}
            assert {job.decode() for job in found.remembered} == model.remembered
            locks = {key.decode(): job.decode() for key, job in found.locks.items()}
            assert locks == {key: local_id for key, (local_id, _) in model.locks.items()}
            assert {worker.decode(): beat for worker, beat in found.scores["workers"]} == model.beats
            assert found.wake or not model.marked, f"nobody will be woken for {model.levels}"

    def levels(self, found: Snapshot) -> dict[int, list[str]]:
        """Priority → ids in the order in which they will run."""
        levels: dict[int, list[str]] = {0: [job.decode() for job in found.waiting]} if found.waiting else {}
        for job, score in found.scores["prioritized"]:
            levels.setdefault(-round(score / 2**44), []).append(job.decode())
        return levels


def check_store(client: Client, *, examples: int, steps: int) -> None:
    """Run so many random histories of so many steps."""
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    on_this_server = type("OnThisServer", (Store,), {"client": client})
    run_state_machine_as_test(on_this_server, settings=profile)


def test_no_history_breaks_a_queue(redis_client: Client) -> None:
    """Some dozens of histories, on every run of the suite."""
    check_store(redis_client, examples=50, steps=40)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_long_history_breaks_a_queue(redis_client: Client) -> None:
    """Thousands, and longer ones, in parts: Hypothesis remembers the histories of one run, hundreds of megabytes."""
    for _ in range(8):
        check_store(redis_client, examples=250, steps=60)
