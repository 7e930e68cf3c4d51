"""What failed jobs failed with, as the command line tells it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cli import program

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from tests.cli.conftest import Invoke


def test_each_group_is_a_line(app: Flask, invoke: Invoke, work: Callable[[], None]) -> None:
    """Safe for a terminal, and with what `retry` wants to know."""
    assert invoke("failures").stdout == "No failed jobs.\n"
    program.Boom.dispatch()
    program.Boom.dispatch()
    work()
    head, line = invoke("failures", "default").stdout.splitlines()
    assert head.split() == ["JOBS", "LAST", "GROUP", "PLACE", "ERROR"]
    assert line.split()[0] == "2"
    assert line.endswith("tests/cli/program.py:Boom.handle  ValueError: no \\x1b[31mred")
    [group] = json.loads(invoke("failures", "--json").stdout)
    assert group["fingerprint"] in line
    assert (group["type"], group["count"], group["queues"], group["names"]) == (
        "ValueError",
        2,
        {"default": 2},
        ["Boom"],
    )
    assert invoke("retry", "--all", "--error", group["fingerprint"]).stdout == "2 jobs retried\n"


def test_an_unknown_queue_is_wrong_usage(app: Flask, invoke: Invoke) -> None:
    """As for every command."""
    assert invoke("failures", "nope").exit_code == 2
