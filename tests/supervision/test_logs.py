"""`--log-format`: lines that say which process, job and attempt they are about."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.supervision.conftest import Site
from tests.supervision.program import Nap, Speak, SpeakAsync

LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO   |WARNING|ERROR  ) \d+ ")


def burst(site: Site, *words: str) -> list[str]:
    """What a worker prints until nothing is left to do."""
    done = site.commands.run("queue", "work", "--burst", *words)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


@pytest.mark.parametrize("words", [(), ("--log-format", "text")])
def test_text_lines_name_process_job_and_attempt(site: Site, words: tuple[str, ...]) -> None:
    """Also lines that a job logs itself, on its thread or in the event loop; nothing reaches the terminal as is."""
    first, second = Speak.dispatch(), SpeakAsync.dispatch()
    lines = burst(site, *words)
    assert any(re.search(rf" \d+ \[{first.id} Speak attempt 1\] said é\\x1b\[31m$", line) for line in lines), lines
    assert any(re.search(rf" \[{first.id} Speak attempt 2\] said ", line) for line in lines), lines
    assert any(re.search(rf" \[{second.id} SpeakAsync attempt 1\] said in a loop$", line) for line in lines), lines
    assert LINE.match(lines[0])
    assert not any("[" in line for line in lines if "has stopped" in line)


def test_json_lines_are_objects_with_queue_job_and_attempt(site: Site) -> None:
    """Every line is one, tracebacks included; fields are those that the documentation tells."""
    job = Speak.dispatch()
    lines: list[dict[str, Any]] = [json.loads(line) for line in burst(site, "--log-format", "json")]
    for line in lines:
        assert {"time", "level", "logger", "process", "message"} <= set(line)
        assert datetime.fromisoformat(line["time"]).tzinfo is not None
    said = [line for line in lines if line["logger"] == "app.jobs"]
    assert [line["message"] for line in said] == ["said é\x1b[31m"] * 2
    keys = ("queue", "job", "name", "attempt")
    assert [tuple(line[key] for key in keys) for line in said] == [("default", job.id, "Speak", n) for n in (1, 2)]
    (failure,) = [line for line in lines if "exception" in line]
    assert failure["exception"].endswith("ValueError: no")
    assert (failure["job"], failure["attempt"]) == (job.id, 1)
    page = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text()
    logs = page.partition("\n## Logs\n")[2].partition("\n## ")[0]
    assert [*failure] == re.findall(r"^\| `(\w+)` \|", logs, re.MULTILINE)
    assert not any("job" in line for line in lines if "has stopped" in line["message"])


def test_every_process_of_a_supervisor_logs_that_way(site: Site) -> None:
    """The supervisor's own lines, too."""
    for _ in range(4):
        Nap.dispatch("n", 0.1)
    lines = [json.loads(line) for line in burst(site, "--log-format", "json", "--processes", "2")]
    assert len({line["process"] for line in lines}) == 3
