"""Corruptions of a square in five severities: what goes wrong between the skin and the file.

The families are those that Hendrycks and Dietterich (Benchmarking neural network robustness to common corruptions and
perturbations, ICLR 2019) made for photographs and that Maron et al. (A benchmark for neural network robustness in skin
cancer classification, European Journal of Cancer 155, 191, 2021: SAM-C) took over and added to for dermatoscopes.
The severities are our own (docs/figures/corruptions.png shows them), so that figures compare with none of another tool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from dermalens.core.errors import DataError
from dermalens.evaluate.corruptions_blur import defocus_blur, motion_blur, zoom_blur
from dermalens.evaluate.corruptions_bubbles import bubbles
from dermalens.evaluate.corruptions_digital import jpeg, pixelate
from dermalens.evaluate.corruptions_drawn import dark_corners, hair, ruler
from dermalens.evaluate.corruptions_light import brighter, contrast, darker
from dermalens.evaluate.corruptions_noise import gaussian_noise, impulse_noise, shot_noise, speckle_noise
from dermalens.transforms.preprocess import SquarePixels

Corruption = Callable[[SquarePixels, int, np.random.Generator], SquarePixels]
"""Square, severity 1 to 5 and source of randomness to a new square; the same arguments give the same square."""

CORRUPTIONS: Final[Mapping[str, Corruption]] = {
    "gaussian_noise": gaussian_noise,
    "shot_noise": shot_noise,
    "impulse_noise": impulse_noise,
    "speckle_noise": speckle_noise,
    "defocus_blur": defocus_blur,
    "motion_blur": motion_blur,
    "zoom_blur": zoom_blur,
    "brighter": brighter,
    "darker": darker,
    "contrast": contrast,
    "jpeg": jpeg,
    "pixelate": pixelate,
    "dark_corners": dark_corners,
    "hair": hair,
    "ruler": ruler,
    "bubbles": bubbles,
}
"""Every family by name."""


def corrupt(pixels: SquarePixels, family: str, severity: int, random: np.random.Generator) -> SquarePixels:
    """The square [S, S, 3] under one corruption; `pixels` stays as it is.

    Raises:
        DataError: a family or severity that there is not.
    """
    if family not in CORRUPTIONS:
        raise DataError(f"Corruption {family!r} is unknown; choose among {', '.join(CORRUPTIONS)}.")
    return CORRUPTIONS[family](pixels, severity, random)
