"""All queues, and one: how they fare and are set up, pausing, cleaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...config import Config, Queue
from ...errors import QueueError
from ...record import JobState
from ..desk import Desk
from . import trends
from .advice import advise_queue
from .overview import rows

#: States whose jobs can be deleted: active ones belong to their workers.
CLEANABLE = [state.value for state in JobState if state is not JobState.ACTIVE]
UNFINISHED = ("waiting", "delayed")
#: Ages to choose from when cleaning: name in the address → seconds, words.
AGES = {"any": (0, "any age"), "1h": (3600, "1 hour"), "1d": (86_400, "1 day"), "7d": (604_800, "7 days")}
#: Jobs deleted by one request, so that none takes long.
AT_ONCE = 10_000
#: Unfinished jobs that one request looks at for their age, as they are in no order of it: about a second.
MOST_LOOKED_AT = 100_000
#: Characters of the reason for a pause.
LONGEST_REASON = 200
#: Processes and job classes listed for a queue.
MOST = 50


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What a visitor wants to delete, and is asked about first."""

    state: str
    age: str

    @property
    def age_s(self) -> int:
        """Seconds that the jobs must be old."""
        return AGES[self.age][0]

    @property
    def words(self) -> str:
        """What it is about: `completed jobs that finished more than 1 day ago`."""
        if not self.age_s:
            return f"{self.state} jobs"
        began = "were dispatched" if self.state in UNFINISHED else "finished"
        return f"{self.state} jobs that {began} more than {AGES[self.age][1]} ago"

    def why_not(self, queue: str, count: int) -> str:
        """Why a page cannot delete them where a queue has so many in this state; empty where it can."""
        if not self.age_s or self.state not in UNFINISHED or count <= MOST_LOOKED_AT:
            return ""
        command = f"flask queue clean {queue} --state {self.state} --older-than {self.age}"
        return f"{count:,} jobs are too many to look at for their age here. Run this instead: {command}"


def all_queues(desk: Desk, args: Mapping[str, str]) -> dict[str, Any]:
    """What the template wants."""
    span = trends.chosen(args)
    survey = desk.monitor.survey(minutes=span.minutes, step_minutes=span.step_minutes)
    return {
        "title": "Queues",
        "span": span.name,
        "ranges": list(trends.RANGES),
        "queues": rows(survey, desk.monitor.workers()),
        "settings": [(queue.name, *limits(queue)) for queue in desk.config.queues.values()],
    }


def one_queue(desk: Desk, name: str, args: Mapping[str, str]) -> dict[str, Any]:
    """What the template wants."""
    span = trends.chosen(args)
    survey = desk.monitor.survey(name, minutes=span.minutes, step_minutes=span.step_minutes)
    (queue,), cleaning = survey.queues, _cleaning(args)
    workers = [worker for worker in desk.monitor.workers() if name in worker.queues]
    threads = sum(worker.queues[name] for worker in workers)
    jobs = sorted(actor.actor_name for actor in desk.broker.actors.values() if actor.queue_name == name)
    return {
        "title": name,
        "queue": queue,
        "span": span.name,
        "ranges": list(trends.RANGES),
        "charts": trends.charts(survey.metrics, span),
        "warnings": list(advise_queue(queue, threads)),
        "threads": threads,
        "workers": [(each, sum(run.queue == name for run in each.running)) for each in workers[:MOST]],
        "worker_count": len(workers),
        "jobs": jobs[:MOST],
        "job_count": len(jobs),
        "concurrency": desk.config.queues[name].concurrency,
        "limits": limits(desk.config.queues[name]),
        "retention": retention(desk.config),
        "longest_reason": LONGEST_REASON,
        "cleanable": [(state, queue.counts[state]) for state in CLEANABLE],
        "ages": [(age, words) for age, (_, words) in AGES.items()],
        "cleaning": cleaning,
        "why_not_clean": cleaning.why_not(name, queue.counts[cleaning.state]) if cleaning else "",
        "at_once": AT_ONCE,
    }


def limits(queue: Queue) -> tuple[int, str, str]:
    """Threads of a process, and the limits over all of them; empty where there is none."""
    rate = queue.rate_limit
    return (
        queue.concurrency,
        f"{rate.limit:,} in {rate.per_s:g} s" if rate else "",
        f"{queue.max_running:,} at a time" if queue.max_running else "",
    )


def retention(config: Config) -> list[tuple[str, int, float]]:
    """Of finished states: what they are, how many are kept, for how long (ms)."""
    return [
        ("Completed", config.keep_completed, 1000 * config.keep_completed_s),
        ("Failed", config.keep_failed, 1000 * config.keep_failed_s),
        ("Cancelled", config.keep_failed, 1000 * config.keep_failed_s),
    ]


def change(desk: Desk, name: str, verb: str, form: Mapping[str, str]) -> str:
    """Do it; what to tell the visitor."""
    if verb == "pause":
        reason = " ".join(form.get("reason", "").split())
        if len(reason) > LONGEST_REASON:
            raise QueueError(f"Not paused: the reason has {len(reason)} characters, at most {LONGEST_REASON} are kept.")
        desk.operations.pause(name, reason)
        return f"{name} is paused: workers take none of its jobs until it is resumed."
    desk.operations.resume(name)
    return f"{name} is resumed."


def clean(desk: Desk, name: str, form: Mapping[str, str]) -> tuple[str, bool]:
    """Delete some; what to tell the visitor, and whether that was all.

    Raises:
        QueueError: the form names no state or age that there is, or there are too many to look at.
    """
    wanted = _cleaning({"clean": form.get("state", ""), "age": form.get("age", "")})
    if wanted is None:
        raise QueueError(f"Nothing was deleted: choose one of {', '.join(CLEANABLE)}, and one of the ages.")
    if wanted.age_s and (reason := wanted.why_not(name, desk.monitor.survey(name).queues[0].counts[wanted.state])):
        raise QueueError(f"Nothing was deleted: {reason}")
    count = desk.operations.clean(name, state=wanted.state, older_than_s=wanted.age_s, limit=AT_ONCE)
    told = f"{count:,} {wanted.state} {'job' if count == 1 else 'jobs'} of {name} deleted."
    return (told, True) if count < AT_ONCE else (f"{told} Press again for the rest.", False)


def _cleaning(args: Mapping[str, str]) -> Cleaning | None:
    state, age = args.get("clean", ""), args.get("age", "any")
    return Cleaning(state, age) if state in CLEANABLE and age in AGES else None
