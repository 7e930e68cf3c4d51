"""When a heart beats, keeps still, and kills; with a clock of the tests."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from flask_queue.worker import heart
from flask_queue.worker.heart import FROZEN_S, Heart, Pulse, is_stopped
from flask_queue.worker.memory import _ask_ps, rss_bytes
from tests.support import wait_until

LEASE_S, BEAT_S, SOCKET_S = 15.0, 5.0, 1.0


class Client:
    """A Redis client that notes what it is sent, or fails."""

    def __init__(self) -> None:
        self.beats: list[tuple[Any, ...]] = []
        self.error: Exception | None = None

    def pipeline(self, *, transaction: bool) -> Client:
        assert not transaction
        return self

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def execute_command(self, *words: Any) -> None:
        self.beats.append(words)

    def execute(self) -> None:
        if self.error:
            raise self.error


class Ward:
    """A heart, the process that it watches, and the time."""

    def __init__(self, pid: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        fake = SimpleNamespace(**{**vars(time), "monotonic": lambda: self.now_s})
        monkeypatch.setattr(heart, "time", fake)
        self.pulse = Pulse()
        self.client = Client()
        self.settings = {
            "worker": "w1",
            "pid": pid,
            "keys": ["{p:}:workers", "{p:q}:workers"],
            "script": "return 1",
            "beat_s": BEAT_S,
            "lease_s": LEASE_S,
            "socket_timeout_s": SOCKET_S,
            "json_lines": False,
        }
        self.live()
        self.heart = Heart(self.settings, self.pulse, self.client)

    def live(self) -> None:
        """The worker is well."""
        self.pulse.tick()
        self.pulse.move()

    def pass_time(self, seconds: float, *, ticks: bool = False) -> None:
        """Let time pass, with looks as often as there are."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.now_s = min(until_s, self.now_s + self.heart.look_s)
            if ticks:
                self.pulse.tick()
            self.heart.look()


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Something that can be stopped and killed."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as sleeper:
        yield sleeper
        sleeper.kill()


@pytest.fixture
def ward(process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> Ward:
    return Ward(process.pid, monkeypatch)


def test_a_pulse_is_what_was_written() -> None:
    """Three numbers, each of its own."""
    pulse = Pulse()
    assert (pulse.ticked_s, pulse.moved_s, pulse.longest_s) == (0, 0, 0)
    before_s = time.monotonic()
    pulse.tick()
    pulse.move()
    pulse.expect(600.5)
    assert before_s <= pulse.ticked_s <= pulse.moved_s <= time.monotonic()
    assert pulse.longest_s == 600.5


def test_a_worker_that_is_well_is_left_alone(ward: Ward) -> None:
    """Its own beats are enough: the heart says nothing to Redis."""
    for _ in range(20):
        ward.live()
        ward.pass_time(BEAT_S, ticks=True)
    assert ward.client.beats == []


def test_a_silent_worker_is_beaten_for(ward: Ward) -> None:
    """In all of its queues, once a beat, from three quarters of one on: long before its lease is over."""
    ward.pulse.expect(600)
    ward.pass_time(BEAT_S * 0.75)
    assert ward.client.beats == []
    ward.pass_time(1)
    assert ward.client.beats == [("EVAL", "return 1", 1, key, "w1") for key in ward.settings["keys"]]  # type: ignore[attr-defined]
    ward.pass_time(20 * BEAT_S)
    assert len(ward.client.beats) == 2 * 21
    ward.live()
    ward.pass_time(BEAT_S, ticks=True)
    assert len(ward.client.beats) == 2 * 21


def test_a_pump_that_does_not_move_is_beaten_for(ward: Ward) -> None:
    """Also where the interpreter runs, from one and a half beats on: an idle pump moves once a beat."""
    ward.pulse.expect(600)
    ward.pass_time(BEAT_S * 1.5, ticks=True)
    assert ward.client.beats == []
    ward.pass_time(1, ticks=True)
    assert ward.client.beats


@pytest.mark.parametrize("longest_s", [0.0, 60.0])
def test_a_worker_is_killed_a_lease_after_the_longest_time_out(
    ward: Ward, process: subprocess.Popen[bytes], capfd: pytest.CaptureFixture[str], longest_s: float
) -> None:
    """Not before; and it says why."""
    ward.pulse.expect(longest_s)
    ward.pass_time(longest_s + LEASE_S)
    assert process.poll() is None
    ward.pass_time(1)
    assert process.wait(5) == -signal.SIGKILL
    words = f"ERROR   {process.pid} Worker w1 is stuck: for {longest_s + LEASE_S + 1:.0f} s"
    line = rf"^\d{{4}}-\d\d-\d\d [\d:]+,\d{{3}} {words}"
    assert re.search(line, capfd.readouterr().err)


def test_a_pump_may_wait_for_redis(ward: Ward, process: subprocess.Popen[bytes]) -> None:
    """While the interpreter runs, it gets the time that a hanging server may cost it."""
    ward.pass_time(LEASE_S + 4 * SOCKET_S, ticks=True)
    assert process.poll() is None
    ward.pass_time(1, ticks=True)
    assert process.wait(5) == -signal.SIGKILL


@pytest.mark.needs("ps")
def test_a_stopped_process_is_neither_beaten_for_nor_killed(ward: Ward, process: subprocess.Popen[bytes]) -> None:
    """It does not live, and may go on: from then on it has its time."""
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: is_stopped(process.pid))
    ward.pass_time(10 * LEASE_S)
    assert ward.client.beats == []
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: not is_stopped(process.pid))
    ward.pass_time(LEASE_S)
    assert process.poll() is None
    assert ward.client.beats
    ward.pass_time(1)
    assert process.wait(5) == -signal.SIGKILL


