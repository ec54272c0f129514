"""The border of a lesion: how irregular its line is, and where its pigment ends abruptly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.predict.abcd_shape import Axes
from dermalens.predict.contour import Polygon, area_of, perimeter_of

SEGMENTS: Final = 8
SAMPLES: Final = 160
"""Places along the outline that are looked at."""

NEAR: Final = 0.025
"""Distance on either side of the outline, as a share of the side of the square: what changes between them changes
abruptly. Wide enough that an outline which is off by a cell of the 56 x 56 map does no harm."""
FAR: Final = 0.08
"""Distance at which the lesion and the skin are themselves."""

DISTANCES: Final = (-FAR, -NEAR, NEAR, FAR)
"""From the outline, negative for inside."""

LEAST_STEP: Final = 0.6
"""Share of the change of lightness from lesion to skin that lies between the near places where a border is abrupt; an
even slope over the whole width has NEAR / FAR = 0.31."""
LEAST_CONTRAST: Final = 5.0
"""Least change of L* from lesion to skin; below it there is no pigment that could end."""


@dataclass(frozen=True, slots=True)
class Border:
    """The line and the sharpness of a border."""

    irregularity: float
    """perimeter^2 / (4 pi area): 1 for a circle, larger for anything else. Golston, Stoecker, Moss and Dhillon,
    Automatic detection of irregular borders in melanoma and other skin tumors, Computerized Medical Imaging and
    Graphics 16 (1992)."""
    abrupt_segments: int
    """0 to 8: of eight segments of 45 degrees about the centre, the number in which the pigment ends abruptly, as Stolz
    et al. (1994) count them by eye. That most of the change of lightness must lie in a narrow band is our reading."""


@dataclass(frozen=True, slots=True)
class Places:
    """Places along an outline, with points inside and outside; all [SAMPLES, 2], x and y in shares of the side."""

    on: Polygon
    outward: Polygon
    """Unit vectors."""

    def at(self, distance: float) -> Polygon:
        """The points at a distance from the outline, negative for inside."""
        return self.on + distance * self.outward


def places_along(polygon: Polygon) -> Places:
    """Evenly spaced places along a clockwise outline, and the direction away from the lesion."""
    closed = np.vstack([polygon, polygon[:1]])
    travelled = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    wanted = np.linspace(0, travelled[-1], SAMPLES, endpoint=False)
    on = np.stack([np.interp(wanted, travelled, closed[:, axis]) for axis in (0, 1)], axis=1)
    # Over a fortieth of the way round, so that the steps of the polygon do not turn the direction about.
    ahead = np.roll(on, -SAMPLES // 80, axis=0) - np.roll(on, SAMPLES // 80, axis=0)
    length = np.maximum(np.hypot(*ahead.T), 1e-9)
    outward = np.stack([ahead[:, 1], -ahead[:, 0]], axis=1) / length[:, None]
    return Places(on, outward)


def irregularity(polygon: Polygon) -> float:
    """Perimeter squared over 4 pi times the area."""
    return perimeter_of(polygon) ** 2 / (4 * math.pi * area_of(polygon))


def abrupt_segments(places: Places, lightness: NDArray[np.float64], axes: Axes) -> int:
    """The number of segments with an abrupt border.

    `lightness` [4, SAMPLES] is L* at the places for each of `DISTANCES`, NaN where there is no picture; `axes` are in
    shares of the side, and the first segment begins at the long one.
    """
    angle = np.arctan2(places.on[:, 1] - axes.y, places.on[:, 0] - axes.x) - axes.angle
    segment = np.floor(angle % (2 * math.pi) / (2 * math.pi / SEGMENTS)).astype(int) % SEGMENTS
    far_inside, near_inside, near_outside, far_outside = lightness
    whole, near = far_outside - far_inside, near_outside - near_inside
    seen = ~np.isnan(whole + near)
    count = np.maximum(np.bincount(segment[seen], minlength=SEGMENTS), 1)
    contrast = np.bincount(segment[seen], whole[seen], SEGMENTS) / count
    step = np.bincount(segment[seen], near[seen], SEGMENTS) / count
    return int(((contrast >= LEAST_CONTRAST) & (step >= LEAST_STEP * contrast)).sum())
