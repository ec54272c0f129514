"""Blur, uint8 [S, S, 3] to the same: out of focus, moved, zoomed. Lengths are shares of the side of the square.

After Hendrycks and Dietterich, ICLR 2019, with milder steps at the start: a dermatoscope stands on the skin.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.signal import fftconvolve

from dermalens.evaluate.severity import level
from dermalens.transforms.preprocess import SquarePixels

DEFOCUS: Final = (0.006, 0.011, 0.018, 0.027, 0.038)
"""Radius of the disc that a point becomes."""

MOTION: Final = (0.025, 0.045, 0.07, 0.095, 0.125)
"""Length of the line that a point becomes."""

ZOOM: Final = (1.05, 1.10, 1.15, 1.21, 1.28)
"""Largest magnification during the exposure."""

ZOOM_STEP_PIXELS: Final = 1.5
"""By how much the edge of the picture moves from one of the averaged magnifications to the next."""

Kernel = NDArray[np.float64]  # [odd side, odd side], sums to one


def defocus_blur(pixels: SquarePixels, severity: int, _random: np.random.Generator) -> SquarePixels:
    """Lens out of focus: the mean over a disc."""
    radius = level(DEFOCUS, severity) * len(pixels)
    distance = np.hypot(*_grid(math.ceil(radius)))
    return _convolved(pixels, np.clip(radius + 0.5 - distance, 0, 1))


def motion_blur(pixels: SquarePixels, severity: int, random: np.random.Generator) -> SquarePixels:
    """Hand or patient moved during the exposure: the mean over a straight line in a random direction."""
    half = level(MOTION, severity) * len(pixels) / 2
    angle = random.uniform(0, math.pi)
    y, x = _grid(math.ceil(half))
    along = np.abs(x * math.cos(angle) + y * math.sin(angle))
    across = np.abs(y * math.cos(angle) - x * math.sin(angle))
    return _convolved(pixels, np.clip(half + 0.5 - along, 0, 1) * np.clip(1 - across, 0, 1))


def zoom_blur(pixels: SquarePixels, severity: int, _random: np.random.Generator) -> SquarePixels:
    """Camera moved towards the skin during the exposure: the mean of the picture at several magnifications."""
    side, largest = len(pixels), level(ZOOM, severity)
    count = 1 + math.ceil((largest - 1) / 2 * side / ZOOM_STEP_PIXELS)
    picture = Image.fromarray(pixels)
    total = np.zeros(pixels.shape)
    for zoom in np.linspace(1, largest, count).tolist():
        edge = side * (1 - 1 / zoom) / 2
        box = (edge, edge, side - edge, side - edge)
        total += np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR, box=box))
    return np.rint(total / count).astype(np.uint8)


def _grid(radius: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Offsets from the middle, one pixel wider than `radius`."""
    y, x = np.mgrid[-radius - 1 : radius + 2, -radius - 1 : radius + 2]
    return y, x


def _convolved(pixels: SquarePixels, weights: NDArray[np.float64]) -> SquarePixels:
    """The picture, mirrored at its edges, under a kernel of `weights` brought to a sum of one."""
    kernel: Kernel = weights / weights.sum()
    margin = len(kernel) // 2
    wide = np.pad(pixels.astype(np.float64), ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    blurred = fftconvolve(wide, kernel[:, :, None], mode="valid", axes=(0, 1))
    return np.asarray(np.rint(blurred).clip(0, 255), dtype=np.uint8)
