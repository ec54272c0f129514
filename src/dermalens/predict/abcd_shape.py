"""Asymmetry and diameter of an outline: what its shape alone tells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermalens.predict.contour import Polygon
from dermalens.predict.regions import Mask

FOLDING_SIDE_PIXELS: Final = 96
"""The lesion is turned into a square of this side, filled by it, before it is folded: small and large lesions are
folded with the same precision."""

LEAST_ASYMMETRY: Final = 0.10
"""Share without a counterpart from which the lesion counts as asymmetric about an axis; ours, as published ones rest on
other outlines. Of the outlines of naevi in the train part of HAM10000 three quarters lie below it."""


@dataclass(frozen=True, slots=True)
class Axes:
    """Where the principal axes of a mask lie, in pixels and radians."""

    x: float
    y: float
    angle: float
    """Of the long axis, from the x axis towards y (downwards); the other one is perpendicular."""


@dataclass(frozen=True, slots=True)
class Asymmetry:
    """How badly the two halves of a lesion match.

    The rule of Stolz et al., ABCD rule of dermatoscopy: a new practical method for early recognition of malignant
    melanoma, European Journal of Dermatology 4 (1994), bisects the lesion by two perpendicular axes and gives a point
    for each about which it is asymmetric. A person looks at shape, colours and structures; this is the shape alone,
    folded about its principal axes as in Stoecker, Li and Moss, Automatic detection of asymmetry in skin tumors,
    Computerized Medical Imaging and Graphics 16 (1992).
    """

    score: int
    """0, 1 or 2: the number of axes about which the share reaches `LEAST_ASYMMETRY`."""
    shares: tuple[float, float]
    """Share of the lesion that has no counterpart when it is folded about its long and about its short axis, 0..1."""


def principal_axes(mask: Mask) -> Axes:
    """Centre of area and principal axes of inertia of a mask with at least one pixel."""
    weights = mask.astype(np.float64)
    columns, rows = weights.sum(axis=0), weights.sum(axis=1)
    area = columns.sum()
    x, y = np.arange(mask.shape[1]) + 0.5, np.arange(mask.shape[0]) + 0.5
    centre_x, centre_y = float(columns @ x / area), float(rows @ y / area)
    dx, dy = x - centre_x, y - centre_y
    xx, yy, xy = columns @ dx**2, rows @ dy**2, dy @ (weights @ dx)
    return Axes(centre_x, centre_y, 0.5 * math.atan2(2 * xy, xx - yy))


def asymmetry(mask: Mask, axes: Axes, polygon: Polygon) -> Asymmetry:
    """Fold a mask about both axes; `polygon` is its outline in pixels."""
    reach = float(np.hypot(polygon[:, 0] - axes.x, polygon[:, 1] - axes.y).max()) + 1
    upright = _turned(mask, axes, reach)
    area = upright.sum()
    about_long, about_short = (
        float((upright & ~np.flip(upright, axis)).sum() / area)  # as much lies on the other side alone
        for axis in (0, 1)
    )
    shares = (about_long, about_short)
    return Asymmetry(sum(share >= LEAST_ASYMMETRY for share in shares), shares)


def _turned(mask: Mask, axes: Axes, reach: float) -> NDArray[np.bool_]:
    """The mask with its centre in the middle of a square of 2 `reach` and its long axis across."""
    side = FOLDING_SIDE_PIXELS
    scale = 2 * reach / side
    cosine, sine = scale * math.cos(axes.angle), scale * math.sin(axes.angle)
    half = side / 2
    back = (
        *(cosine, -sine, axes.x - half * (cosine - sine)),
        *(sine, cosine, axes.y - half * (sine + cosine)),
    )
    grey = Image.fromarray(mask.astype(np.uint8) * 255)
    turned = grey.transform((side, side), Image.Transform.AFFINE, back, Image.Resampling.BILINEAR)
    return np.asarray(turned) >= 128


def feret_diameter(polygon: Polygon) -> float:
    """The largest distance between two points of an outline, in its unit: the largest Feret diameter."""
    x, y = polygon.T
    return float(np.hypot(x[:, None] - x, y[:, None] - y).max())
