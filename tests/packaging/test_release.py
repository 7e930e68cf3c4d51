"""What `nox -s release-check` finds wrong; the session itself takes minutes, and is run before a release."""

from __future__ import annotations

import re
from email.parser import Parser
from pathlib import Path

import pytest

from tests.packaging.contents import faults_of_metadata, faults_of_sdist, faults_of_wheel
from tests.packaging.release import MODULES, PYTHONS, is_version, needs

ROOT = Path(__file__).resolve().parents[2]
TRACKED = ["README.md", "flask_queue/__init__.py", "flask_queue_pytest.py", "tests/conftest.py", ".ci/run"]
INFO = [f"x.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")]
WHEEL = ["flask_queue/__init__.py", "flask_queue_pytest.py", *INFO]
SDIST = ["README.md", "flask_queue/__init__.py", "flask_queue_pytest.py", "tests/conftest.py", "PKG-INFO"]
METADATA = """\
Name: flask-queue
Version: 1.2.0
Summary: Jobs
License-Expression: MIT
License-File: LICENSE
Requires-Python: >=3.11
Keywords: jobs
Classifier: Programming Language :: Python :: 3.11
Classifier: Programming Language :: Python :: 3.12
"""


def test_files_as_they_should_be() -> None:
    """Nothing is found, and what contributors alone need may be away."""
    assert not [*faults_of_wheel(WHEEL, TRACKED), *faults_of_sdist(SDIST, TRACKED)]


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (WHEEL[1:], "the wheel lacks flask_queue/__init__.py"),
        ([*WHEEL, "tests/conftest.py"], "the wheel has tests/conftest.py"),
        ([*WHEEL, "flask_queue/secrets.json"], "the wheel has flask_queue/secrets.json"),
        (WHEEL[:-1], "the wheel's metadata lacks licenses/LICENSE"),
    ],
)
def test_wheels(names: list[str], fault: str) -> None:
    """A file too few, or one too many."""
    assert list(faults_of_wheel(names, TRACKED)) == [fault]


@pytest.mark.parametrize(
    ("names", "tracked", "fault"),
    [
        (SDIST[1:], TRACKED, "the sdist lacks README.md"),
        ([*SDIST, ".env"], TRACKED, "the sdist has .env"),
        ([*SDIST, "a/__pycache__/b"], [*TRACKED, "a/__pycache__/b"], "the sdist has a/__pycache__/b"),
    ],
)
def test_sdists(names: list[str], tracked: list[str], fault: str) -> None:
    """A file too few, one that is not under version control, one that should not be."""
    assert list(faults_of_sdist(names, tracked)) == [fault]


@pytest.mark.parametrize(
    ("line", "instead", "fault"),
    [
        ("Summary: Jobs\n", "", "the metadata lack Summary"),
        ("1.2.0", "1.2", "1.2 is no version of the form 1.2.3, 1.2.3rc1 or 1.2.3.dev0"),
        ("1.2.0", "1.3.0", "CHANGELOG.md has no section [1.3.0]"),
        ("1.2.0", "1.3.0.dev0", "CHANGELOG.md has no section [Unreleased]"),
        (">=3.11", ">=3.10", "Requires-Python is >=3.10, not >=3.11"),
        ("3.12", "3.13", "the classifiers name Python 3.11, 3.13, a release is checked with 3.11, 3.12"),
    ],
)
def test_metadata(line: str, instead: str, fault: str) -> None:
    """What is missing, or says something else than the project."""
    changelog = "## [1.2.0] - 2030-01-01\n## [1.2] - 2030-01-01\n"
    right = Parser().parsestr(METADATA)
    assert not list(faults_of_metadata(right, changelog, ["3.11", "3.12"]))
    wrong = Parser().parsestr(METADATA.replace(line, instead, 1))
    assert list(faults_of_metadata(wrong, changelog, ["3.11", "3.12"])) == [fault]


def test_the_lowest_version() -> None:
    """Zeros at the end make no difference, other numbers do."""
    assert is_version("2.0.0", "2.0")
    assert not is_version("2.0.1", "2.0")
    assert not is_version("2.10", "2.1")


def test_what_an_extra_needs() -> None:
    """Of requirements with a condition those of the extras that are asked for."""
    text = "Requires-Dist: flask>=3.0\nRequires-Dist: hiredis>=3.0; extra == 'fast'\n"
    metadata = Parser().parsestr(text)
    assert list(needs(metadata, ())) == ["flask>=3.0"]
    assert list(needs(metadata, ("fast",))) == ["flask>=3.0", "hiredis>=3.0"]


def test_the_check_knows_what_the_project_says() -> None:
    """Extras and Pythons of pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text()
    (extras,) = re.findall(r"^\[project.optional-dependencies\]\n(.*?)\n\n", text, re.MULTILINE | re.DOTALL)
    assert {line.partition(" ")[0] for line in extras.splitlines()} == set(MODULES)
    assert re.findall(r'Python :: (3\.\d+)"', text) == list(PYTHONS)


def test_the_version_is_in_one_place() -> None:
    """`pyproject.toml` has it, and code reads it from what is installed."""
    (version,) = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    sources = [*(ROOT / "flask_queue").rglob("*.py"), ROOT / "README.md", ROOT / "noxfile.py"]
    assert not [path for path in sources if version in path.read_text() or "__version__ =" in path.read_text()]
