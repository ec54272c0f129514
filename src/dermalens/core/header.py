"""What the head of a file says: which format it is and how large; no pixel is decoded here.

The six formats are a table of Pillow's own readers rather than `PIL.Image.open`, which would import some forty
further readers (EPS and PDF among them) for a WebP or TIFF, and warn where an error is wanted.
"""

from __future__ import annotations

import codecs
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Final

from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import jpeg_factory
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from dermalens.core.errors import FormatError, ImageError

MAX_BYTES: Final = 64 * 1024 * 1024
"""A file: a 20-megapixel picture without any compression has 60 MB."""

MAX_PIXELS: Final = 89_000_000
"""A picture: four bytes a pixel make 356 MB while it is decoded, nine with alpha 800 MB; Pillow itself warns from 89.5
million on."""

MIN_SIDE_PIXELS: Final = 32
"""The shorter side: below it a lesion is a blot, and the smallest square of a spec has this side."""

MAX_ASPECT: Final = 6.0
"""Longer to shorter side: of a longer strip the centre square shows less than a sixth."""

FORMATS: Final = "JPEG, PNG, WebP, TIFF, BMP or GIF"

_Reader = Callable[[IO[bytes], str], ImageFile.ImageFile]

_READERS: Final[tuple[tuple[str, tuple[bytes, ...], _Reader], ...]] = (
    ("JPEG", (b"\xff\xd8\xff",), jpeg_factory),
    ("PNG", (b"\x89PNG\r\n\x1a\n",), PngImageFile),
    ("TIFF", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), TiffImageFile),
    ("GIF", (b"GIF87a", b"GIF89a"), GifImageFile),
    ("BMP", (b"BM",), BmpImageFile),
    ("WebP", (b"RIFF",), WebPImageFile),
)

_FOREIGN: Final = (
    (4, b"ftypavif", "an AVIF picture"),
    (4, b"ftyp", "a HEIC picture or a film"),
    (128, b"DICM", "a DICOM file"),
    (0, b"%PDF", "a PDF"),
    (0, b"PK\x03\x04", "a ZIP archive or an office document"),
    (0, b"\0\0\0\x0cjP", "a JPEG 2000 picture"),
)

_DAMAGE: Final = (OSError, SyntaxError, ValueError, TypeError, IndexError, EOFError, struct.error, zlib.error)
"""What Pillow raises for damaged bytes, found with some 600,000 damaged files (`tests/core/test_image_fuzz.py`);
TypeError is a TIFF whose number is marked as text, IndexError a GIF that ends in its second frame."""

_LONG_TEXT: Final = "PngImagePlugin.MAX_TEXT"
"""In Pillow's words for a PNG with more text than it unpacks (1 MB a piece, 64 MB in all), which may be intact."""

NO_MEMORY: Final = (
    "There is not enough memory to decode the picture; needed are some 10 bytes a pixel. Crop it to the lesion or "
    "reduce it."
)

_NO_MEMORY: Final = "out of memory"
"""In Pillow's words of its decoders."""


@contextmanager
def damage_as_image_error(kind: str) -> Iterator[None]:
    """Turn what Pillow raises for bad bytes, or for want of memory, into an ImageError which says what to do."""
    try:
        with memory_as_image_error():
            yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(
            f"The {kind} file says that it has more than {MAX_PIXELS / 1e6:.0f} megapixels, the most that are decoded. "
            "Crop it to the lesion or reduce it."
        ) from error
    except _DAMAGE as error:
        if _LONG_TEXT in str(error):
            raise ImageError(
                f"The {kind} file carries more text beside the picture than is read. Export it without its metadata."
            ) from error
        if _NO_MEMORY in str(error):
            raise ImageError(NO_MEMORY) from error
        detail = " ".join(str(error).split())[:100] or type(error).__name__
        raise ImageError(
            f"The {kind} file is damaged or cut off ({detail}); needed is the complete file. Copy or export it again."
        ) from error


@contextmanager
def memory_as_image_error() -> Iterator[None]:
    """Turn a want of memory into an ImageError: one large picture ends no run of many."""
    try:
        yield
    except MemoryError as error:
        raise ImageError(NO_MEMORY) from error


def open_header(data: bytes) -> ImageFile.ImageFile:
    """Find the format by the first bytes and read the header; the picture's size is within the limits.

    Raises:
        FormatError: the bytes are of another format.
        ImageError: they are none, too many or damaged, or the size is out of bounds.
    """
    check_bytes(len(data))
    for kind, starts, reader in _READERS:
        if data.startswith(starts) and not _is_other_riff(data):
            with damage_as_image_error(kind):
                picture = reader(io.BytesIO(data), "")
            check_size(*picture.size)
            return picture
    raise FormatError(
        f"The file is {_looks_like(data)}, whatever its name says; needed is {FORMATS}. "
        "Export the picture in one of these formats."
    )


def check_size(width: int, height: int) -> None:
    """Refuse a picture whose size, in pixels, is out of bounds."""
    shorter, longer = sorted((width, height))
    given = f"The picture has {width} x {height} pixels"
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{given} ({width * height / 1e6:.0f} megapixels); at most {MAX_PIXELS / 1e6:.0f} megapixels are decoded. "
            "Crop it to the lesion or reduce it."
        )
    if shorter < MIN_SIDE_PIXELS:
        raise ImageError(
            f"{given}; needed are at least {MIN_SIDE_PIXELS} on the shorter side. Use the original, not a thumbnail."
        )
    if longer > MAX_ASPECT * shorter:
        raise ImageError(
            f"{given}, a strip of {longer / shorter:.1f}:1; needed is at most {MAX_ASPECT:.0f}:1. "
            "Crop it to the lesion with some skin around it."
        )


def check_bytes(number: int) -> None:
    """Refuse a file that has no bytes or too many."""
    if number == 0:
        raise ImageError(f"The file is empty (0 bytes); needed is {FORMATS}. Copy or export it again.")
    if number > MAX_BYTES:
        raise ImageError(
            f"The file has {number / 2**20:.1f} MiB; at most {MAX_BYTES // 2**20} MiB are read. "
            "Save it as JPEG or crop it to the lesion."
        )


def _is_other_riff(data: bytes) -> bool:
    """Whether it begins as a WebP does and is none, such as a sound; one that is cut off within its name may be one."""
    return data.startswith(b"RIFF") and not b"WEBP".startswith(data[8:12])


def _looks_like(data: bytes) -> str:
    for offset, mark, name in _FOREIGN:
        if data[offset:].startswith(mark):
            return name
    try:  # incremental, because the cut may go through a letter
        start = codecs.getincrementaldecoder("utf-8")().decode(data[:512])
    except UnicodeDecodeError:
        return "no picture of a known format"
    return "no picture of a known format" if "\0" in start else "text"
