"""Makes each registered Job class an actor of an app's broker, after checking it."""

from __future__ import annotations

import inspect
from asyncio import CancelledError
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from dramatiq.asyncio import async_to_sync
from dramatiq.middleware import Interrupt

from .config import parse_backoff
from .current import current_run
from .dispatch import signature_of
from .environment import number, seconds, whole
from .errors import JobCancelled, QueueError, Release, Retry
from .job import Job
from .message import BoundActor
from .options import MAX_PRIORITY, MIN_PRIORITY
from .payload import check_payload
from .retry import RetryPolicy

if TYPE_CHECKING:
    from .broker import QueueBroker

#: Longer names are no names, and names are stored with every job.
MAX_NAME = 200
#: Methods that the class may have, with one argument each.
HOOKS = ("on_completed", "on_failed")
#: Larger than any default of a parameter needs to be.
MAX_DEFAULT_BYTES = 1 << 20

#: What ends a run without its having failed, as Dramatiq's `throws` tells monitoring tools; ours needs no telling.
_EXPECTED: Mapping[str, Any] = {"throws": (Retry, Release, JobCancelled, CancelledError, Interrupt)}

#: Attribute → what raises ValueError if it is wrong.
_CHECKS: Mapping[str, Callable[[Any], object]] = {
    "max_retries": lambda value: value is None or number(value, whole(0)),
    "backoff": lambda value: value is None or parse_backoff(value),
    "timeout_s": lambda value: value is None or number(value, seconds(above=True)),
    "unique_for_s": lambda value: value is None or number(value, seconds(above=True)),
    "max_age_s": lambda value: value is None or number(value, seconds(above=True)),
    "priority": lambda value: number(value, whole(MIN_PRIORITY, MAX_PRIORITY)),
}


