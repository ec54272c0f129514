"""The outline in an answer: in pixels of the original picture, and drawn over the square that the model saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from dermalens.core.square import Square
from dermalens.predict.outline import Outline, draw_outline, outline_png
from dermalens.transforms.preprocess import SquarePixels

DECIMALS: Final = 1
"""Of a coordinate: the outline is known to about a hundredth of the side, and a pixel of it is less."""

NO_OUTLINE: Final = "No outline was found: nothing of at least half a per cent of the square looks like a lesion."


@dataclass(frozen=True, slots=True)
class PlacedOutline:
    """The outline of the lesion on the original picture, upright."""

    polygon: tuple[tuple[float, float], ...]
    """x and y in pixels from the upper left corner of the picture, at most 200 points, clockwise."""
    area_share: float
    """Of the square that the model sees, the share inside."""
    touches_border: bool
    """The lesion goes on outside the square: its measures are those of a part."""

    def as_dict(self) -> dict[str, Any]:
        """The key `outline` of an answer."""
        return {
            "polygon": [list(point) for point in self.polygon],
            "area_share": self.area_share,
            "touches_border": self.touches_border,
        }


@dataclass(frozen=True, slots=True)
class Drawing:
    """The outline and the square that it lies on."""

    outline: Outline
    """With the mask [S, S], which `transforms.clean_mask.mask_around` takes."""
    square: SquarePixels
    """[S, S, 3], RGB."""

    def overlay(self) -> Image.Image:
        """The square with the outline drawn over it, RGB."""
        return draw_outline(self.square, self.outline)

    def png(self) -> bytes:
        """The overlay as a PNG file."""
        return outline_png(self.square, self.outline)


def placed(outline: Outline, square: Square) -> PlacedOutline:
    """The outline that was found in a square of the original picture, on that picture."""
    points = outline.polygon * square.side + (square.left, square.upper)
    polygon = tuple((round(float(x), DECIMALS), round(float(y), DECIMALS)) for x, y in points)
    return PlacedOutline(polygon, round(outline.area_share, 4), outline.touches_border)
