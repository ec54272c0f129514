"""The only preprocessing: an upright picture to the square of pixels that a model sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermalens.core.errors import ImageError
from dermalens.core.spec import PreprocessSpec
from dermalens.transforms.clean import clean

SquarePixels = NDArray[np.uint8]  # [side, side, 3], RGB, upright

Box = tuple[float, float, float, float]  # left, upper, right, lower in pixels of the picture

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def centre_square(width: int, height: int) -> Box:
    """The largest centred square; where the difference of the sides is odd it lies on half pixels.

    A box on whole pixels would move by one when the picture is mirrored, and so would the answer.

    >>> centre_square(600, 450)
    (75.0, 0.0, 525.0, 450.0)
    >>> centre_square(5, 4)
    (0.5, 0.0, 4.5, 4.0)
    """
    side = min(width, height)
    left, upper = (width - side) / 2, (height - side) / 2
    return left, upper, left + side, upper + side


def preprocess(picture: Image.Image, spec: PreprocessSpec, *, box: Box | None = None) -> SquarePixels:
    """Cut the square out of an upright RGB picture, resize and clean it; uint8 [side, side, 3], contiguous, writable.

    `box` is a square of the picture to take instead of the centre. A JPEG may have been decoded at reduced
    scale: multiply pixels of the original by `picture.width / decoded.original_size[0]`.

    Raises:
        ImageError: the box is not a square within the picture.
        MissingExtraError: a cleaning step needs OpenCV, which is not installed.
    """
    square = centre_square(*picture.size) if box is None else _checked(box, picture.size)
    side = spec.side_pixels
    return clean(np.array(picture.resize((side, side), _FILTERS[spec.interpolation], box=square)), spec.clean)


def _checked(box: Box, size: tuple[int, int]) -> Box:
    left, upper, right, lower = box
    is_inside = 0 <= left < right <= size[0] and 0 <= upper < lower <= size[1]
    if not is_inside or abs((right - left) - (lower - upper)) > 1:
        raise ImageError(
            f"The box is {left:g}, {upper:g}, {right:g}, {lower:g} (left, upper, right, lower); needed is a square "
            f"within the {size[0]} x {size[1]} picture. Choose it anew."
        )
    return box
