"""Kept images: pixels and nothing else, each under the hash of its content."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from dermalens.core.header import MAX_PIXELS, check_size, damage_as_image_error
from dermalens.core.image import open_upright
from dermalens.records.durable import make_folder, remove_durably, sync_name, write_durably
from dermalens.records.errors import RecordsError, told

_QUICK: Final = 1
"""PNG's compression: level 1 takes a third of the time of level 6 and a tenth more room."""


def only_pixels(data: bytes) -> bytes:
    """A new PNG of the upright sRGB pixels at full resolution.

    It is built from the bare pixels, because a picture that Pillow has read carries comment, text, EXIF, XMP and
    profile along into the next file that it is saved to. A picture of 80 megapixels takes 765 MiB meanwhile (measured):
    a server lets few be made at a time.

    Raises:
        ImageError: the bytes are no picture within the limits.
    """
    bare = Image.frombytes("RGB", *_pixels(data))
    stream = io.BytesIO()
    bare.save(stream, "PNG", compress_level=_QUICK)
    return stream.getvalue()


def _pixels(data: bytes) -> tuple[tuple[int, int], bytes]:
    """Size and RGB values; the picture itself is let go, since both together would be the most that is held."""
    picture = open_upright(data, wanted_side_pixels=MAX_PIXELS)  # wanted so large that nothing is reduced
    return picture.size, picture.tobytes()


def picture_of(png: bytes) -> Image.Image:
    """The picture of a kept image: upright, RGB, sRGB and not decoded yet.

    The limit on bytes is for files that are sent. A JPEG of 50 megapixels within it may well be a PNG beyond it.

    Raises:
        ImageError: it has more pixels than are decoded.
    """
    with damage_as_image_error("PNG"):
        picture = PngImageFile(io.BytesIO(png))
    check_size(*picture.size)
    return picture


@dataclass(frozen=True, slots=True)
class ImageStore:
    """A folder of images, `images/ab/abcd...png`, and one for temporary files."""

    folder: Path
    temporary: Path

    def path_of(self, sha256: str) -> Path:
        """Where the image of this hash lies or would lie."""
        return self.folder / sha256[:2] / f"{sha256}.png"

    def has(self, sha256: str) -> bool:
        """Whether the image is there."""
        return self.path_of(sha256).exists()

    def put(self, png: bytes) -> str:
        """Have the image on the disk; returns its SHA-256. One that is there already is not written again.

        Raises:
            RecordsError: the disk is full or may not be written.
        """
        sha256 = hashlib.sha256(png).hexdigest()
        target = self.path_of(sha256)
        with told():
            if self.has(sha256):
                sync_name(target)  # whoever wrote it may not have come so far
            else:
                write_durably(target, png, self.temporary)
        return sha256

    def read(self, sha256: str) -> bytes:
        """The PNG.

        Raises:
            RecordsError: the file is missing or damaged.
        """
        with told():
            png = self.path_of(sha256).read_bytes()
        if hashlib.sha256(png).hexdigest() != sha256:
            raise RecordsError(f"The image {sha256[:12]} in the data folder is damaged. Bring it back from a backup.")
        return png

    def remove(self, sha256: str) -> bool:
        """Remove the image; the caller has the writers' turn and knows that no case refers to it."""
        with told():
            return remove_durably(self.path_of(sha256))

    def make_folders(self) -> None:
        """Make both folders."""
        with told():
            make_folder(self.folder)
            make_folder(self.temporary)

    def shards(self) -> Iterator[tuple[str, list[Path]]]:
        """The images by the two letters of their folder."""
        with told():
            for shard in sorted(self.folder.iterdir()):
                yield shard.name, sorted(shard.glob("*.png"))
