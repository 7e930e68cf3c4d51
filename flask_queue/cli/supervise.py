"""Several worker processes under one that watches over them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import NoReturn

from flask import Flask

from ..broker import QueueBroker
from ..errors import QueueError
from ..worker.child import Child
from ..worker.health import serving_health
from ..worker.supervisor import Supervisor
from .again import Command
from .scrape import metrics_page
from .stopping import on_stop

logger = logging.getLogger("flask_queue.worker")


def supervise(
    app: Flask, broker: QueueBroker, command: Command, *, processes: int, reloads: bool, health_port: int | None
) -> NoReturn:
    """Run worker processes until a signal, or until none is left, and end this process.

    Raises:
        QueueError: the health port cannot be had, or there is nothing that watches files.
    """
    supervisor = Supervisor(
        partial(Child, command.line, command.environment),
        processes,
        shutdown_timeout_s=broker.config.shutdown_timeout_s,
        # Whoever has saved a file does not want to wait for a job that takes an hour.
        replace_by="stop" if reloads else "finish",
    )
    on_stop(supervisor.stop, supervisor.kill)
    with ExitStack() as contexts:
        if health_port is not None:
            contexts.enter_context(serving_health(health_port, supervisor.health, metrics_page(broker)))
        if reloads:
            contexts.enter_context(_watching(app, supervisor.replace_all))
        status = supervisor.run()
    sys.exit(status)


@contextmanager
def _watching(app: Flask, on_change: Callable[[str], None]) -> Iterator[None]:
    """Call `on_change` when Python files of the app have changed, inside the block."""
    try:
        from watchfiles import PythonFilter, watch
    except ModuleNotFoundError:
        raise QueueError("--reload needs the package watchfiles: pip install 'flask-queue[reload]'.") from None
    stopped = Event()
    folders = {Path.cwd(), Path(app.root_path).resolve()}

    def run() -> None:
        for changes in watch(*folders, watch_filter=PythonFilter(), stop_event=stopped, raise_interrupt=False):
            names = sorted({Path(path).name for _, path in changes})
            on_change(f"{', '.join(names[:3])}{' …' if len(names) > 3 else ''} changed")

    thread = Thread(target=run, name="fq-reload", daemon=True)
    thread.start()
    logger.info("Watching %s.", ", ".join(map(str, sorted(folders))))
    try:
        yield
    finally:
        stopped.set()
        thread.join()
