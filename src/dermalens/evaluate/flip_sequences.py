"""Sequences of small changes that should change no answer: turned, shifted, brightened and zoomed step by step.

After the perturbation sequences of Hendrycks and Dietterich, ICLR 2019, and of SAM-P (Maron et al., European Journal of
Cancer 155, 191, 2021). What a change brings in from outside the square is its mirror image, as in training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from PIL import Image

from dermalens.core.errors import DataError
from dermalens.evaluate.corruptions_light import exposed
from dermalens.predict.session import Squares
from dermalens.transforms.preprocess import SquarePixels

STEPS: Final = 8
"""Of a sequence, after the square as it is."""

TURN_DEGREES: Final = 1.0
SHIFT: Final = 0.005
"""Of the side: about one pixel of 224."""
STOPS: Final = 0.04
"""Exposure: 2.8 % more light."""
ZOOM: Final = 1.01
MARGIN: Final = 0.2
"""Of the side, mirrored at each edge: more than the last step of any sequence needs."""

Perturbation = Callable[[SquarePixels, int], SquarePixels]


def turned(pixels: SquarePixels, step: int) -> SquarePixels:
    """Turned about the middle by `step` degrees."""
    return _warped(pixels, angle=math.radians(TURN_DEGREES * step))


def shifted(pixels: SquarePixels, step: int) -> SquarePixels:
    """Moved to the right by `step` times half a percent of the side."""
    return _warped(pixels, shift=SHIFT * step)


def brightened(pixels: SquarePixels, step: int) -> SquarePixels:
    """Exposed by `step` times a twenty-fifth of a stop more."""
    return exposed(pixels, STOPS * step)


def zoomed(pixels: SquarePixels, step: int) -> SquarePixels:
    """Enlarged about the middle by `step` percent."""
    return _warped(pixels, zoom=ZOOM**step)


PERTURBATIONS: Final[Mapping[str, Perturbation]] = {
    "rotation": turned,
    "translation": shifted,
    "brightness": brightened,
    "zoom": zoomed,
}
"""Every sequence by name; step 0 of each is the square itself."""


def sequence(pixels: SquarePixels, name: str) -> Squares:
    """The square as it is and after each of `STEPS` steps, [STEPS + 1, S, S, 3].

    Raises:
        DataError: a perturbation that there is not.
    """
    if name not in PERTURBATIONS:
        raise DataError(f"Perturbation {name!r} is unknown; choose among {', '.join(PERTURBATIONS)}.")
    return np.stack([pixels, *(PERTURBATIONS[name](pixels, step) for step in range(1, STEPS + 1))])


def _warped(pixels: SquarePixels, *, angle: float = 0.0, shift: float = 0.0, zoom: float = 1.0) -> SquarePixels:
    """Turned counter-clockwise by radians, enlarged, then moved to the right by a share of the side; bicubic."""
    side = len(pixels)
    margin = math.ceil(MARGIN * side)
    wide = Image.fromarray(np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="reflect"))
    cosine, sine, middle = math.cos(angle) / zoom, math.sin(angle) / zoom, side / 2
    across, down = middle + shift * side, middle
    matrix = (
        cosine,
        -sine,
        middle + margin - cosine * across + sine * down,
        sine,
        cosine,
        middle + margin - sine * across - cosine * down,
    )
    turned_wide = wide.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    return np.array(turned_wide)
