"""Files to upload."""

from __future__ import annotations

import io

from PIL import Image


def image(width: int = 400, height: int = 200, *, kind: str = "PNG", mode: str = "RGB") -> bytes:
    """The content of an image file."""
    buffer = io.BytesIO()
    Image.new(mode, (width, height)).save(buffer, format=kind)
    return buffer.getvalue()


def form(field: str, content: bytes, name: str = "file") -> dict[str, tuple[io.BytesIO, str]]:
    """The data of a form with one file."""
    return {field: (io.BytesIO(content), name)}
