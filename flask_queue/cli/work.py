"""`flask queue work`: the workers of one process, from start to a graceful or a quick end."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

import click
from flask import Flask
from flask.cli import ScriptInfo, pass_script_info
from flask.logging import default_handler
from redis.exceptions import RedisError

from ..current import broker_of
from ..environment import whole
from ..errors import QueueError, UnknownQueue
from . import beacon
from .group import queue_cli
from .stopping import on_stop
from .text import printable

if TYPE_CHECKING:
    from ..broker import QueueBroker
    from ..worker import Worker

logger = logging.getLogger("flask_queue.worker")


@queue_cli.command("work", with_appcontext=False)
@click.option("--queues", metavar="A,B", help="Serve these queues only.")
@click.option("--concurrency", "threads", metavar="QUEUE=N", multiple=True, help="Threads of a queue; repeatable.")
@click.option("--burst", is_flag=True, help="End when nothing is waiting, active or due.")
@pass_script_info
def work(info: ScriptInfo, queues: str | None, threads: tuple[str, ...], burst: bool) -> None:
    """Run the jobs of the app's queues.

    SIGTERM or Ctrl-C: running jobs get the time to finish, the rest goes back; a second one ends at once.
    """
    news: SimpleQueue[str] = SimpleQueue()
    app = info.load_app()
    broker = broker_of(app)
    _refuse_another_server(broker, app.instance_path)
    served = _served(broker, queues, threads)
    _set_up_logging(app)
    on_stop(news.put, _give_up)
    # Imported late: other commands do without.
    from ..worker import Worker

    _check_embedded(broker)
    broker.boot_process()
    worker = Worker(broker, served, is_burst=burst)
    worker.start()
    Thread(target=_report_end, args=(worker, news), name="fq-end", daemon=True).start()
    if name := news.get():
        limit_s = broker.config.shutdown_timeout_s
        logger.info("%s: finishing what runs, in at most %g s; once more to end at once.", name, limit_s)
    _end(worker)


def _refuse_another_server(broker: QueueBroker, instance: str) -> None:
    """With nothing configured, the other commands use the server of a running `dev`: a worker elsewhere would be lost.

    Raises:
        QueueError: it would be.
    """
    if not broker.config.redis_configured and (address := beacon.find(instance)):
        raise QueueError(
            f"No server is configured, and a running `flask queue dev` uses {address}: set QUEUE_REDIS_URL, to "
            f"{address} or to the server that you want."
        )


def _served(broker: QueueBroker, queues: str | None, threads: Iterable[str]) -> Mapping[str, int] | None:
    """The queues to serve and their threads; None for all, as configured, and those that are declared later."""
    changes = dict(_change(option) for option in threads)
    if queues is None and not changes:
        return None
    names = list(broker.queues) if queues is None else queues.replace(",", " ").split()
    if not names:
        raise click.BadParameter("name at least one queue", param_hint="--queues")
    for name in [*names, *changes]:
        if name not in broker.queues:
            raise UnknownQueue(name, list(broker.queues))
    if unserved := [name for name in changes if name not in names]:
        raise click.BadParameter(f"{unserved[0]} is not among --queues", param_hint="--concurrency")
    return {name: changes.get(name, broker.queues[name].concurrency) for name in names}


def _change(option: str) -> tuple[str, int]:
    name, _, number = option.rpartition("=")
    try:
        return name.strip(), whole(1)(number)
    except ValueError as error:
        reason = f"{option!r}: give a queue and its threads, as in emails=8 ({error})"
        raise click.BadParameter(reason, param_hint="--concurrency") from None


def _set_up_logging(app: Flask) -> None:
    """Log to standard error, unless the app has set logging up itself."""
    if logging.getLogger().handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(_Printable("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("dramatiq").setLevel(logging.WARNING)
    # Flask's own handler, there since the app first logged something, would print those lines twice.
    app.logger.removeHandler(default_handler)


class _Printable(logging.Formatter):
    """Errors of jobs are logged, and may quote what users have sent."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _give_up(name: str) -> None:
    # Not through logging: the line about the first signal may be under way and hold its lock. Nobody may be reading.
    with suppress(OSError):
        os.write(2, f"{name} again: ending at once; other workers take over what was running.\n".encode())
    os._exit(1)


def _check_embedded(broker: QueueBroker) -> None:
    """Start an embedded server, which tells what no waiting will put right; a server of its own is waited for.

    Raises:
        ConfigError: its folder can't be used, or there is no server program.
    """
    if broker.store.is_embedded:
        with suppress(RedisError):
            broker.store.client.ping()


def _report_end(worker: Worker, news: SimpleQueue[str]) -> None:
    worker.join()
    news.put("")


def _end(worker: Worker) -> None:
    """Stop the worker, and the process with it, whatever threads are left."""
    have_ended, status = False, 1
    try:
        have_ended = worker.stop()
        status = 1 if worker.has_failed else 0
    except Exception:
        logger.exception("The worker could not be stopped.")
    if have_ended:
        sys.exit(status)
    logger.warning("Some job threads do not end; they are left behind.")
    logging.shutdown()
    with suppress(OSError):
        sys.stdout.flush()
    os._exit(status)
