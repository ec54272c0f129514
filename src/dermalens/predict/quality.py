"""Can this picture be judged at all? Only what holds for every picture: size and contrast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from dermalens.transforms.preprocess import SquarePixels

LEAST_CONTRAST: Final = 2.0
"""Standard deviation of the luminance, of 255. Of 1,500 training images of HAM10000 the flattest has 6.7; an even
surface with camera noise of 4 a pixel has 1.0 after the reduction to 192 pixels."""

LEAST_SIDE_PIXELS: Final = 64
"""Side of the square in the original picture. Below it a model that sees 192 pixels is shown a threefold
enlargement, in which the network and streaks of a lesion, a few pixels wide at 192, no longer exist."""

_LUMINANCE: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Weights of R, G and B. ITU-R BT.601, as in JPEG."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What was found of a picture; any finding makes the answer abstain."""

    source_side_pixels: int
    """Side of the square in the original picture."""
    contrast: float
    """Standard deviation of the luminance of the square, of 255."""
    findings: tuple[str, ...]


def assess(square: SquarePixels, original_size: tuple[int, int]) -> Quality:
    """Judge the square that the model sees, and the width and height of the picture that it was cut from."""
    side = min(original_size)
    contrast = round(float((square @ _LUMINANCE).std()), 2)
    findings = []
    if side < LEAST_SIDE_PIXELS:
        findings.append(
            f"The picture shows the lesion in {side} x {side} pixels; at least {LEAST_SIDE_PIXELS} x "
            f"{LEAST_SIDE_PIXELS} are needed to judge it."
        )
    if contrast < LEAST_CONTRAST:
        findings.append(
            f"The picture is an even surface without detail (contrast {contrast:.1f} of 255, at least "
            f"{LEAST_CONTRAST:.1f} is needed): no lesion can be seen in it."
        )
    return Quality(side, contrast, tuple(findings))
