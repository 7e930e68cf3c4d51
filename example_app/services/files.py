"""Uploaded files: each in a folder with a random name, under a name of ours."""

from __future__ import annotations

import secrets
from pathlib import Path

from flask import current_app
from werkzeug.datastructures import FileStorage
from werkzeug.utils import secure_filename


def keep(file: FileStorage, name: str) -> str:
    """Store an upload as `name` in a folder of its own; returns the folder's name."""
    folder = secrets.token_hex(16)
    target = path(folder, name)
    target.parent.mkdir(parents=True)
    file.stream.seek(0)
    file.save(target)
    return folder


def path(folder: str, name: str) -> Path:
    return Path(current_app.instance_path, "uploads", folder, name)


def shown_name(file: FileStorage) -> str:
    """The name that the visitor knows the file by; it is shown and never used as a path."""
    return secure_filename(file.filename or "")[:100] or "unnamed"
