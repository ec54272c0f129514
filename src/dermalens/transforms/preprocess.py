"""The only preprocessing: an upright picture to the square of pixels that a model sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermalens.core.errors import ImageError
from dermalens.core.spec import PreprocessSpec
from dermalens.core.square import Box, centre_of
from dermalens.transforms.clean import clean

SquarePixels = NDArray[np.uint8]  # [side, side, 3], RGB, upright

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def preprocess(picture: Image.Image, spec: PreprocessSpec, *, box: Box | None = None) -> SquarePixels:
    """Cut the square out of an upright RGB picture, resize and clean it; uint8 [side, side, 3], contiguous, writable.

    `box` is a square of the picture to take instead of the centre. A JPEG may have been decoded at reduced
    scale: `Decoded.scaled` gives the box of a square of the original.

    Raises:
        ImageError: the box is not a square within the picture.
        MissingExtraError: a cleaning step needs OpenCV, which is not installed.
    """
    return clean(cut(picture, spec, box=box), spec.clean)


def cut(picture: Image.Image, spec: PreprocessSpec, *, box: Box | None = None) -> SquarePixels:
    """The square of `preprocess` before it is cleaned: the photograph itself, of which quality and measures speak.

    Raises:
        ImageError: the box is not a square within the picture.
    """
    square = centre_of(*picture.size).box if box is None else _checked(box, picture.size)
    side = spec.side_pixels
    return np.array(picture.resize((side, side), _FILTERS[spec.interpolation], box=square))


def _checked(box: Box, size: tuple[int, int]) -> Box:
    left, upper, right, lower = box
    is_inside = 0 <= left < right <= size[0] and 0 <= upper < lower <= size[1]
    if not is_inside or abs((right - left) - (lower - upper)) > 1:
        raise ImageError(
            f"The box is {left:g}, {upper:g}, {right:g}, {lower:g} (left, upper, right, lower); needed is a square "
            f"within the {size[0]} x {size[1]} picture. Choose it anew."
        )
    return box
