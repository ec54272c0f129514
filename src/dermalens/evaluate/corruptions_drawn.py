"""What a dermatoscope adds, drawn, uint8 [S, S, 3] to the same: dark corners, hairs, the marks of a ruler.

The kinds are those of SAM-C (Maron et al., European Journal of Cancer 155, 191, 2021); the drawings are our own.
Lengths are shares of the side of the square. With the same generator a higher severity draws what a lower one does,
and more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from dermalens.evaluate.severity import level
from dermalens.transforms.preprocess import SquarePixels

DARK_CORNERS: Final = (1.25, 1.12, 1.0, 0.88, 0.76)
"""Radius of the round field, of half the side; at 1.41 nothing is dark."""

CORNER_COLOUR: Final = (8, 8, 10)
CORNER_SOFTNESS: Final = 0.02
"""Width of the edge of the field."""

HAIRS: Final = (4, 9, 16, 27, 42)
"""How many."""

HAIR_WIDTHS: Final = (0.005, 0.012)
"""About 0.07 mm: a field of 10 mm shows 2 to 5 pixels of an original with 450."""

FINENESS: Final = 4
"""Lines are drawn on so many pixels for each pixel of the square and averaged, so that their edges are smooth."""


@dataclass(frozen=True, slots=True)
class Ruler:
    """How much of a ruler is seen."""

    edges: int
    length: float
    """Of the short marks; every fifth is longer by `LONG_MARK`."""
    width: float


RULER: Final = (
    Ruler(1, 0.03, 0.004),
    Ruler(1, 0.05, 0.006),
    Ruler(2, 0.06, 0.007),
    Ruler(3, 0.07, 0.009),
    Ruler(4, 0.09, 0.012),
)
MARK_DISTANCE: Final = 0.05
"""One millimetre where the side of the square is 20 mm."""
LONG_MARK: Final = 1.8
RULER_COLOUR: Final = (25, 25, 32)


def dark_corners(pixels: SquarePixels, severity: int, random: np.random.Generator) -> SquarePixels:
    """The round field of a dermatoscope, not quite in the middle: all outside is black."""
    half = len(pixels) / 2
    centre = half * (1 + random.uniform(-0.06, 0.06, 2))
    y, x = np.ogrid[: len(pixels), : len(pixels)]
    distance = np.hypot(y + 0.5 - centre[0], x + 0.5 - centre[1])
    inside = np.clip((level(DARK_CORNERS, severity) * half - distance) / (CORNER_SOFTNESS * len(pixels)) + 0.5, 0, 1)
    values = CORNER_COLOUR + inside[:, :, None] * (pixels - np.array(CORNER_COLOUR))
    return np.asarray(np.rint(values), dtype=np.uint8)


def hair(pixels: SquarePixels, severity: int, random: np.random.Generator) -> SquarePixels:
    """Dark, slightly bent hairs across the picture."""
    count = level(HAIRS, severity)

    def draw(on: ImageDraw.ImageDraw, side: int) -> None:
        for _ in range(count):
            _draw_hair(on, side, random)

    return _drawn(pixels, draw)


def _draw_hair(on: ImageDraw.ImageDraw, side: int, random: np.random.Generator) -> None:
    """One hair: half a wave of random height about a straight line through a random place."""
    middle, angle = random.uniform(0, side, 2), random.uniform(0, math.pi)
    length, bend = side * random.uniform(0.4, 1.4), side * random.uniform(-0.15, 0.15)
    width, shade = random.uniform(*HAIR_WIDTHS), random.uniform(0, 1)
    forward = np.array([math.cos(angle), math.sin(angle)])
    sideways = np.array([-forward[1], forward[0]])
    t = np.linspace(-0.5, 0.5, 25)[:, None]
    places = middle + length * t * forward + bend * np.cos(math.pi * t) * sideways
    colour = (round(25 + 45 * shade), round(18 + 28 * shade), round(15 + 20 * shade))
    on.line([(x, y) for x, y in places.tolist()], fill=colour, width=max(1, round(width * side)), joint="curve")


def ruler(pixels: SquarePixels, severity: int, random: np.random.Generator) -> SquarePixels:
    """The marks of a ruler along one to four edges of the picture."""
    seen = level(RULER, severity)
    edges, start = random.permutation(4).tolist(), random.uniform(0, 5 * MARK_DISTANCE)
    for edge in edges[: seen.edges]:
        turned = np.ascontiguousarray(np.rot90(pixels, edge))
        pixels = np.ascontiguousarray(np.rot90(_drawn(turned, _marks(seen, start)), -edge))
    return pixels


def _marks(seen: Ruler, start: float) -> Callable[[ImageDraw.ImageDraw, int], None]:
    """Draws marks down from the upper edge, the first long one at `start`."""

    def draw(on: ImageDraw.ImageDraw, side: int) -> None:
        for number in range(-5, math.ceil(1 / MARK_DISTANCE) + 1):
            left = (start + number * MARK_DISTANCE) * side
            length = seen.length * (1 if number % 5 else LONG_MARK) * side
            on.rectangle((left, 0, left + seen.width * side, length), fill=RULER_COLOUR)

    return draw


def _drawn(pixels: SquarePixels, draw: Callable[[ImageDraw.ImageDraw, int], None]) -> SquarePixels:
    """The picture with what `draw` lays on it; each pixel that it does not touch stays exactly as it is."""
    side = FINENESS * len(pixels)
    large = Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST)
    draw(ImageDraw.Draw(large), side)
    return np.array(large.reduce(FINENESS))
