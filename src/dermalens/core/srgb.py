"""Colours of a picture: sRGB to linear light and back, and to CIELAB."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Colours = NDArray[np.uint8]  # [..., 3], sRGB
Linear = NDArray[np.float64]  # [..., 3], 0 (black) to 1 (white), proportional to light
Lab = NDArray[np.float64]  # [..., 3], L* 0 to 100, a* (green to red), b* (blue to yellow)

_TO_XYZ: Final = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
"""Linear sRGB to CIE XYZ: the primaries of IEC 61966-2-1 with the white point D65."""

_WHITE: Final = _TO_XYZ.sum(axis=1)
"""XYZ of white (D65, 2 degrees), so that equal red, green and blue have a* = b* = 0."""

_DELTA: Final = 6 / 29
"""Below the cube of it the cube root goes over into a straight line. CIE 15:2004, section 8.2.1."""


def _decoded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


_LINEAR: Final = _decoded(np.arange(256) / 255)


def linear_light(colours: Colours) -> Linear:
    """Light of 8-bit sRGB values (IEC 61966-2-1)."""
    return np.asarray(_LINEAR[colours])


def encoded(light: Linear) -> Colours:
    """8-bit sRGB values of light; what is outside 0 to 1 is clipped (IEC 61966-2-1)."""
    inside = np.clip(light, 0, 1)
    values = np.where(inside <= 0.0031308, 12.92 * inside, 1.055 * inside ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * values).astype(np.uint8))


def cielab(colours: Colours) -> Lab:
    """CIELAB of 8-bit sRGB colours under D65 (CIE 15:2004, section 8.2.1).

    >>> cielab(np.array([255, 255, 255], np.uint8)).round(6).tolist()
    [100.0, 0.0, 0.0]
    """
    relative = linear_light(colours) @ _TO_XYZ.T / _WHITE
    x, y, z = np.moveaxis(np.where(relative > _DELTA**3, np.cbrt(relative), relative / (3 * _DELTA**2) + 4 / 29), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
