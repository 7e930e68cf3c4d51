"""How the documentation is built, from the project's root: `nox -s docs`. Its pages read as well where they are."""

from __future__ import annotations

from typing import Any

from docs.reference import describe_commands
from flask_queue.versions import installed

project = "flask-queue"
copyright = "the flask-queue authors"
version = release = installed("flask-queue") or "0"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

# Links to a heading, as Markdown has them everywhere.
myst_heading_anchors = 4

# Docstrings name code in single backticks, and give types in the signature alone.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "flask-queue"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False


def setup(app: Any) -> None:
    """Fill the page of the command line from the commands themselves."""
    app.connect("source-read", add_commands)


def add_commands(app: Any, page: str, source: list[str]) -> None:
    """Put what the commands say of themselves below what the page says."""
    if page == "commands":
        source[0] += describe_commands()
