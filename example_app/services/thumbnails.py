"""Images and their thumbnails."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import IO

from PIL import Image, ImageOps
from werkzeug.datastructures import FileStorage

from ..models import Upload, User, db, now
from . import files
from .errors import Gone, Invalid

FORMATS = ("JPEG", "PNG", "WEBP")
#: Longest side in pixels, the largest first: each is made of the one before.
SIZES = (256, 64)
#: A few kilobytes of file can unpack to gigabytes of pixels, so the header is asked first. 20 million take 80 MB.
MAX_PIXELS = 20_000_000


def accept(user: User, file: FileStorage) -> Upload:
    """Keep an uploaded image and commit a row for it, without decoding more than its header."""
    _open(file.stream)
    upload = Upload(user_id=user.id, filename=files.shown_name(file), folder=files.keep(file, "original"))
    db.session.add(upload)
    db.session.commit()
    return upload


def make(upload_id: int) -> list[str]:
    """Make the thumbnails of an upload; returns their names. A second run makes the same files again."""
    upload = db.session.get(Upload, upload_id)
    if upload is None:
        raise Gone("upload", upload_id)
    with files.path(upload.folder, "original").open("rb") as source:
        image = _decode(source)
    for size in SIZES:
        image.thumbnail((size, size))
        _write(image, files.path(upload.folder, f"{size}.png"))
    upload.resized_at = now()
    db.session.commit()
    return [f"{size}.png" for size in SIZES]


def _open(source: IO[bytes]) -> Image.Image:
    """An image whose header has been read and whose size is bearable."""
    try:
        image = Image.open(source, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Invalid("image", f"The image has more than {MAX_PIXELS:,} pixels.") from None
    except (OSError, SyntaxError, ValueError):
        raise Invalid("image", f"This is no {', '.join(FORMATS)} image.") from None
    if image.width * image.height > MAX_PIXELS:
        raise Invalid("image", f"The image has more than {MAX_PIXELS:,} pixels.")
    return image


def _decode(source: IO[bytes]) -> Image.Image:
    image = _open(source)
    try:
        image = ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise Invalid("image", f"The image is damaged ({error}).") from error
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _write(image: Image.Image, target: Path) -> None:
    """Write an image; whoever looks at `target` meanwhile sees a whole file or none."""
    unfinished = target.with_suffix(f".{secrets.token_hex(4)}")
    image.save(unfinished, format="PNG")
    unfinished.replace(target)
