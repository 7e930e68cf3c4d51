"""Which Job classes may be registered, and what actors they become."""

from __future__ import annotations

from typing import Any

import dramatiq
import pytest

from flask_queue.backoff import Backoff
from flask_queue.config import DEFAULT_BACKOFF
from flask_queue.errors import JobCancelled, Release, Retry
from flask_queue.job import Job
from flask_queue.registry import JobActor, check_jobs, declare
from flask_queue.retry import RetryPolicy
from flask_queue.worker.executor import Interrupted
from tests.unit.jobs import make_broker


def job(**attributes: Any) -> type[Job]:
    """A Job class with these attributes."""
    body = {"handle": lambda self: None, **attributes}
    return type("Made", (Job,), body)


def faults(*jobs: object) -> list[str]:
    return check_jobs(jobs, queues=["default", "emails"], actors={})


def test_a_job_becomes_an_actor() -> None:
    """Name, queue and priority are the class's; Dramatiq's priority runs the other way."""
    made = job(name="mail", queue_name="emails", priority=7, max_retries=2)
    broker = make_broker(made)
    actor = broker.get_actor("mail")
    assert isinstance(actor, JobActor)
    assert (actor.job_class, actor.queue_name, actor.priority) == (made, "emails", -7)
    assert actor.options["max_retries"] == 2
    # Sentry, and others that know Dramatiq's option, report none of these.
    assert all(issubclass(ending, actor.options["throws"]) for ending in (Retry, Release, JobCancelled, Interrupted))
    assert declare(broker, made) is actor


def test_right_attributes() -> None:
    """Every documented value passes."""
    assert not faults(
        job(
            name="a.b-c",
            max_retries=0,
            backoff=[0, 1.5],
            timeout_s=0.5,
            priority=-100,
            retry_on=[OSError],
            fail_on=KeyError,
            after_commit=True,
            unique_for_s=None,
            max_age_s=None,
        ),
        job(name="u", unique_for_s=0.5, max_age_s=60, unique_by=staticmethod(lambda **payload: "")),
        type("Other", (Job,), {"handle": lambda self, a, *, b=(None): None, "backoff": Backoff.exponential(1, 2)}),
    )


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"name": ""}, "name ''"),
        ({"name": "a b"}, "without spaces"),
        ({"name": "a\nb"}, "without spaces"),
        ({"name": 7}, "name 7"),
        ({"name": "x" * 201}, "200 characters"),
        ({"queue_name": "images"}, "no queue 'images' is configured (default, emails)"),
        ({"max_retries": -1}, "max_retries -1: give a whole number of at least 0"),
        ({"max_retries": "3"}, "max_retries '3': give a number, not a text"),
        ({"backoff": 5}, "backoff 5: give a list"),
        ({"backoff": []}, "backoff []"),
        ({"backoff": [-1]}, "backoff [-1]"),
        ({"timeout_s": 0}, "timeout_s 0"),
        ({"priority": 101}, "priority 101: give a whole number from -100 to 100"),
        ({"priority": None}, "priority None"),
        ({"retry_on": (int,)}, "retry_on"),
        ({"retry_on": "OSError"}, "retry_on"),
        ({"fail_on": (OSError, "x")}, "fail_on"),
        ({"fail_on": OSError()}, "fail_on"),
        ({"unique_for_s": 0}, "unique_for_s 0: give a number of seconds, more than 0"),
        ({"unique_for_s": "60"}, "unique_for_s '60': give a number, not a text"),
        ({"max_age_s": -1}, "max_age_s -1: give a number of seconds, more than 0"),
        ({"unique_by": lambda **payload: ""}, "put @staticmethod above it"),
        ({"unique_by": classmethod(lambda cls, **payload: "")}, "put @staticmethod above it"),
        ({"unique_by": "user_id"}, "put @staticmethod above it"),
        ({"unique_by": staticmethod(lambda user_id: "")}, "unique_by must take the parameters of handle by name"),
        (
            {"handle": lambda self, a, b=1: None, "unique_by": staticmethod(lambda a: "")},
            "or **payload (got an unexpected keyword argument 'b')",
        ),
        ({"after_commit": "yes"}, "after_commit 'yes': give True or False"),
        ({"tags": ["vip"]}, "tags must be a static method: put @staticmethod above it"),
        ({"tags": staticmethod(lambda user_id: [])}, "tags must take the parameters of handle by name"),
        ({"on_failed": lambda self: None}, "on_failed must take self and one argument"),
        ({"on_completed": lambda self, result, job: None}, "on_completed must take self and one argument"),
        ({"on_completed": staticmethod(lambda self, result: None)}, "on_completed must be a plain method with self"),
        ({"on_failed": None}, "on_failed must be a plain method with self"),
        ({"handle": None}, "no handle"),
        ({"handle": staticmethod(lambda a: None)}, "plain method"),
        ({"handle": classmethod(lambda cls, a: None)}, "plain method"),
        ({"handle": property(lambda self: None)}, "plain method"),
        ({"handle": lambda: None}, "self"),
        ({"handle": lambda self, *args: None}, "*args"),
        ({"handle": lambda self, **kwargs: None}, "**kwargs"),
        ({"handle": lambda self, a, /: None}, "positional-only"),
        ({"handle": lambda self, a, b=(1, 2): None}, "$.b: JSON cannot hold a tuple"),
        ({"__init__": lambda self, mailer: None}, "__init__ must work without arguments"),
    ],
)
def test_wrong_jobs(attributes: dict[str, Any], told: str) -> None:
    """Each fault says which class and what to do, and is the only one."""
    (fault,) = faults(job(**attributes))
    assert fault.startswith(f"{__name__}.Made: ")
    assert told in fault


