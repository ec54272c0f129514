"""Which hairs and bubbles a training image gets: from a seed to numbers; no torch. Lengths are shares of the side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from dermalens.transforms.augment_draws import Numbers

HALF_LENGTHS: Final = (0.1, 0.8)
HALF_WIDTHS: Final = (0.0015, 0.007)
LARGEST_CURVATURE: Final = 2.5
"""One over the radius of the arc."""
LARGEST_BEND: Final = 0.9
"""Half length times curvature: less than a half circle, which is not a hair any more."""
HAIR_COLOURS: Final = ((0.10, 0.07, 0.06), (0.30, 0.20, 0.14), (0.75, 0.65, 0.50))
"""Black, brown and fair."""
HAIR_COLOUR_SHARES: Final = (0.5, 0.35, 0.15)
RADII: Final = (0.008, 0.09)
RIMS: Final = (0.08, 0.3)
"""Widths of a rim, of the radius."""
CONTRASTS: Final = (0.4, 1.3)


@dataclass(frozen=True, slots=True)
class Hairs:
    """Arcs and their colours."""

    arcs: Numbers
    """[N, 7]: the middle (across, down), cosine and sine of the direction there, curvature, half length, half width.

    The length is that of the straight line between the ends; half of it is less than the radius of the arc.
    """
    colours: Numbers
    """[N, 3], 0..1."""


@dataclass(frozen=True, slots=True)
class Bubbles:
    """Circles, lit from one side."""

    circles: Numbers
    """[N, 7]: the middle (across, down), radius, width of the rim, direction of the light (across, down), contrast."""


def hairs_of(seed: int, counts: tuple[int, int]) -> Hairs:
    """The hairs of one image: of one person, in half of the images mostly one way."""
    random = np.random.default_rng(seed)
    count = _count(random, counts)
    angle = random.uniform(0, np.pi) + random.normal(0, random.choice([0.3, 2.0]), count)
    curvature = random.uniform(-LARGEST_CURVATURE, LARGEST_CURVATURE, count)
    longest = LARGEST_BEND / np.maximum(np.abs(curvature), 1e-9)
    colour = np.array(HAIR_COLOURS)[random.choice(len(HAIR_COLOURS), p=HAIR_COLOUR_SHARES)]
    arcs = np.stack(
        [
            *random.uniform(-0.1, 1.1, (2, count)),
            np.cos(angle),
            np.sin(angle),
            curvature,
            np.minimum(random.uniform(*HALF_LENGTHS, count), longest),
            random.uniform(*HALF_WIDTHS, count),
        ],
        axis=1,
    )
    return Hairs(arcs, np.clip(colour * random.uniform(0.7, 1.3, (count, 1)), 0, 1))


def bubbles_of(seed: int, counts: tuple[int, int]) -> Bubbles:
    """The bubbles of one image, all lit from one side."""
    random = np.random.default_rng(seed)
    count = _count(random, counts)
    light = np.full(count, random.uniform(0, 2 * np.pi))
    circles = np.stack(
        [
            *random.uniform(0, 1, (2, count)),
            np.exp(random.uniform(np.log(RADII[0]), np.log(RADII[1]), count)),
            random.uniform(*RIMS, count),
            np.cos(light),
            np.sin(light),
            np.full(count, random.uniform(*CONTRASTS)),
        ],
        axis=1,
    )
    return Bubbles(circles)


def _count(random: np.random.Generator, counts: tuple[int, int]) -> int:
    """Mostly few: even on a logarithmic scale between the two bounds."""
    low, high = counts
    return round(float(np.exp(random.uniform(np.log(low), np.log(high)))))
