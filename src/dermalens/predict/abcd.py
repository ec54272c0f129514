"""The ABCD measures of an outlined lesion: asymmetry, border, colours, diameter.

They describe; no diagnosis is made of them. The total dermatoscopy score of Stolz et al. (1994) is not worked out, as
its D stands for structures, which are not measured here.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermalens.core.errors import DermaLensError
from dermalens.core.srgb import cielab
from dermalens.predict.abcd_border import DISTANCES, FAR, Border, Places, abrupt_segments, irregularity, places_along
from dermalens.predict.abcd_colour import Colours, colours_of
from dermalens.predict.abcd_shape import Asymmetry, asymmetry, feret_diameter, principal_axes
from dermalens.predict.contour import Polygon
from dermalens.predict.outline import Outline
from dermalens.transforms.preprocess import SquarePixels

COLOUR_SIDE_PIXELS: Final = 64
"""Colours are read from the square averaged to about this side: single bright or dark pixels and thin hairs fade."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What the outline and the colours of a lesion give."""

    asymmetry: Asymmetry
    border: Border
    colours: Colours
    diameter: float
    """Largest Feret diameter as a share of the side of the square."""
    diameter_mm: float | None
    """None unless the caller gave the scale: a picture alone does not tell it."""
    is_partial: bool
    """The lesion goes on outside the square, so that all of these are of a part."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON; shares to a thousandth."""
        shares = {name: round(share, 3) for name, share in self.colours.shares.items()}
        return {
            "asymmetry": {
                "score": self.asymmetry.score,
                "shares": [round(share, 3) for share in self.asymmetry.shares],
            },
            "border": asdict(replace(self.border, irregularity=round(self.border.irregularity, 3))),
            "colours": {"count": self.colours.count, "shares": shares},
            "diameter": round(self.diameter, 3),
            "diameter_mm": None if self.diameter_mm is None else round(self.diameter_mm, 2),
            "is_partial": self.is_partial,
        }


def measure(square: SquarePixels, outline: Outline, *, scale_mm: float | None = None) -> Measures:
    """The measures of the lesion in a square; `scale_mm` is the length of the side of the square on the skin.

    Raises:
        DermaLensError: the scale is not a positive number.
    """
    if scale_mm is not None and not (math.isfinite(scale_mm) and scale_mm > 0):
        raise DermaLensError(
            f"The scale is {scale_mm:g} mm; needed is the length of the side of the square on the skin, more than 0. "
            "Leave it out where it is not known."
        )
    side = square.shape[0]
    axes = principal_axes(outline.mask)
    places = places_along(outline.polygon)
    small = np.asarray(Image.fromarray(square).reduce(max(1, side // COLOUR_SIDE_PIXELS)))
    lightness = _lightness_at(small, np.concatenate([places.at(distance) for distance in DISTANCES]))
    relative = replace(axes, x=axes.x / side, y=axes.y / side)
    abrupt = abrupt_segments(places, lightness.reshape(len(DISTANCES), -1), relative)
    diameter = feret_diameter(outline.polygon)
    return Measures(
        asymmetry=asymmetry(outline.mask, axes, outline.polygon * side),
        border=Border(irregularity(outline.polygon), abrupt),
        colours=colours_of(_lesion(small, outline), _skin(small, places)),
        diameter=diameter,
        diameter_mm=None if scale_mm is None else diameter * scale_mm,
        is_partial=outline.touches_border,
    )


def _cells(small: SquarePixels, points: Polygon) -> tuple[NDArray[np.bool_], SquarePixels]:
    """Which points, x and y in shares of the side, lie in the square, and the colours [n, 3] of those that do."""
    side = small.shape[0]
    columns, rows = np.floor(points * side).astype(int).T
    inside = (columns >= 0) & (columns < side) & (rows >= 0) & (rows < side)
    return inside, small[rows[inside], columns[inside]]


def _lightness_at(small: SquarePixels, points: Polygon) -> NDArray[np.float64]:
    """L* at the points, NaN outside the square."""
    inside, colours = _cells(small, points)
    lightness = np.full(len(points), np.nan)
    lightness[inside] = cielab(colours)[:, 0]
    return lightness


def _lesion(small: SquarePixels, outline: Outline) -> SquarePixels:
    """The colours of the lesion [n, 3]."""
    mask = Image.fromarray(outline.mask.astype(np.uint8) * 255).resize(small.shape[1::-1], Image.Resampling.BOX)
    covered = np.asarray(mask)
    return np.asarray(small[covered >= min(128, covered.max())])  # a very thin one covers no pixel by half


def _skin(small: SquarePixels, places: Places) -> SquarePixels:
    """The median colour [3] of the skin beside the lesion; of the whole picture where the lesion fills it."""
    _, colours = _cells(small, places.at(FAR))
    beside = colours if len(colours) else small.reshape(-1, 3)
    return np.asarray(np.median(beside, axis=0).astype(np.uint8))