def test_generators_are_refused() -> None:
    """A handle that yields would complete without having run."""

    class Yields(Job):
        def handle(self) -> Any:
            yield 1

    class YieldsAsync(Job):
        async def handle(self) -> Any:
            yield 1

    assert all("must not yield" in fault for fault in faults(Yields, YieldsAsync))
    assert len(faults(Yields, YieldsAsync)) == 2


def test_a_class_without_handle() -> None:
    """A subclass that forgot handle is refused."""

    class Empty(Job): ...

    assert "it has no handle method" in faults(Empty)[0]


@pytest.mark.parametrize("wrong", [Job, "SendWelcomeEmail", object, lambda: None, job()()])
def test_what_is_no_job(wrong: object) -> None:
    """Only subclasses of Job can be registered; an instance is none."""
    assert "register the class itself" in faults(wrong)[0]


def test_all_faults_are_told() -> None:
    """Several wrong classes with several faults each give all of them."""
    assert len(faults(job(queue_name="x", priority=999), 7, type("B", (Job,), {}))) == 4


def test_two_jobs_with_one_name() -> None:
    """Two classes with one name are refused, with both places; the same class twice is harmless."""
    one, two = job(name="mail"), job(name="mail")
    (fault,) = faults(one, two)
    assert "both named 'mail'" in fault
    assert not faults(one, one)


def test_a_job_named_like_an_actor() -> None:
    """A name that an actor of the app has already is taken."""
    broker = make_broker(job(name="first"))
    dramatiq.actor(actor_name="plain", broker=broker)(lambda: None)
    found = check_jobs([job(name="plain"), job(name="first")], queues=broker.queues, actors=broker.actors)
    assert "the actor plain" in found[0]
    assert "both named 'first'" in found[1]


@pytest.mark.parametrize(
    ("attributes", "options", "policy"),
    [
        ({}, {}, RetryPolicy(3, DEFAULT_BACKOFF)),
        ({"max_retries": 0, "backoff": [1]}, {}, RetryPolicy(0, Backoff.fixed([1]))),
        ({"max_retries": 5}, {"max_retries": 0}, RetryPolicy(0, DEFAULT_BACKOFF)),
        ({"retry_on": OSError, "fail_on": [KeyError]}, {}, RetryPolicy(3, DEFAULT_BACKOFF, (OSError,), (KeyError,))),
        ({"retry_on": ()}, {}, RetryPolicy(3, DEFAULT_BACKOFF, ())),
    ],
)
def test_retry_policy(attributes: dict[str, Any], options: dict[str, Any], policy: RetryPolicy) -> None:
    """A dispatch's options win over the class, and the class over the configuration."""
    actor = declare(make_broker(), job(**attributes))
    assert actor.retry_policy(options) == policy


def test_timeout() -> None:
    """A dispatch's time-out wins over the class's, and that over the configuration's."""
    broker = make_broker()
    assert declare(broker, job(name="a")).timeout_s({}) == 600
    actor = declare(broker, job(name="b", timeout_s=5))
    assert (actor.timeout_s({}), actor.timeout_s({"timeout_s": 2})) == (5, 2)
