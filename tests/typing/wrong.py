"""A user's program in which type checkers must refuse every marked line, and no other. It is checked, not run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask_queue import Job, JobRecord, Queue, RateLimit


class SendWelcomeEmail(Job):
    def handle(self, user_id: int, *, plan: str = "free", tags: list[str] | None = None) -> None:
        self.progress("half")  # type: ignore[arg-type]


class ImportContacts(Job):
    async def handle(self, path: str, skip: int = 0) -> int:
        print(self.attempts)  # type: ignore[attr-defined]
        return skip


class Nothing(Job):
    def handle(self) -> None: ...


class WithoutHandle(Job):
    max_retries = 3


class WrongAttributes(Job):
    max_retries = "5"  # type: ignore[assignment]
    backoff = 5  # type: ignore[assignment]
    retry_on = (ConnectionError, "TimeoutError")  # type: ignore[assignment]
    unique_for_s = "60"  # type: ignore[assignment]
    max_age_s = [60]  # type: ignore[assignment]  # noqa: RUF012

    def handle(self) -> None: ...


class WrongKey(Job):
    @staticmethod
    def unique_by(**payload: Any) -> int:  # type: ignore[override]
        return len(payload)

    def handle(self) -> None: ...


# Missing, surplus and misspelt arguments.
SendWelcomeEmail.dispatch()  # type: ignore[call-arg]
SendWelcomeEmail.dispatch(1, user=1)  # type: ignore[call-arg]
SendWelcomeEmail.dispatch(user_id=1, plans="free")  # type: ignore[call-arg]
SendWelcomeEmail.dispatch(1, "free")  # type: ignore[call-arg]
SendWelcomeEmail.dispatch(1, user_id=1)  # type: ignore[misc]
Nothing.dispatch(1)  # type: ignore[call-arg]
Nothing.dispatch(user_id=1)  # type: ignore[call-arg]

# Arguments of a wrong type.
SendWelcomeEmail.dispatch("1")  # type: ignore[arg-type]
SendWelcomeEmail.dispatch(user_id=None)  # type: ignore[arg-type]
SendWelcomeEmail.dispatch(user_id=1, plan=7)  # type: ignore[arg-type]
SendWelcomeEmail.dispatch(1, tags=[1])  # type: ignore[list-item]
SendWelcomeEmail.dispatch({"user_id": 1})  # type: ignore[arg-type]

# The same for async handles.
ImportContacts.dispatch()  # type: ignore[call-arg]
ImportContacts.dispatch(path=1)  # type: ignore[arg-type]
ImportContacts.dispatch("contacts.csv", skip="3")  # type: ignore[arg-type]

# Options, and dispatch behind options.
SendWelcomeEmail.options(delay=60).dispatch(1)  # type: ignore[call-arg]
SendWelcomeEmail.options(delay_s="60").dispatch(1)  # type: ignore[arg-type]
SendWelcomeEmail.options(60).dispatch(1)  # type: ignore[call-arg]
SendWelcomeEmail.options(at="tomorrow").dispatch(1)  # type: ignore[arg-type]
SendWelcomeEmail.options(at=datetime.now, priority=1).dispatch(1)  # type: ignore[arg-type]
SendWelcomeEmail.options(job_id=7).dispatch(1)  # type: ignore[arg-type]
SendWelcomeEmail.options(unique_for_s="60").dispatch(1)  # type: ignore[arg-type]
SendWelcomeEmail.options(unique_key=7).dispatch(1)  # type: ignore[arg-type]
SendWelcomeEmail.options(max_age_s=60).dispatch(1)  # type: ignore[call-arg]
SendWelcomeEmail.options(priority=1).dispatch()  # type: ignore[call-arg]
SendWelcomeEmail.options(priority=1).dispatch(user_id="1")  # type: ignore[arg-type]
ImportContacts.options().dispatch(paths="x")  # type: ignore[call-arg]

# Many.
SendWelcomeEmail.dispatch_many([1, 2])  # type: ignore[list-item]
SendWelcomeEmail.dispatch_many({"user_id": 1})  # type: ignore[dict-item]
SendWelcomeEmail.dispatch_many([{"user_id": 1}], job_ids=[7])  # type: ignore[list-item]

# A class without handle cannot be dispatched.
WithoutHandle.dispatch()  # type: ignore[arg-type]
WithoutHandle.options()  # type: ignore[arg-type]
WithoutHandle.dispatch_many([])  # type: ignore[arg-type]
Job.dispatch()  # type: ignore[arg-type]

# What comes back, and what is passed on.
number: int = SendWelcomeEmail.dispatch(1)  # type: ignore[assignment]
print(SendWelcomeEmail.dispatch(1).status)  # type: ignore[attr-defined]
send: Callable[[str], JobRecord] = SendWelcomeEmail.dispatch  # type: ignore[arg-type]

# Declarations.
Queue("emails", 4)  # type: ignore[call-arg]
Queue("emails", rate_limit="100/60s")  # type: ignore[arg-type]
RateLimit(100, 60)  # type: ignore[call-arg]
