"""FlaskQueue: reads the configuration, wires one broker for each app, registers jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload
from weakref import WeakSet, ref

from blinker import Signal
from dramatiq import Middleware
from flask import Flask, has_app_context

from .actors import P, QueueActor, R
from .bridges import Bridge, Map
from .broker import QueueBroker
from .calls import QueueCalls
from .config import Config, Queue
from .current import BROKER_KEY, broker_of, current_broker
from .errors import ConfigError, QueueError
from .job import Job
from .middleware import default_middleware
from .redis_url import parse_redis_url
from .registry import check_jobs, declare
from .store.connect import Resolve
from .store.store import Store
from .substitutes import Substitutes

if TYPE_CHECKING:
    from .testing import Fake, Inline

J = TypeVar("J", bound=type[Job])

#: Where an app keeps its extension.
EXTENSION_KEY = "queue"


class FlaskQueue(QueueCalls):
    """Background jobs for Flask apps. One extension serves several apps; one app has one extension.

    It keeps weak references to its apps, and nothing else of them: what belongs to an app is in `app.extensions`.

    Args:
        app: initialise it at once; else call `init_app` in its factory.
        queues: the queues of every app, unless its configuration says otherwise; none means `default` alone.
        jobs: the Job classes that can be dispatched.
        admin: the `flask_admin.Admin` that gets the dashboard; None for the app's only one, or one of its own at
            `/admin`; False for no dashboard.
        middleware: makes Dramatiq middleware, once for each app, which comes after that of `default_middleware`.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        queues: Iterable[Queue] = (),
        jobs: Iterable[type[Job]] = (),
        admin: object = None,
        middleware: Iterable[Callable[[], Middleware]] = (),
    ) -> None:
        self._queues = tuple(queues)
        self._jobs: list[type[Job]] = list(jobs)
        self._actors: list[QueueActor[Any, Any]] = []
        self._middleware = tuple(middleware)
        self._admin = admin
        self._substitutes = Substitutes()
        self._apps: WeakSet[Flask] = WeakSet()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Read the app's configuration and give it a broker. Connects to nothing.

        Args:
            app: gets it all; later changes of its configuration have no effect.

        Raises:
            ConfigError: something is wrong with configuration or jobs, or the app has a FlaskQueue already; all faults
                in one message, and the app is left as it was.
        """
        if EXTENSION_KEY in app.extensions:
            raise ConfigError([f"app {app.name!r} already has a FlaskQueue: call init_app once for each app"])
        config = self._check(app)
        broker = QueueBroker(config, _make_store(app, config), middleware=self._make_middleware(app))
        broker.app, broker.substitutes = ref(app), self._substitutes
        for actor in self._actors:
            actor.declare(broker)
        for job in self._jobs:
            declare(broker, job)
        if config.dashboard and self._admin is not False:
            # Imported only where there is a dashboard: Flask-Admin is large.
            from .admin.mount import mount

            mount(app, self._admin)
        app.extensions[EXTENSION_KEY] = self
        app.extensions[BROKER_KEY] = broker
        self._apps.add(app)

    @overload
    def register(self, job: J, /) -> J: ...

    @overload
    def register(self, *jobs: type[Job]) -> type[Job] | None: ...

    def register(self, *jobs: type[Job]) -> type[Job] | None:
        """Add Job classes, also to the apps that are initialised already. Works as a class decorator.

        Args:
            jobs: the classes.

        Returns: the class, if it was one.

        Raises:
            ConfigError: something is wrong with a class; none was added.
        """
        brokers = [broker_of(app) for app in self._apps]
        faults = [fault for broker in brokers for fault in check_jobs(jobs, queues=broker.queues, actors=broker.actors)]
        if faults:
            raise ConfigError(list(dict.fromkeys(faults)))
        self._jobs += [job for job in jobs if job not in self._jobs]
        for broker in brokers:
            for job in jobs:
                declare(broker, job)
        return jobs[0] if len(jobs) == 1 else None

    def actor(
        self, *, queue_name: str = "default", actor_name: str | None = None, **options: Any
    ) -> Callable[[Callable[P, R]], QueueActor[P, R]]:
        """Make a plain function an actor of every app, with Dramatiq's options.

        Args:
            queue_name: where its messages wait.
            actor_name: unique among jobs and actors; None for the function's name.
            options: as Dramatiq and its middleware know them, as `max_retries` and, in milliseconds, `time_limit`.

        Returns: a decorator; what it makes can be called, and has `send(…)`, `send_with_options(…)`, `message(…)` and
            `message_with_options(…)` with the function's own parameters.

        Raises:
            ConfigError: the name is taken, or the queue is not configured in an app.
            ValueError: Dramatiq, or its middleware, does not know an option.
        """

        def decorate(fn: Callable[P, R]) -> QueueActor[P, R]:
            made = QueueActor(fn, actor_name or fn.__name__, queue_name, options)
            brokers = [broker_of(app) for app in self._apps]
            faults = [fault for broker in brokers for fault in _actor_faults(made, broker.queues, broker.actors)]
            if faults:
                raise ConfigError(faults)
            self._actors.append(made)
            for broker in brokers:
                made.declare(broker)
            return made

        return decorate

    def on(self, signal: Signal, job: type[Job], map: Map) -> Bridge:
        """Dispatch a job whenever a signal is sent, on the current app if that is one of this extension's.

        Args:
            signal: of blinker, as Flask's own; it keeps the bridge alive.
            job: the class.
            map: called as a receiver, with the sender and by name all that the signal tells; returns the payload, or
                None for no job. What it raises, or the dispatch does, is raised where the signal is sent; what of
                `flask_queue.signals` is sent logs it.

        Returns: a handle, whose `disconnect()` ends it.
        """
        given: object = job
        if not isinstance(given, type) or not issubclass(given, Job):
            raise TypeError(f"queue.on(…, {job!r}, …): give a subclass of flask_queue.Job")
        return Bridge(signal, job, map, self._apps)

    @contextmanager
    def fake(self) -> Iterator[Fake]:
        """Record what is dispatched inside the block, on any of the apps and in any thread, and run nothing.

        No Redis is needed. Of several blocks, one in the other, the inner one counts.
        """
        # Imported only by tests.
        from .testing import Fake

        fake = Fake()
        with self._substitutes.using(fake):
            yield fake

    @contextmanager
    def inline(self) -> Iterator[Inline]:
        """Run what is dispatched inside the block at once, in the thread that does so, in an app context of its own.

        What a job raises is raised to the caller; nothing is delayed, retried, or interrupted by a time-out. No Redis
        is needed.
        """
        from .testing import Inline

        inline = Inline()
        with self._substitutes.using(inline):
            yield inline

    @property
    def broker(self) -> QueueBroker:
        """The current app's broker; outside of an app context that of the only app.

        Raises:
            QueueError: there is no context, and not exactly one app.
        """
        if has_app_context():
            return current_broker()
        apps = list(self._apps)
        if len(apps) != 1:
            raise QueueError(
                f"This FlaskQueue has {len(apps)} apps, so queue.broker needs an app context: "
                "use `with app.app_context():`."
            )
        return broker_of(apps[0])

    def _check(self, app: Flask) -> Config:
        """The app's settings, if these and all jobs are right."""
        faults: list[str] = []
        try:
            config = Config.from_app(app, self._queues)
            queues: Sequence[str] = list(config.queues)
        except ConfigError as error:
            faults += error.faults
            declared: Sequence[object] = self._queues
            queues = [queue.name for queue in declared if isinstance(queue, Queue)] or ["default"]
        for actor in self._actors:
            faults += _actor_faults(actor, queues, {})
        faults += check_jobs(self._jobs, queues=queues, actors={actor.actor_name: actor for actor in self._actors})
        if faults:
            raise ConfigError(faults)
        return config

    def _make_middleware(self, app: Flask) -> list[Middleware]:
        return [*default_middleware(app), *(make() for make in self._middleware)]


def _actor_faults(actor: QueueActor[Any, Any], queues: Iterable[str], actors: Iterable[str]) -> Iterable[str]:
    if actor.queue_name not in queues:
        yield f"the actor {actor.actor_name}: no queue {actor.queue_name!r} is configured: add it, or set another"
    if actor.actor_name in actors:
        yield f"the actor {actor.actor_name}: the name is taken; give another actor_name"


def _make_store(app: Flask, config: Config) -> Store:
    return Store(
        config.redis_url,
        prefix=config.prefix,
        dispatch_timeout_s=config.dispatch_timeout_s,
        socket_timeout_s=config.socket_timeout_s,
        embed=partial(_embed, Path(app.instance_path)),
    )


def _embed(instance: Path, url: str) -> Resolve:
    """Starts and finds the server of an `embedded://` address; its folder is relative to the instance folder."""
    # Imported only where configured: most apps have a server of their own.
    from .embedded import EmbeddedServer

    server = EmbeddedServer(instance / parse_redis_url(url).path)

    def resolve() -> str:
        server.ensure()
        return str(server.socket_path)

    return resolve
