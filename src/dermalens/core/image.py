"""Bytes, a Pillow picture or an array to an upright RGB picture in sRGB, with limits (`core/header.py`)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import Base
from PIL.JpegImagePlugin import JpegImageFile

from dermalens.core.colour import NOTE_16_BIT, is_16_bit, to_srgb
from dermalens.core.errors import ImageError
from dermalens.core.header import (
    MAX_BYTES,
    check_bytes,
    check_size,
    damage_as_image_error,
    memory_as_image_error,
    open_header,
)
from dermalens.core.square import Box, Square

OVERSAMPLING: Final = 2
"""A JPEG is decoded at 1/2, 1/4 or 1/8 of its size when that leaves this many times the wanted side.

Only where both sides are multiples of 2, 4 or 8, as a camera's are: else the last row or column is part padding, and
half a pixel of shift at 1608 x 1201 made the square differ by 18 grey levels instead of 3.

Measured on a lesion with drawn hairs and noise, 4000 x 3000, wanted 224: decoded to 1000 x 750 (this rule) the square
differs from that of the full decode by 0.23 grey levels in the mean, 4 at most, and takes 39 instead of 129 ms; at
500 x 375 it would be 0.66 and 14.
"""

NOTE_ANIMATION: Final = "The file is an animation; its first frame was used."
NOTE_PAGES: Final = "The file has several pages; the first was used."
NOTE_BAD_EXIF: Final = "The EXIF data is damaged and was ignored; check that the picture is upright."

_TURN: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation to what turns the picture upright; 5 to 8 swap width and height."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture that is ready to be cut and resized."""

    picture: Image.Image
    """Upright, mode RGB, sRGB; possibly decoded at a reduced scale."""
    original_size: tuple[int, int]
    """Width and height in pixels of the upright picture at full resolution."""
    notes: tuple[str, ...] = ()
    """What was done to it that the reader should know, in plain sentences."""

    def scaled(self, square: Square) -> Box:
        """The box, in pixels of `picture`, of a square of the original."""
        across, down = (now / before for now, before in zip(self.picture.size, self.original_size, strict=True))
        left, upper, right, lower = square.box
        return left * across, upper * down, right * across, lower * down


def read_file(path: Path) -> bytes:
    """The bytes of an image file; a file above the limit is refused before it is read.

    Raises:
        ImageError: the file is missing, is a folder, cannot be read or is too large.
    """
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            if S_ISREG(state.st_mode):  # a pipe has no size
                check_bytes(state.st_size)
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise ImageError(f"{path} cannot be read: {reason}. Needed is an image file; check the path.") from error
    check_bytes(len(data))
    return data


