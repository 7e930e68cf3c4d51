"""How the documentation is built, from the project's root: `nox -s docs`. Its pages read as well where they are."""

from __future__ import annotations

from typing import Any

from docs.commands import describe_commands
from docs.docstrings import convert
from flask_queue.versions import installed

project = "flask-queue"
copyright = "the flask-queue authors"
version = release = installed("flask-queue") or "0"

extensions = ["myst_parser", "sphinx.ext.autodoc"]

# Links to a heading, as Markdown has them everywhere.
myst_heading_anchors = 4

# Docstrings name code in single backticks, and give types in the signature alone.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "flask-queue"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False


#: The errors that users make.
RAISED_BY_JOBS = {"flask_queue.Retry", "flask_queue.Fail", "flask_queue.Release"}


def setup(app: Any) -> None:
    """Fill the references: that of the command line from the commands, that of Python from docstrings."""
    app.connect("source-read", add_commands)
    app.connect("autodoc-process-docstring", read_docstring)
    app.connect("autodoc-process-signature", show_parameters)


def add_commands(app: Any, page: str, source: list[str]) -> None:
    """Put what the commands say of themselves below what the page says."""
    if page == "commands":
        source[0] += describe_commands()


def read_docstring(app: Any, what: str, name: str, value: object, options: Any, lines: list[str]) -> None:
    """Take docstrings as the project writes them."""
    lines[:] = convert(name, lines)


def show_parameters(
    app: Any, what: str, name: str, value: object, options: Any, parameters: str | None, returns: str
) -> tuple[str, str] | None:
    """Show `dispatch` with what it takes, and without theirs what nobody makes but flask-queue."""
    module = getattr(value, "__module__", "")
    if parameters and module in {"flask_queue.record", "flask_queue.errors"} and name not in RAISED_BY_JOBS:
        return "", ""
    return ("(**payload)", returns) if name == "flask_queue.Job.dispatch" else None
