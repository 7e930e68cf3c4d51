"""What came of a visit."""

from __future__ import annotations

import sys
from typing import Any

from .mailbox import Mailbox

COLUMNS = ("id", "name", "queue", "state", "attempts", "ms")
#: One for each job that a visit starts, and one mail for each person.
JOBS, MAILS = 6, 3


def report(jobs: list[dict[str, Any]], mailbox: Mailbox) -> int:
    """Print the jobs and where the mails lie; returns the exit status."""
    rows = [COLUMNS, *([str(_cell(job, column)) for column in COLUMNS] for job in jobs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(f"\n{len(mailbox.mails())} mails in {mailbox.folder}")
    faults = _faults(jobs, mailbox)
    for fault in faults:
        print(f"demo: {fault}", file=sys.stderr)
    return int(bool(faults))


def _cell(job: dict[str, Any], column: str) -> object:
    value = job["runtime_ms" if column == "ms" else column]
    return "" if value is None else value


def _faults(jobs: list[dict[str, Any]], mailbox: Mailbox) -> list[str]:
    faults = [
        f"{job['id']} is {job['state']} after {job['attempts']} attempts: {job['error'] or 'no error'}"
        for job in jobs
        if job["state"] != "completed"
    ]
    if len(jobs) != JOBS:
        faults.append(f"{len(jobs)} jobs are known, not {JOBS}")
    if len(mailbox.mails()) != MAILS:
        faults.append(f"{len(mailbox.mails())} mails arrived, not {MAILS}")
    return faults
