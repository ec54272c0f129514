"""Hair removal, uint8 [height, width, 3] to the same: thin dark lines are found and painted over."""

from __future__ import annotations

from typing import Final

import numpy as np

from dermalens.core.spec import Hair
from dermalens.transforms.clean_opencv import Mask, Pixels, check_opencv, enlarged, odd_pixels, reduced, widened

DIRECTIONS: Final = 16
"""Straight runs are looked for every 11.25 degrees: between two of them a line of 20 pixels strays by one."""

MOST_HAIR: Final = 0.5
"""Share of the picture; where more is hair, there is too little to paint it over from, and the picture stays."""

INPAINT_RADIUS: Final = 0.012
"""Neighbourhood of the inpainting as a share of the shorter side."""


def remove_hair(pixels: Pixels, step: Hair) -> Pixels:
    """The picture with its dark hairs painted over from their sides; light hairs stay, and so does a dense fur.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    check_opencv(step.step)
    import cv2

    small = reduced(pixels)
    mask = hair_mask(small, step)
    if not 0 < (mask > 0).mean() <= MOST_HAIR:
        return pixels.copy()
    painted = cv2.inpaint(small, mask, INPAINT_RADIUS * min(small.shape[:2]), cv2.INPAINT_TELEA)
    inside = enlarged(mask, pixels)[:, :, None] > 0
    return np.where(inside, enlarged(np.asarray(painted, dtype=np.uint8), pixels), pixels)


def hair_mask(pixels: Pixels, step: Hair) -> Mask:
    """255 on hairs and their margin.

    The black-hat (closing less picture) keeps what is dark and narrower than `width`; its largest opening by a
    straight line of `length` keeps of that what runs straight: Zana and Klein, IEEE Transactions on Image Processing
    10, 2001, did so for vessels.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    check_opencv(step.step)
    import cv2

    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    width = odd_pixels(step.width, pixels)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    dark = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, disc)
    runs = np.zeros_like(grey)
    for number in range(DIRECTIONS):
        line = _line(odd_pixels(step.length, pixels), np.pi * number / DIRECTIONS)
        np.maximum(runs, cv2.morphologyEx(dark, cv2.MORPH_OPEN, line), out=runs)
    return widened(np.where(runs > step.contrast, 255, 0).astype(np.uint8), step.margin)


def _line(length: int, angle: float) -> Mask:
    """A straight line through the middle of a square of `length` pixels, as a structuring element."""
    middle = length // 2
    steps = np.arange(-middle, middle + 1)
    line = np.zeros((length, length), np.uint8)
    line[middle + np.rint(steps * np.sin(angle)).astype(int), middle + np.rint(steps * np.cos(angle)).astype(int)] = 1
    return line
