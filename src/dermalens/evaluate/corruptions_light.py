"""Light, uint8 [S, S, 3] to the same: over- and underexposed, flat.

Exposure is changed in linear light, as an aperture or a lamp does; Hendrycks and Dietterich (ICLR 2019) add to the
value of HSV instead.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from dermalens.core.srgb import encoded, linear_light
from dermalens.evaluate.severity import level
from dermalens.transforms.preprocess import SquarePixels

BRIGHTER: Final = (0.2, 0.4, 0.6, 0.85, 1.15)
"""Stops of overexposure: each doubles the light; what is above white is lost."""

DARKER: Final = (0.5, 1.0, 1.6, 2.3, 3.0)
"""Stops of underexposure: each halves the light."""

CONTRAST: Final = (0.75, 0.55, 0.4, 0.27, 0.17)
"""By what the distance of each value from the mean colour is multiplied."""


def brighter(pixels: SquarePixels, severity: int, _random: np.random.Generator) -> SquarePixels:
    """Overexposed."""
    return exposed(pixels, level(BRIGHTER, severity))


def darker(pixels: SquarePixels, severity: int, _random: np.random.Generator) -> SquarePixels:
    """Underexposed."""
    return exposed(pixels, -level(DARKER, severity))


def contrast(pixels: SquarePixels, severity: int, _random: np.random.Generator) -> SquarePixels:
    """Flat, as through a dirty or fogged lens: all colours draw near to their mean."""
    mean = pixels.mean(axis=(0, 1))
    return np.asarray(np.rint(mean + level(CONTRAST, severity) * (pixels - mean)), dtype=np.uint8)


def exposed(pixels: SquarePixels, stops: float) -> SquarePixels:
    """With so many times the light, 2 to the power of `stops`; what is above white is lost."""
    every_value = np.arange(256, dtype=np.uint8)
    return np.asarray(encoded(linear_light(every_value) * 2.0**stops)[pixels])
