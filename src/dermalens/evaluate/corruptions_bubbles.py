"""Immersion gel, drawn, uint8 [S, S, 3] to the same: air bubbles in it, and a film of it that blurs and shines.

The kind is that of SAM-C (Maron et al., European Journal of Cancer 155, 191, 2021); the drawing is our own. Lengths are
shares of the side of the square. With the same generator a higher severity draws what a lower one does, and more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from dermalens.evaluate.severity import level
from dermalens.transforms.preprocess import SquarePixels

Field = NDArray[np.float64]  # [S, S]


@dataclass(frozen=True, slots=True)
class Gel:
    """How much of it."""

    bubbles: int
    film: float
    """Opacity of the film where it is thickest."""


GEL: Final = (Gel(4, 0.15), Gel(9, 0.3), Gel(16, 0.45), Gel(27, 0.6), Gel(42, 0.75))
RADII: Final = (0.012, 0.07)
RIM: Final = 0.16
"""Width of a bubble's rim, of its radius."""
FILM_BLUR: Final = 0.012
"""Standard deviation of the blur under the film."""
FILM_LIGHT: Final = 30
"""Grey levels by which the film is brighter than what lies under it."""


def bubbles(pixels: SquarePixels, severity: int, random: np.random.Generator) -> SquarePixels:
    """Air bubbles with a lit and a dark side of their rim, under a film that blurs and brightens in patches."""
    gel, side = level(GEL, severity), len(pixels)
    light = random.uniform(0, 2 * math.pi)
    film = gel.film * _film(side, random)[:, :, None]
    blurred = gaussian_filter(pixels.astype(np.float64), (FILM_BLUR * side, FILM_BLUR * side, 0), mode="reflect")
    values = pixels + film * (blurred + FILM_LIGHT - pixels)
    for _ in range(gel.bubbles):
        _blow(values, light, random)
    return np.asarray(np.rint(values).clip(0, 255), dtype=np.uint8)


def _film(side: int, random: np.random.Generator) -> Field:
    """Thickness 0 to 1 of the film: smooth patches over about half of the picture."""
    coarse = Image.fromarray(random.standard_normal((6, 6)).astype(np.float32))
    smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float64)
    return np.clip(0.5 + smooth, 0, 1)


def _blow(values: NDArray[np.float64], light: float, random: np.random.Generator) -> None:
    """Lay one bubble on `values` [S, S, 3], lit from the angle `light`."""
    side = len(values)
    centre, radius = random.uniform(0, side, 2), side * RADII[0] * (RADII[1] / RADII[0]) ** random.uniform(0, 1)
    reach = 1.6 * radius + 2
    low, high = np.clip(np.floor([centre - reach, centre + reach]).astype(int), 0, side)
    y, x = np.ogrid[low[0] : high[0], low[1] : high[1]]
    values[low[0] : high[0], low[1] : high[1]] += _bubble(y + 0.5 - centre[0], x + 0.5 - centre[1], radius, light)


def _bubble(dy: NDArray[np.float64], dx: NDArray[np.float64], radius: float, light: float) -> NDArray[np.float64]:
    """Grey levels that a bubble adds at offsets dy [h, 1] and dx [1, w] from its middle; [h, w, 1]."""
    distance = np.hypot(dy, dx)
    rim = np.exp(-(((distance - radius) / max(RIM * radius, 0.7)) ** 2))
    lit = (dx * math.cos(light) + dy * math.sin(light)) / np.maximum(distance, 1e-9)
    glint = np.exp(-((dx / radius - 0.45 * math.cos(light)) ** 2 + (dy / radius - 0.45 * math.sin(light)) ** 2) / 0.02)
    inside = np.clip(radius + 0.5 - distance, 0, 1)
    return np.asarray((70 * rim * lit + 10 * inside + 140 * glint)[:, :, None])
