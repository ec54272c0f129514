"""The only preprocessing: an upright picture to the square of pixels that a model sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermalens.core.spec import PreprocessSpec

SquarePixels = NDArray[np.uint8]  # [side, side, 3], RGB, upright

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def centre_square(width: int, height: int) -> tuple[int, int, int, int]:
    """The largest centred square of a picture: left, upper, right, lower in pixels."""
    side = min(width, height)
    left, upper = (width - side) // 2, (height - side) // 2
    return left, upper, left + side, upper + side


def preprocess(picture: Image.Image, spec: PreprocessSpec) -> SquarePixels:
    """Cut the square out of an upright RGB picture and resize it; uint8 [side, side, 3]."""
    side = spec.side_pixels
    square = picture.resize((side, side), _FILTERS[spec.interpolation], box=centre_square(*picture.size))
    return np.asarray(square)