def test_a_heart_that_stood_still_gives_the_worker_its_time(ward: Ward, process: subprocess.Popen[bytes]) -> None:
    """Both may have been frozen, with their machine or their container."""
    ward.now_s += FROZEN_S + 1000
    ward.heart.look()
    assert process.poll() is None
    assert ward.client.beats, "what it holds may still be its own"
    ward.pass_time(LEASE_S)
    assert process.poll() is None


def test_a_server_that_is_away_is_told_once(ward: Ward, capfd: pytest.CaptureFixture[str]) -> None:
    """It is tried again at every look, and told again after it was back."""
    ward.pulse.expect(600)
    ward.client.error = ConnectionError('no "route"')
    ward.pass_time(30)
    assert len(ward.client.beats) > 2 * 20
    assert capfd.readouterr().err.count('The leases of worker w1 cannot be kept: no "route"\n') == 1
    ward.client.error = None
    ward.pass_time(30)
    ward.client.error = ConnectionError("again")
    ward.pass_time(30)
    assert capfd.readouterr().err.count("cannot be kept: again") == 1


def test_a_worker_that_can_speak_tells_of_redis_itself(ward: Ward, capfd: pytest.CaptureFixture[str]) -> None:
    """One fault, one line: its interpreter runs, and its pump is what Redis keeps waiting."""
    ward.pulse.expect(600)
    ward.client.error = ConnectionError("no route")
    ward.pass_time(30, ticks=True)
    assert ward.client.beats
    assert capfd.readouterr().err == ""


def test_its_lines_can_be_json(ward: Ward, capfd: pytest.CaptureFixture[str]) -> None:
    """As the worker's own."""
    ward.settings["json_lines"] = True
    ward.client.error = ConnectionError('no "route"')
    ward.pulse.expect(600)
    ward.pass_time(10)
    line = json.loads(capfd.readouterr().err)
    assert (line["level"], line["process"]) == ("ERROR", ward.settings["pid"])
    assert line["message"].endswith('no "route"')


def test_looks_are_often_enough_for_the_lease(ward: Ward) -> None:
    """Twice a beat, and at least once a second."""
    assert ward.heart.look_s == 1
    ward.heart.settings = {**ward.settings, "beat_s": 0.4}
    assert ward.heart.look_s == 0.2


@pytest.mark.needs("ps")
def test_memory_is_told_on_every_system() -> None:
    """With and without /proc, about the same."""
    assert 10_000_000 < rss_bytes() < 2_000_000_000
    assert abs(_ask_ps() - rss_bytes()) < 20_000_000
    assert not is_stopped(os.getpid())
