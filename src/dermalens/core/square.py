"""The square of a picture that a model is to see: its centre, or what somebody has chosen."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dermalens.core.errors import ImageError

Box = tuple[float, float, float, float]  # left, upper, right, lower in pixels


@dataclass(frozen=True, slots=True)
class Square:
    """A square of the upright original picture, in its pixels."""

    left: float
    upper: float
    side: float

    @property
    def box(self) -> Box:
        """Left, upper, right, lower."""
        return self.left, self.upper, self.left + self.side, self.upper + self.side

    def as_list(self) -> list[float]:
        """The key `square` of an answer."""
        return [self.left, self.upper, self.side]


def centre_of(width: int, height: int) -> Square:
    """The largest centred square; where the difference of the sides is odd it lies on half pixels.

    A box on whole pixels would move by one when the picture is mirrored, and so would the answer.

    >>> centre_of(600, 450).box
    (75.0, 0.0, 525.0, 450.0)
    """
    side = min(width, height)
    return Square((width - side) / 2, (height - side) / 2, side)


def place_of(chosen: Square | None, size: tuple[int, int]) -> Square:
    """The chosen square, or the centre of a picture of `size` (width, height).

    Raises:
        ImageError: the chosen square does not lie within the picture, or is none.
    """
    if chosen is None:
        return centre_of(*size)
    left, upper, right, lower = chosen.box
    is_finite = all(math.isfinite(value) for value in chosen.box)
    if not (is_finite and chosen.side >= 1 and left >= 0 and upper >= 0 and right <= size[0] and lower <= size[1]):
        raise ImageError(
            f"The square begins at {chosen.left:g}, {chosen.upper:g} and has a side of {chosen.side:g} pixels; needed "
            f"is a square within the {size[0]} x {size[1]} picture. Choose it anew."
        )
    return chosen
