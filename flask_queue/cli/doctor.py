"""`flask queue doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from ..broker import QueueBroker
from ..errors import QueueUnavailable
from .each import confirm
from .group import examples, explain, queue_cli
from .reach import actor, reachable_broker
from .read import as_json_option
from .records import to_json
from .text import one_line, show

if TYPE_CHECKING:
    from ..doctor import Finding


@queue_cli.command(epilog=examples("doctor", "doctor --fix --yes"))
@click.option("--fix", is_flag=True, help="Repair what can be: orphan keys, jobs that are in no list.")
@click.option("--yes", is_flag=True, help="Do not ask before that.")
@as_json_option
def doctor(fix: bool, yes: bool, as_json: bool) -> None:
    """Look for what is wrong, and say what to do.

    It looks at the server, the queues and what is stored, and changes nothing without --fix.
    Ends with status 1 if there are errors; warnings are none.
    """
    # Imported late: other commands do without.
    from ..doctor import Finding, Level, examine, repair

    try:
        broker: QueueBroker = reachable_broker()
    except QueueUnavailable as error:
        what, _, remedy = explain(error).rpartition(": ")
        found = [Finding("server", Level.ERROR, what or remedy, remedy if what else "")]
    else:
        found = [Finding("server", Level.OK, "the server answers"), *examine(broker)]
        wrong = [finding for finding in found if finding.is_fixable]
        if fix and wrong:
            confirm(f"{'; '.join(finding.message for finding in wrong)}. Repair?", is_sure=yes)
            found = [*(finding for finding in found if not finding.is_fixable), *repair(broker, actor())]
    show(to_json([_as_data(finding) for finding in found]) if as_json else _report(found))
    if any(finding.level is Level.ERROR for finding in found):
        sys.exit(1)


def _report(found: Iterable[Finding]) -> str:
    """A line each, with the remedy under it."""
    lines = []
    for finding in found:
        lines.append(f"{finding.level.value:<7}  {one_line(finding.message)}")
        if finding.remedy:
            lines.append(f"{'':9}{one_line(finding.remedy)}")
    return "\n".join(lines)


def _as_data(finding: Finding) -> dict[str, str | bool]:
    data = dataclasses.asdict(finding)
    data["fixable"] = data.pop("is_fixable")
    return data
