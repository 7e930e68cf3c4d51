"""The address that `flask queue dev` leaves: seen while it lives, by everyone, and never after."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flask_queue import QueueError
from flask_queue.cli import beacon

#: Leaves an address, says so, and lives until it is killed.
LEAVER = """
import sys
from flask_queue.cli import beacon
with beacon.leave(sys.argv[1], "embedded://queue"):
    print("left", flush=True)
    sys.stdin.read()
"""


def test_the_address_is_there_while_its_process_lives(tmp_path: Path) -> None:
    """The folder is made if need be, and nothing is left in it."""
    folder = str(tmp_path / "instance")
    assert beacon.find(folder) is None
    with beacon.leave(folder, "embedded://queue"):
        assert beacon.find(folder) == "embedded://queue"
        assert beacon.find(folder) == "embedded://queue"
    assert beacon.find(folder) is None
    assert list(Path(folder).iterdir()) == []


def test_the_address_of_a_killed_process_counts_no_more(tmp_path: Path) -> None:
    """Its file is left behind, and misleads neither a command nor the next `dev`."""
    with subprocess.Popen(
        [sys.executable, "-c", LEAVER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"left\n"
        assert beacon.find(str(tmp_path)) == "embedded://queue"
        process.kill()
    assert (tmp_path / beacon.FILE).exists()
    assert beacon.find(str(tmp_path)) is None
    with beacon.leave(str(tmp_path), "embedded://other"):
        assert beacon.find(str(tmp_path)) == "embedded://other"


def test_there_is_one_at_a_time(tmp_path: Path) -> None:
    """Two would take each other's address away."""
    with (
        beacon.leave(str(tmp_path), "embedded://queue"),
        pytest.raises(QueueError, match="Another `flask queue dev`"),
        beacon.leave(str(tmp_path), "embedded://queue"),
    ):
        pass
    assert beacon.find(str(tmp_path)) is None


def test_a_folder_that_cannot_be_written_to_is_told() -> None:
    """One line instead of an OSError."""
    with (
        pytest.raises(QueueError, match="cannot write to the instance folder /dev/null/x"),
        beacon.leave("/dev/null/x", ""),
    ):
        pass
