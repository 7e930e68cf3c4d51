"""Images and their thumbnails."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from werkzeug.datastructures import FileStorage

from example_app.services import files, thumbnails
from example_app.services.errors import Gone, Invalid
from tests.example.files import image

if TYPE_CHECKING:
    from example_app.models import Upload, User


def accept(user: User, content: bytes, filename: str = "photo.png") -> Upload:
    return thumbnails.accept(user, FileStorage(io.BytesIO(content), filename))


def bomb(width: int, height: int) -> bytes:
    """A PNG of some bytes that says that it has this many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGBA"), ("PNG", "P"), ("JPEG", "CMYK"), ("WEBP", "RGB")])
def test_thumbnails_fit_their_sizes(user: User, kind: str, mode: str) -> None:
    """Every accepted format and mode becomes PNGs whose longest side is that of `SIZES`."""
    upload = accept(user, image(kind=kind, mode=mode))

    assert thumbnails.make(upload.id) == ["256.png", "64.png"]
    for size in thumbnails.SIZES:
        with Image.open(files.path(upload.folder, f"{size}.png")) as thumbnail:
            assert thumbnail.size == (size, size // 2)
    assert upload.resized_at is not None


def test_small_images_are_not_enlarged(user: User) -> None:
    """A thumbnail never has more pixels than its original."""
    upload = accept(user, image(10, 20))
    thumbnails.make(upload.id)

    with Image.open(files.path(upload.folder, "256.png")) as thumbnail:
        assert thumbnail.size == (10, 20)


def test_a_second_run_leaves_the_same_files(user: User) -> None:
    """Running again, as after a crash, adds no file and changes none."""
    upload = accept(user, image())
    thumbnails.make(upload.id)
    folder = files.path(upload.folder, "original").parent
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    thumbnails.make(upload.id)

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"not an image", image(kind="GIF", mode="P"), image()[:20]])
def test_what_is_no_image_is_refused_at_upload(user: User, content: bytes) -> None:
    """Only JPEG, PNG and WebP are let in, by their content and not by their name."""
    with pytest.raises(Invalid, match="This is no JPEG"):
        accept(user, content)


@pytest.mark.parametrize("size", [(5_000, 5_000), (10_000, 10_000), (60_000, 60_000)])
def test_a_decompression_bomb_is_refused_at_upload(user: User, size: tuple[int, int]) -> None:
    """What claims more pixels than we would decode is refused by its header, under and over Pillow's own limits."""
    with pytest.raises(Invalid, match="more than 20,000,000 pixels"):
        accept(user, bomb(*size))


def test_a_damaged_image_ends_its_job(user: User) -> None:
    """Damage that the header does not show is found by the job, which another run would not help."""
    upload = accept(user, image()[:-60])
    with pytest.raises(Invalid, match="damaged"):
        thumbnails.make(upload.id)

    assert upload.resized_at is None


@pytest.mark.parametrize("filename", ["../../etc/passwd", "/etc/passwd", "", "..", "a" * 300])
def test_the_name_of_a_file_decides_nothing(user: User, filename: str) -> None:
    """Where an upload is stored does not depend on its name, and the name that is shown is harmless."""
    upload = accept(user, image(), filename)

    assert files.path(upload.folder, "original").parent.parent.name == "uploads"
    assert upload.filename
    assert len(upload.filename) <= 100
    assert "/" not in upload.filename


def test_a_deleted_upload_is_gone(context: None) -> None:
    """A job whose row was deleted ends with an error of its own, which the job does not retry."""
    with pytest.raises(Gone, match="upload 7"):
        thumbnails.make(7)
