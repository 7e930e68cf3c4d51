"""Commands that look: status, jobs, show, logs."""

from __future__ import annotations

from typing import Any

import click

from ..record import JobRecord
from ..redact import hide_secrets
from .complete import error_groups, job_ids, job_names, queue_names
from .durations import Seconds, read_past
from .group import examples, queue_cli
from .picture import STATES, paused_lines
from .reach import monitor, words
from .records import as_data, listing, page, to_json
from .text import fitting, printable, show, table
from .watch import watch

#: Records are read into memory before the first is shown.
MOST = 10_000

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@queue_cli.command(epilog=examples("status", "status --watch --interval 5"))
@click.option("--watch", "watches", is_flag=True, help="Go on until q or Ctrl-C, with workers, rates and errors.")
@click.option(
    "--interval",
    "interval_s",
    metavar="SECONDS",
    type=Seconds(0.1, 86_400),
    default=1.0,
    show_default=True,
    help="With --watch: how often.",
)
@as_json_option
def status(watches: bool, interval_s: float, as_json: bool) -> None:
    """Show how many jobs are in each state.

    For each queue; and which queues are paused.
    """
    if watches and as_json:
        raise click.UsageError("--watch is for people: give either --watch or --json.")
    if watches:
        watch(interval_s)
        return
    jobs = monitor()
    counts = jobs.counts()
    if as_json:
        show(to_json(counts))
        return
    rows: list[list[str | int]] = [[queue, *map(states.__getitem__, STATES)] for queue, states in counts.items()]
    show(table(["QUEUE", *map(str.upper, STATES)], rows))
    for line in paused_lines(jobs.paused()):
        show(line)


@queue_cli.command(
    epilog=examples(
        "jobs --state failed --queue emails --since 2h",
        "jobs --name SendWelcomeEmail --limit 10 --json",
        "jobs --search 'args.user_id:42 error:timeout'",
    )
)
@click.option("--state", type=click.Choice(STATES), help="Only jobs in this state.")
@click.option("--queue", shell_complete=queue_names, help="Only jobs of this queue.")
@click.option("--name", shell_complete=job_names, help="Only jobs of this name.")
@click.option("--tag", help="Only jobs with this tag.")
@click.option("--error", metavar="TEXT", shell_complete=error_groups, help="Only jobs with this in their error.")
@click.option("--search", metavar="TERMS", help='Only jobs that match, as in args.user_id:42 or "New York".')
@click.option(
    "--since", metavar="TIME", callback=read_past, help="Finished or created since then: 2h, 2030-01-31T12:00."
)
@click.option("--until", metavar="TIME", callback=read_past, help="Or up to then.")
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="How many at most.")
@click.option("--cursor", help="Go on where a listing before ended.")
@as_json_option
def jobs(limit: int, cursor: str | None, as_json: bool, **conditions: Any) -> None:
    """List jobs.

    Finished ones come newest first, others in the order in which they will run.
    """
    try:
        found, behind = _collect(limit, cursor, **conditions)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    records = [hide_secrets(record, words()) for record in found]
    if as_json:
        show(to_json([as_data(record) for record in records]))
    else:
        show(fitting(listing(records)) if records else "No such jobs.")
    if behind:
        click.echo(f"There are more: --cursor {behind}", err=True)


def _collect(limit: int, cursor: str | None, **conditions: Any) -> tuple[list[JobRecord], str | None]:
    """So many jobs, from as many pages as it takes, and the cursor behind them."""
    known = monitor()
    query = known.query(**conditions)
    records: list[JobRecord] = []
    while True:
        page = known.page(query, limit=limit - len(records), cursor=cursor)
        records += page.records
        cursor = page.next_cursor
        if cursor is None or len(records) == limit:
            return records, cursor


@queue_cli.command("show", epilog=examples("show default:x5Yq2bXhQ0cT1aZk"))
@click.argument("job_id", metavar="ID", shell_complete=job_ids())
@as_json_option
def show_job(job_id: str, as_json: bool) -> None:
    """Show one job: payload, times, runs, error."""
    record = hide_secrets(monitor().get(job_id), words())
    show(to_json(as_data(record)) if as_json else page(record))


@queue_cli.command(epilog=examples("logs default:x5Yq2bXhQ0cT1aZk"))
@click.argument("job_id", metavar="ID", shell_complete=job_ids())
@as_json_option
def logs(job_id: str, as_json: bool) -> None:
    """Print what a job has logged, oldest line first."""
    lines = monitor().logs(job_id)
    if as_json:
        show(to_json(lines))
        return
    if not lines:
        click.echo("This job has logged nothing.", err=True)
    for line in lines:
        show(printable(line))
