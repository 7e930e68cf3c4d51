"""`flask queue work`: the worker processes, alone or under a supervisor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import click
from flask.cli import ScriptInfo, pass_script_info
from redis.exceptions import RedisError

from ..current import broker_of
from ..environment import LONGEST_S, whole
from ..errors import QueueError, UnknownQueue
from . import beacon
from .complete import queue_list
from .durations import Seconds
from .group import examples, queue_cli
from .logs import Format, set_up_logging

if TYPE_CHECKING:
    from ..broker import QueueBroker

PORTS = click.IntRange(0, 65_535)


@queue_cli.command(
    "work",
    with_appcontext=False,
    epilog=examples(
        "work --queues emails,default --concurrency emails=8", "work --processes 4 --max-memory 500 --health-port 8081"
    ),
)
@click.option("--queues", metavar="A,B", shell_complete=queue_list, help="Serve these queues only.")
@click.option("--concurrency", "threads", metavar="QUEUE=N", multiple=True, help="Threads of a queue; repeatable.")
@click.option("--burst", is_flag=True, help="End when nothing is waiting, active or due.")
@click.option("--processes", type=click.IntRange(1), help="Run so many processes, and replace those that end.")
@click.option("--max-jobs", type=click.IntRange(1), help="A process ends after so many jobs.")
@click.option("--max-time", type=Seconds(0, LONGEST_S, min_open=True), metavar="SECONDS", help="Or after so long.")
@click.option("--max-memory", type=click.IntRange(1), metavar="MB", help="Or when it takes more memory.")
@click.option("--reload", "reloads", is_flag=True, help="Start anew when source files change; for development.")
@click.option("--health-port", type=PORTS, metavar="PORT", help="Answer /livez, /readyz and /metrics there.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Log lines for people, or for programs.")
@click.option("--leash", type=int, hidden=True, help="The socket to the supervisor that has started this process.")
@pass_script_info
def work(
    info: ScriptInfo,
    queues: str | None,
    threads: tuple[str, ...],
    burst: bool,
    processes: int | None,
    max_jobs: int | None,
    max_time: float | None,
    max_memory: int | None,
    reloads: bool,
    health_port: int | None,
    log_format: Format | None,
    leash: int | None,
) -> None:
    """Run the jobs of the app's queues.

    SIGTERM or Ctrl-C: running jobs get the time to finish, the rest goes back; a second one ends at once.
    """
    # Imported late: other commands do without.
    from ..worker.limits import Limits
    from .again import Command
    from .serve import Plan, Service
    from .supervise import supervise

    command = Command()
    app = info.load_app()
    broker = broker_of(app)
    _refuse_another_server(broker, app.instance_path)
    served = _served(broker, queues, threads)
    set_up_logging(app, log_format)
    _check_embedded(broker)
    if leash is None and (processes is not None or reloads):
        supervise(app, broker, command, processes=processes or 1, reloads=reloads, health_port=health_port)
    limits = Limits(max_jobs, max_time, max_memory)
    port = health_port if leash is None else None
    broker.boot_process()
    Service(broker, Plan(served, burst, limits, port, leash, log_format == "json"), command).run()


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


def _check_embedded(broker: QueueBroker) -> None:
    """Start an embedded server, which tells what no waiting will put right; a server of its own is waited for.

    Raises:
        ConfigError: its folder can't be used, or there is no server program.
    """
    if broker.store.is_embedded:
        with suppress(RedisError):
            broker.store.client.ping()