class JobActor(BoundActor[Any, Any]):
    """A Job class as an actor: a call makes an instance for the current run, and runs its `handle`."""

    def __init__(self, job_class: type[Job], broker: QueueBroker) -> None:
        self.job_class = job_class
        self.signature = signature_of(job_class)
        takes = self.signature.parameters
        #: What `handle` takes, in order, with its defaults; None where it has none.
        self.defaults = {name: None if one.default is one.empty else one.default for name, one in takes.items()}
        self.required = frozenset(name for name, one in takes.items() if one.default is one.empty)
        self.max_age_s = job_class.max_age_s
        #: The hooks that the class has: names of methods.
        self.hooks = frozenset(name for name in HOOKS if getattr(job_class, name) is not getattr(Job, name))
        self._config = broker.config
        self._timeout_s = broker.config.timeout_s if job_class.timeout_s is None else job_class.timeout_s
        self.is_async = inspect.iscoroutinefunction(job_class.handle)  # type: ignore[attr-defined]
        limit = job_class.max_retries
        super().__init__(
            job_class.handle,  # type: ignore[attr-defined]
            broker=broker,
            actor_name=job_class.name,
            queue_name=job_class.queue_name,
            # Dramatiq runs lower numbers first.
            priority=-job_class.priority,
            options={**_EXPECTED} if limit is None else {**_EXPECTED, "max_retries": limit},
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `handle`; without Dramatiq's two log calls, which took a fifth of a short run."""
        result = self.fn(self.make_job(), *args, **kwargs)
        if type(result) is CoroutineType:
            # A decorator hid that `handle` is `async`.
            return async_to_sync(lambda: result)()
        return result

    def make_job(self) -> Job:
        """A new instance for the current run, which knows it from then on."""
        job = self.job_class()
        run = job._run = current_run()
        if run is not None and self.hooks:
            run.job = job
        return job

    def retry_policy(self, options: Mapping[str, Any]) -> RetryPolicy:
        """What a job with these message options does about failures: they win over the class, and it over the app."""
        job = self.job_class
        return RetryPolicy(
            max_retries=_first(options.get("max_retries"), job.max_retries, self._config.max_retries),
            backoff=self._config.backoff if job.backoff is None else parse_backoff(job.backoff),
            retry_on=None if job.retry_on is None else _error_types(job.retry_on),
            fail_on=_error_types(job.fail_on),
        )

    def timeout_s(self, options: Mapping[str, Any]) -> float:
        """Seconds that a run of a job with these message options may take."""
        timeout_s: float | None = options.get("timeout_s")
        return self._timeout_s if timeout_s is None else timeout_s


def declare(broker: QueueBroker, job_class: type[Job]) -> JobActor:
    """The actor of a checked Job class on a broker; made unless it exists."""
    actor = broker.actors.get(job_class.name)
    return actor if isinstance(actor, JobActor) else JobActor(job_class, broker)


def check_jobs(jobs: Iterable[object], *, queues: Collection[str], actors: Mapping[str, object]) -> list[str]:
    """Everything that is wrong with Job classes that are about to be registered.

    Args:
        jobs: what the user gave.
        queues: names of the configured queues.
        actors: those that the app has already.
    """
    faults: list[str] = []
    taken: dict[str, object] = {name: getattr(actor, "job_class", actor) for name, actor in actors.items()}
    for job in jobs:
        if not isinstance(job, type) or not issubclass(job, Job) or job is Job:
            faults.append(f"{job!r} is no subclass of flask_queue.Job: register the class itself")
            continue
        other = taken.setdefault(str(job.name), job)
        if other is not job:
            faults.append(f"{_place(job)} and {_place(other)} are both named {job.name!r}: set `name` on one of them")
        faults += [f"{_place(job)}: {fault}" for fault in _faults(job, queues)]
    return faults


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _error_types(types: type[BaseException] | Sequence[type[BaseException]]) -> tuple[type[BaseException], ...]:
    return (types,) if isinstance(types, type) else tuple(types)


def _place(job: object) -> str:
    if isinstance(job, type):
        return f"{job.__module__}.{job.__qualname__}"
    return f"the actor {getattr(job, 'actor_name', job)}"


def _faults(job: type[Job], queues: Collection[str]) -> Iterator[str]:
    if not _is_name(job.name):
        yield f"name {job.name!r}: give a text of at most {MAX_NAME} characters without spaces"
    if job.queue_name not in queues:
        yield f"no queue {job.queue_name!r} is configured ({', '.join(queues)}): add it, or correct queue_name"
    yield from _number_faults(job)
    for attribute in ("retry_on", "fail_on"):
        if (value := getattr(job, attribute)) is not None and not _is_error_types(value):
            yield f"{attribute} {value!r}: give exception classes, as in (ConnectionError, TimeoutError)"
    after_commit: object = job.after_commit
    if not isinstance(after_commit, bool | None):
        yield f"after_commit {after_commit!r}: give True or False"
    yield from _handle_faults(job)
    for name in ("unique_by", "tags"):
        yield from _static_faults(job, name)
    yield from (fault for name in HOOKS for fault in _hook_faults(job, name))


def _is_name(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= MAX_NAME and name.isprintable() and " " not in name


def _number_faults(job: type[Job]) -> Iterator[str]:
    for attribute, check in _CHECKS.items():
        value = getattr(job, attribute)
        try:
            check(value)
        except ValueError as error:
            yield f"{attribute} {value!r}: {error}"


def _is_error_types(value: object) -> bool:
    types = value if isinstance(value, list | tuple) else [value]
    return all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in types)


def _handle_faults(job: type[Job]) -> Iterator[str]:
    handle = inspect.getattr_static(job, "handle", None)
    if handle is None:
        yield "it has no handle method"
    elif isinstance(handle, staticmethod | classmethod) or not callable(handle):
        yield "handle must be a plain method with self"
    elif inspect.isgeneratorfunction(handle) or inspect.isasyncgenfunction(handle):
        yield "handle must not yield: nobody would run the generator that it returns"
    elif not inspect.signature(handle).parameters:
        yield "handle needs self as its first parameter"
    else:
        yield from _parameter_faults(job)


def _static_faults(job: type[Job], name: str) -> Iterator[str]:
    """What is wrong with a method that takes the payload."""
    if not isinstance(inspect.getattr_static(job, name), staticmethod):
        yield f"{name} must be a static method: put @staticmethod above it"
    elif callable(getattr(job, "handle", None)):
        try:
            inspect.signature(getattr(job, name)).bind(**dict.fromkeys(signature_of(job).parameters))
        except TypeError as error:
            yield f"{name} must take the parameters of handle by name, or **payload ({error})"


def _hook_faults(job: type[Job], name: str) -> Iterator[str]:
    hook = inspect.getattr_static(job, name)
    if isinstance(hook, staticmethod | classmethod) or not callable(hook):
        yield f"{name} must be a plain method with self"
    elif inspect.isgeneratorfunction(hook) or inspect.isasyncgenfunction(hook):
        yield f"{name} must not yield: nobody would run the generator that it returns"
    else:
        try:
            inspect.signature(hook).bind(None, None)
        except TypeError as error:
            yield f"{name} must take self and one argument ({error})"


def _parameter_faults(job: type[Job]) -> Iterator[str]:
    defaults = {}
    for name, parameter in signature_of(job).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            yield f"handle must name its parameters, without *args and **kwargs (found {parameter})"
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            yield f"the parameter {name!r} of handle is positional-only, but payloads go by name: remove the /"
        elif parameter.default is not parameter.empty:
            defaults[name] = parameter.default
    try:
        check_payload(job.name, defaults, max_bytes=MAX_DEFAULT_BYTES)
    except QueueError as error:
        yield f"a default of handle does not fit in a payload, {error}"
    try:
        inspect.signature(job).bind()
    except TypeError as error:
        yield f"__init__ must work without arguments, as a new instance is made for every run ({error})"
