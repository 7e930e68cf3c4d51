"""`flask queue make-job`: in fresh projects of several layouts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flask_queue.cli.make import check_name
from flask_queue.cli.stubs import with_job
from flask_queue.errors import QueueError
from tests.cli.processes import CommandLine
from tests.needs import require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.cli.conftest import Invoke

JOB = "from flask_queue import Job\n\n\nclass {name}(Job):\n    def handle(self) -> None: ...\n"
FACTORY = """\
from flask import Flask
from flask_queue import FlaskQueue, Queue
{imports}
queue = FlaskQueue(queues=[Queue("default"), Queue("emails")], jobs=[{jobs}])


def create_app() -> Flask:
    app = Flask(__name__)
    queue.init_app(app)
    return app
"""
#: Jobs in the app's own module, in a module, in a file each.
SINGLE = {"app.py": JOB.format(name="Old") + "\n\n" + FACTORY.format(imports="", jobs="Old")}
MODULE = {
    "shop/__init__.py": FACTORY.format(imports="from .jobs import Old\n", jobs="Old"),
    "shop/jobs.py": '"""Jobs."""\n\n' + JOB.format(name="Old"),
    "tests/test_old.py": "def test_nothing() -> None: ...\n",
}
PACKAGE = {
    "shop/__init__.py": FACTORY.format(imports="from .tasks.a import A\nfrom .tasks.b import B\n", jobs="A, B"),
    "shop/tasks/__init__.py": "",
    "shop/tasks/a.py": JOB.format(name="A"),
    "shop/tasks/b.py": JOB.format(name="B"),
}
#: A project's files, where the job goes, and how it is imported.
LAYOUTS = [
    (SINGLE, "jobs.py", "jobs"),
    (MODULE, "shop/jobs.py", "shop.jobs"),
    (PACKAGE, "shop/tasks/send_invoice.py", "shop.tasks.send_invoice"),
]
IDS = ["single", "module", "package"]


class Project(CommandLine):
    """A folder with an app in it, and nothing configured: neither Redis nor pytest."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        super().__init__(folder, FLASK_APP="app" if "app.py" in files else "shop", PYTHONDONTWRITEBYTECODE="1")
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)

    @property
    def files(self) -> dict[str, str]:
        """What is in it now."""
        return {str(path.relative_to(self.folder)): path.read_text() for path in self.folder.rglob("*.py")}

    def check(self, *words: str) -> None:
        """Run a program in it that must be content."""
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path, request.param)
    yield made
    made.close()


@pytest.mark.parametrize(("project", "job", "module"), LAYOUTS, ids=IDS, indirect=["project"])
def test_a_job_is_written_where_the_others_are(project: Project, job: str, module: str) -> None:
    """With a test that passes as it is; what was there stays, and the rest is told."""
    before = project.files
    done = project.run("queue", "make-job", "SendInvoice", "--queue", "emails")
    assert (done.returncode, done.stderr) == (0, "")
    test = "tests/test_send_invoice.py"
    maker = "app.py" if "app.py" in before else "shop/__init__.py"
    register = f"register it: FlaskQueue(…, jobs=[…, SendInvoice]) in {maker}"
    assert done.stdout.splitlines() == [
        f"Wrote SendInvoice in {job}",
        f"Wrote {test}, to be run with: python -m pytest {test}",
        f"Left to do: from {module} import SendInvoice, and {register}",
    ]
    after = project.files
    assert all(after[name].startswith(text) for name, text in before.items())
    assert {job, test} <= set(after)
    assert 'queue_name = "emails"' in after[job]
    project.check(sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:valkey", test)


def written(project: Project) -> list[str]:
    """A new job's file, and its test's."""
    project.run("queue", "make-job", "SendInvoice")
    return ["shop/tasks/send_invoice.py", "tests/test_send_invoice.py"]


@pytest.mark.parametrize("project", [PACKAGE], ids=["package"], indirect=True)
def test_what_is_written_has_style(project: Project) -> None:
    """That of ruff's formatter, and of its rules."""
    ruff, files = require("ruff"), written(project)
    project.check(ruff, "format", "--isolated", "--check", *files)
    # Pairs of rules exclude each other, pytest wants `assert`, and not every project has a licence in every file.
    rules = "--isolated --preview --select=ALL --ignore=COM812,CPY001,D203,D213,S101"
    project.check(ruff, "check", *rules.split(), *files)


@pytest.mark.slow
@pytest.mark.parametrize("project", [PACKAGE], ids=["package"], indirect=True)
def test_what_is_written_has_types(project: Project) -> None:
    """As strict as can be; the test is no exception."""
    project.check(require("mypy"), "--strict", "--config-file=", *written(project))


@pytest.mark.parametrize("project", [MODULE], ids=["module"], indirect=True)
def test_nothing_is_overwritten(project: Project) -> None:
    """A name that is taken is refused before anything is written."""
    before = project.files
    assert "a job named Old already" in project.fails("queue", "make-job", "Old")
    assert project.files == before
    told = json.loads(project.run("queue", "make-job", "New", "--json").stdout)
    assert told == {"job": "shop/jobs.py", "test": "tests/test_new.py", "import": "from shop.jobs import New"}
    written = project.files
    # It is not registered yet.
    assert project.fails("queue", "make-job", "New").startswith("Error: tests/test_new.py exists already")
    (project.folder / "tests/test_new.py").unlink()
    assert project.fails("queue", "make-job", "New").startswith("Error: shop/jobs.py: there is a New already")
    del written["tests/test_new.py"]
    assert project.files == written


@pytest.mark.parametrize(
    ("source", "head"),
    [
        ("", "from flask_queue import Job\n\n\nclass New(Job):"),
        ('"""Jobs."""\n', '"""Jobs."""\n\nfrom flask_queue import Job\n\n\nclass New(Job):'),
        ("import os\n\nX = os.sep\n", "import os\nfrom flask_queue import Job\n\nX = os.sep\n\n\nclass New(Job):"),
        ("from .base import Job", "from .base import Job\n\n\nclass New(Job):"),
    ],
)
def test_a_module_gets_what_the_class_needs(source: str, head: str) -> None:
    """The import of `Job`, unless the module has something of that name: a base class of the user's, say."""
    assert with_job(source, "New", "default").startswith(head)


def test_a_queue_is_one_of_the_app(invoke: Invoke) -> None:
    """Others are wrong usage, as for every command."""
    result = invoke("make-job", "New", "--queue", "email")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "email" in result.stderr


def test_a_module_that_is_no_python_is_left_alone() -> None:
    """It may be half written."""
    with pytest.raises(QueueError, match="line 1 is no valid Python"):
        with_job("def", "New", "default")


@pytest.mark.parametrize(
    ("name", "file_name"), [("SendInvoice", "send_invoice"), ("HTTPCall2", "http_call2"), ("A", "a")]
)
def test_files_are_named_after_the_class(name: str, file_name: str) -> None:
    assert check_name(name) == file_name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("send_invoice", "as SendInvoice"),
        ("send-invoice", "as SendInvoice"),
        ("sendInvoice", "as SendInvoice"),
        ("7zip", "as Zip"),
        ("../x", "as X"),
        ("", "as SendInvoice"),
        ("é", "as SendInvoice"),
        ("Job", "longer name"),
        ("Import", "longer name"),
    ],
)
def test_other_names_are_refused(name: str, hint: str) -> None:
    """With one that would do."""
    with pytest.raises(Exception, match=hint):
        check_name(name)
