"""The text of a new job and of its test."""

from __future__ import annotations

import ast
import textwrap

from ..errors import QueueError
from .layout import names_in

#: The queue of a job that names none.
DEFAULT_QUEUE = "default"
IMPORT = "from flask_queue import Job\n"

_JOB = '''\
class {name}(Job):
    """What it is for. It may run twice, after a crash: that must do no harm."""
{queue_name}
    def handle(self) -> None:
        """Do the work. Parameters of this method are those of `dispatch`, and JSON."""
        self.log("There is nothing to do yet.")
'''

_TEST = '''\
"""What {name} does."""

from flask import Flask
from flask_queue import {imported}

from {module} import {name}


def test_{file_name}_runs_when_it_is_dispatched() -> None:
    """On its queue, to its end. Your own app can take the place of this one."""
    app = Flask(__name__)
    queue = FlaskQueue(app, {queues}jobs=[{name}], admin=False)
    with app.app_context(), queue.inline() as ran:
        record = {name}.dispatch()
    assert record.state == "completed"
    ran.assert_dispatched({name}, times=1, queue="{queue}")
'''


def job_file(name: str, queue: str) -> str:
    """A module with the class alone."""
    return f'"""Background jobs."""\n\n{IMPORT}\n\n{_job(name, queue)}'


def with_job(source: str, name: str, queue: str) -> str:
    """A module's text with the class added at its end.

    Raises:
        QueueError: the text is no Python, or has something of that name.
    """
    try:
        names = names_in(source)
    except SyntaxError as error:
        raise QueueError(f"line {error.lineno} is no valid Python: {error.msg}.") from None
    if name in names:
        raise QueueError(f"there is a {name} already.")
    return f"{_importing(source, names).rstrip()}\n\n\n{_job(name, queue)}".lstrip()


def test_file(name: str, queue: str, *, module: str, file_name: str) -> str:
    """A module that tests the class, without a server, on an app of its own."""
    is_default = queue == DEFAULT_QUEUE
    return _TEST.format(
        name=name,
        module=module,
        file_name=file_name,
        queue=queue,
        imported="FlaskQueue" if is_default else "FlaskQueue, Queue",
        queues="" if is_default else f'queues=[Queue("{queue}")], ',
    )


def _job(name: str, queue: str) -> str:
    line = "" if queue == DEFAULT_QUEUE else textwrap.indent(f'\nqueue_name = "{queue}"\n', "    ")
    return _JOB.format(name=name, queue_name=line)


def _importing(source: str, names: set[str]) -> str:
    """The text with `Job` imported, after its last import or its docstring."""
    if "Job" in names:
        return source
    tree = ast.parse(source)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    has_docstring = ast.get_docstring(tree) is not None
    after = imports[-1] if imports else tree.body[0] if has_docstring else None
    line = (after and after.end_lineno) or 0
    lines = source.splitlines(keepends=True)
    return "".join([*lines[:line], "\n" if has_docstring and not imports else "", IMPORT, *lines[line:]])
