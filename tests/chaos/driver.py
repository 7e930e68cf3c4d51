"""Dispatches jobs and does what operators do, as the seed says, and notes what came of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from flask_queue import JobNotFound, JobRecord, JobState, JobStateError, QueueUnavailable
from tests.chaos import program
from tests.chaos.journal import Action, Answer, Notes, Sent
from tests.chaos.program import MAX_RETRIES, Awaited, Limited, Plan, Planned, Rated, Single

#: Things to do in a second.
PER_S = 30.0
#: With more unsettled jobs than this, nothing is dispatched for a while.
BACKLOG = 400
JOBS: list[type[Planned]] = [*[Planned] * 5, Limited, Rated]
#: Few unique keys, which meet; and many, as the next job of a key would tidy up what the last one left.
KEYS = (4, 1000)
RECENT = 150


class Driver:
    """One thread's worth of random calls, inside the app's context.

    Args:
        seed: of all that is random.
        notes: where each call goes.
    """

    def __init__(self, seed: int, notes: Notes) -> None:
        self._random = Random(f"driver {seed}")
        self._notes = notes
        self._queue = program.queue
        self._recent: deque[str] = deque(maxlen=RECENT)
        self._paused: dict[str, float] = {}
        self._is_crowded = False
        self._looked_s = 0.0
        #: To be sent again under their own ids, as Redis was away.
        self._again: list[Callable[[], None]] = []
        self._numbers = 0
        self._deeds: list[tuple[int, Callable[[], None]]] = [
            (60, self._dispatch),
            (12, self._dispatch_single),
            (4, self._dispatch_many),
            (4, self._dispatch_named),
            (10, self._cancel),
            (4, self._promote),
            (3, self._reschedule),
            (3, self._retry),
            (1, self._retry_all),
            (1, self._delete),
            (1, self._pause),
            (2, self._send_again),
        ]

    def step(self) -> None:
        """Do one thing, and wait as long as there is until the next."""
        weights = [weight for weight, _ in self._deeds]
        [(_, deed)] = self._random.choices(self._deeds, weights)
        if not (self._is_crowded and deed.__name__.startswith("_dispatch")):
            deed()
        self._look()
        time.sleep(self._random.expovariate(PER_S))

    def heal(self) -> None:
        """Let all queues go on."""
        for queue in self._queue.broker.queues:
            self._queue.resume(queue)

    def _look(self) -> None:
        now_s = time.monotonic()
        for queue in [queue for queue, until_s in self._paused.items() if until_s <= now_s]:
            if self._call("resume", queue, partial(self._queue.resume, queue)) != "unsure":
                del self._paused[queue]
        if now_s >= self._looked_s + 1:
            self._looked_s = now_s
            try:
                counts = self._queue.counts().values()
            except QueueUnavailable:
                return
            self._is_crowded = sum(each[state] for each in counts for state in ("waiting", "delayed")) > BACKLOG

    def _plan(self) -> tuple[Plan, str]:
        """What a job does, and how it ends."""
        chance = self._random.random
        lasts_s = self._random.choices((0, 0.05, 0.3, 1, 5), (30, 30, 30, 9, 1))[0] * (0.5 + chance())
        failures = self._random.choices((0, 1, 2, MAX_RETRIES + 1), (80, 10, 6, 4))[0]
        plan = Plan(seconds=round(lasts_s, 3), failures=failures)
        if chance() < 0.04:
            plan["fails"] = True
        if chance() < 0.04:
            plan["releases"] = self._random.randint(1, 2)
        is_failure = failures > MAX_RETRIES or plan.get("fails")
        return plan, "failed" if is_failure else "completed"

    def _options(self) -> dict[str, float]:
        options: dict[str, float] = {}
        if self._random.random() < 0.2:
            options["delay_s"] = self._random.choice((0.1, 0.5, 2, 8)) * self._random.random()
        if self._random.random() < 0.2:
            options["priority"] = self._random.choice((-50, -1, 1, 50))
        return options

    def _dispatch(self) -> None:
        job: Any = self._random.choice(JOBS)
        plan, expected = self._plan()
        options = self._options()
        if job is Planned and self._random.random() < 0.25:
            job = Awaited
        else:
            plan["heeds"] = self._random.random() < 0.7
        self._send(lambda: job.options(**options).dispatch(**plan), expected)

    def _dispatch_single(self) -> None:
        job: Any = Single
        key = f"key-{self._random.randrange(self._random.choice(KEYS))}"
        plan, expected = self._plan()
        options = self._options()
        self._send(lambda: job.options(unique_key=key, **options).dispatch(**plan), expected, key)

    def _dispatch_many(self) -> None:
        plan, expected = self._plan()
        plans = [plan] * self._random.randint(2, 20)
        ids = [self._name() for _ in plans]
        queue = self._random.choice(JOBS).queue_name
        at_ns, answer = time.time_ns(), self._dispatch_all(queue, plans, ids)
        for job_id in ids:
            self._note_sent(Sent(f"{queue}:{job_id}", answer, at_ns, expected))

    def _dispatch_all(self, queue: str, plans: list[Plan], ids: list[str]) -> Answer:
        try:
            Planned.options(queue_name=queue).dispatch_many(plans, job_ids=ids)
        except QueueUnavailable:
            return "unsure"
        return "done"

    def _dispatch_named(self) -> None:
        """Under an id of its own, and then often the same once more."""
        plan, expected = self._plan()
        name = self._name()

        def send() -> None:
            self._send(lambda: Planned.options(job_id=name).dispatch(**plan), expected)

        send()
        if self._random.random() < 0.5:
            self._again.append(send)

    def _send_again(self) -> None:
        if self._again:
            self._again.pop(0)()

    def _send(self, dispatch: Callable[[], JobRecord], expected: str, key: str | None = None) -> None:
        at_ns = time.time_ns()
        try:
            record = dispatch()
        except QueueUnavailable as error:
            if error.job_id is not None:
                self._note_sent(Sent(error.job_id, "unsure", at_ns, expected, key))
            return
        if not record.deduplicated:
            self._note_sent(Sent(record.id, "done", at_ns, expected, key))

    def _note_sent(self, sent: Sent) -> None:
        self._notes.note(sent)
        self._recent.append(sent.job_id)

    def _name(self) -> str:
        self._numbers += 1
        return f"n{self._numbers}"

    def _cancel(self) -> None:
        state = self._random.choice((JobState.WAITING, JobState.DELAYED, JobState.ACTIVE, None))
        self._act("cancel", self._some_in(state) if state else self._some_recent(), self._queue.cancel)

    def _delete(self) -> None:
        self._act("delete", self._some_recent(), self._queue.delete)

    def _promote(self) -> None:
        self._act("promote", self._some_in(JobState.DELAYED), self._queue.promote)

    def _reschedule(self) -> None:
        at = datetime.now(UTC) + timedelta(seconds=self._random.uniform(-1, 4))
        self._act("reschedule", self._some_in(JobState.DELAYED), lambda job_id: self._queue.reschedule(job_id, at))

    def _retry(self) -> None:
        state = self._random.choice((JobState.FAILED, JobState.CANCELLED))
        self._act("retry", self._some_in(state), self._queue.retry)

    def _some_recent(self) -> str | None:
        return self._random.choice(self._recent) if self._recent else None

    def _some_in(self, state: JobState) -> str | None:
        try:
            queue = self._random.choice(list(self._queue.broker.queues))
            records = self._queue.jobs(state=state, queue=queue, limit=5).records
        except QueueUnavailable:
            return None
        return self._random.choice(records).id if records else None

    def _act(self, verb: str, job_id: str | None, act: Callable[[str], JobRecord | None]) -> None:
        if job_id is not None:
            self._call(verb, job_id, lambda: act(job_id))

    def _retry_all(self) -> None:
        if self._random.random() < 0.2:
            which = self._random.choice([{}, {"error": "RuntimeError"}, {"name": "Planned"}, {"tag": "failures:1"}])
            self._call("retry", "*", lambda: self._queue.retry_all(**which))

    def _pause(self) -> None:
        queue = self._random.choice(list(self._queue.broker.queues))
        if queue not in self._paused:
            self._paused[queue] = time.monotonic() + self._random.uniform(0.5, 3)
            self._call("pause", queue, lambda: self._queue.pause(queue))

    def _call(self, verb: str, target: str, call: Callable[[], object]) -> Answer:
        from_ns, state = time.time_ns(), ""
        answer: Answer = "done"
        try:
            result = call()
            state = result.state.value if isinstance(result, JobRecord) else ""
        except QueueUnavailable:
            answer = "unsure"
        except (JobStateError, JobNotFound):
            answer = "refused"
        self._notes.note(Action(verb, target, answer, from_ns, time.time_ns(), state))
        return answer
