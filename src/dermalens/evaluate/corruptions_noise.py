"""Noise of a sensor, uint8 [S, S, 3] to the same. It is drawn for each pixel of the square, whatever its side.

The four kinds of Hendrycks and Dietterich, ICLR 2019, and of SAM-C (Maron et al., European Journal of Cancer 155, 191,
2021); weaker than ImageNet-C, whose strongest noise drowns a lesion for a human eye as well.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.evaluate.severity import level
from dermalens.transforms.preprocess import SquarePixels

GAUSSIAN: Final = (0.03, 0.06, 0.09, 0.13, 0.18)
"""Standard deviation, of a range of 1."""

SHOT: Final = (250, 100, 50, 25, 12)
"""Photons that a white value stands for; the fewer, the noisier."""

IMPULSE: Final = (0.005, 0.015, 0.03, 0.06, 0.1)
"""Share of the values that become black or white."""

SPECKLE: Final = (0.06, 0.12, 0.18, 0.25, 0.35)
"""Standard deviation of the factor by which each value is multiplied."""


def gaussian_noise(pixels: SquarePixels, severity: int, random: np.random.Generator) -> SquarePixels:
    """Noise of a sensor's electronics in poor light: the same everywhere."""
    deviation = level(GAUSSIAN, severity)
    return _rounded(pixels + 255 * deviation * random.standard_normal(pixels.shape))


def shot_noise(pixels: SquarePixels, severity: int, random: np.random.Generator) -> SquarePixels:
    """Noise of light itself, which comes in photons: Poisson counts."""
    photons = level(SHOT, severity)
    return _rounded(random.poisson(pixels / 255 * photons) * (255 / photons))


def impulse_noise(pixels: SquarePixels, severity: int, random: np.random.Generator) -> SquarePixels:
    """Single values that are black or white, as from dead pixels and bit errors."""
    share = level(IMPULSE, severity)
    chance, is_white = random.random(pixels.shape), random.random(pixels.shape) < 0.5
    return np.where(chance < share, np.where(is_white, 255, 0), pixels).astype(np.uint8)


def speckle_noise(pixels: SquarePixels, severity: int, random: np.random.Generator) -> SquarePixels:
    """Noise that grows with the brightness."""
    deviation = level(SPECKLE, severity)
    return _rounded(pixels * (1 + deviation * random.standard_normal(pixels.shape)))


def _rounded(values: NDArray[np.floating]) -> SquarePixels:
    return np.asarray(np.rint(values).clip(0, 255), dtype=np.uint8)
