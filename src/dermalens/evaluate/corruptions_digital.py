"""Loss on the way, uint8 [S, S, 3] to the same: JPEG at low quality, few pixels.

After Hendrycks and Dietterich, ICLR 2019.
"""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from PIL import Image

from dermalens.evaluate.severity import level
from dermalens.transforms.preprocess import SquarePixels

JPEG_QUALITY: Final = (50, 30, 20, 12, 7)
"""Pillow's quality, with the colours at half the resolution."""

PIXELATE: Final = (0.7, 0.5, 0.36, 0.26, 0.18)
"""Side to which the square is reduced, as a share of its own."""


def jpeg(pixels: SquarePixels, severity: int, _random: np.random.Generator) -> SquarePixels:
    """Compressed as by a messenger."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG", quality=level(JPEG_QUALITY, severity), subsampling="4:2:0")
    with Image.open(file) as lossy:
        return np.array(lossy)


def pixelate(pixels: SquarePixels, severity: int, _random: np.random.Generator) -> SquarePixels:
    """Reduced to few pixels and enlarged again without smoothing."""
    side = len(pixels)
    few = max(1, round(level(PIXELATE, severity) * side))
    small = Image.fromarray(pixels).resize((few, few), Image.Resampling.BOX)
    return np.array(small.resize((side, side), Image.Resampling.NEAREST))