@memory_as_image_error()
def decode(data: bytes, *, wanted_side_pixels: int, square_side: float | None = None) -> Decoded:
    """Decode an image file; a JPEG that is much larger than `wanted_side_pixels` at a reduced scale.

    `square_side` is the side, in pixels of the original, of the square that is wanted; its shorter side otherwise.

    Raises:
        ImageError: the bytes are not a complete picture of a known format within the limits, or memory is short.
    """
    picture = open_header(data)
    original_size = picture.size
    with damage_as_image_error(picture.format or "image"):
        notes = _frames_note(picture)
    if isinstance(picture, JpegImageFile):
        reduction = _reduction(*picture.size, wanted_side_pixels, square_side or min(picture.size))
        picture.draft(None, (original_size[0] // reduction, original_size[1] // reduction))
    return _finish(picture, original_size, notes)


def open_upright(data: bytes, *, wanted_side_pixels: int) -> Image.Image:
    """Only the picture of `decode`."""
    return decode(data, wanted_side_pixels=wanted_side_pixels).picture


@memory_as_image_error()
def from_picture(picture: Image.Image) -> Decoded:
    """A Pillow picture of any mode, at full resolution; EXIF orientation and colour profile are obeyed.

    Raises:
        ImageError: the picture is out of bounds, has floating-point pixels or its file is damaged.
    """
    check_size(*picture.size)
    return _finish(picture, picture.size, ())


@memory_as_image_error()
def from_array(array: NDArray[np.generic]) -> Decoded:
    """Pixels [height, width], [height, width, 3] (RGB) or [height, width, 4] (RGBA), uint8 or uint16, upright.

    Raises:
        ImageError: another shape or type, or a size out of bounds.
    """
    _check_array(array)
    height, width = array.shape[:2]
    check_size(width, height)
    is_wide = array.dtype.itemsize == 2
    pixels = np.asarray(array, dtype=np.uint16) >> 8 if is_wide else array
    picture, notes = to_srgb(Image.fromarray(np.ascontiguousarray(pixels, dtype=np.uint8)))
    return Decoded(picture, (width, height), ((NOTE_16_BIT,) if is_wide else ()) + notes)


def _reduction(width: int, height: int, wanted_side_pixels: int, square_side: float) -> int:
    """By how much a JPEG is reduced while it is decoded: 1, 2, 4 or 8."""
    largest = square_side // (OVERSAMPLING * wanted_side_pixels)
    fitting = [step for step in (8, 4, 2) if step <= largest and width % step == height % step == 0]
    return fitting[0] if fitting else 1


def _finish(picture: Image.Image, original_size: tuple[int, int], notes: tuple[str, ...]) -> Decoded:
    if is_16_bit(picture):
        notes += (NOTE_16_BIT,)
    with damage_as_image_error(picture.format or "image"):
        picture.load()
    orientation, exif_note = _orientation(picture)
    rgb, colour_notes = to_srgb(picture)
    if orientation in _TURN:
        rgb = rgb.transpose(_TURN[orientation])
    width, height = original_size
    size = (height, width) if orientation >= 5 else (width, height)
    return Decoded(rgb, size, notes + exif_note + colour_notes)


def _orientation(picture: Image.Image) -> tuple[int, tuple[str, ...]]:
    """EXIF orientation 1 to 8; 1 where there is none. Pillow has turned a TIFF already when it is loaded."""
    try:
        with damage_as_image_error("EXIF"):
            value = picture.getexif().get(Base.Orientation, 1)
    except ImageError:
        return 1, (NOTE_BAD_EXIF,)
    return (int(value) if value in _TURN else 1), ()


def _frames_note(picture: Image.Image) -> tuple[str, ...]:
    """MPO is the JPEG of a phone with a second picture for depth or brightness: no animation."""
    if picture.format == "MPO" or not getattr(picture, "is_animated", False):
        return ()
    return (NOTE_PAGES if picture.format == "TIFF" else NOTE_ANIMATION,)


def _check_array(array: NDArray[np.generic]) -> None:
    given = f"The array is {array.dtype} {list(array.shape)}"
    needed = "needed is uint8 or uint16 [height, width], [height, width, 3] (RGB) or [height, width, 4] (RGBA)"
    if array.dtype.kind == "f":
        hint = "If its values lie in 0..1, pass (array * 255).round().astype('uint8')."
        raise ImageError(f"{given}; {needed}. {hint}")
    if array.dtype.kind != "u" or array.dtype.itemsize > 2:
        raise ImageError(f"{given}; {needed}. If its values lie in 0..255, pass array.astype('uint8').")
    if array.ndim == 4:
        raise ImageError(f"{given}; {needed}. Pass the images one by one.")
    if array.ndim == 3 and array.shape[2] == 1:
        raise ImageError(f"{given}; {needed}. Take its one channel: array[..., 0].")
    if array.ndim == 3 and array.shape[0] in (3, 4) and array.shape[2] not in (3, 4):
        raise ImageError(f"{given}; {needed}. Put the channels last: array.transpose(1, 2, 0).")
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] not in (3, 4)):
        raise ImageError(f"{given}; {needed}. Pass one picture with its channels last.")
