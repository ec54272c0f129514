"""OpenCV, imported when a cleaning step first needs it: the base package works without."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.core.errors import MissingExtraError

Pixels = NDArray[np.uint8]  # [height, width, 3], RGB, upright
Mask = NDArray[np.uint8]  # [height, width], 255 where it holds, else 0

FINDING_SIDE_PIXELS: Final = 512
"""Hairs, borders and lesions are looked for at this shorter side at most: a larger picture takes no longer, and what
is found in it is the same."""


@cache
def check_opencv(step: str) -> None:
    """See to it that `import cv2` works, and keeps to one thread.

    One thread, because images are worked on in parallel already, and because OpenCV's pool does not survive the fork
    that makes a training worker.

    Raises:
        MissingExtraError: OpenCV is not installed; names the cleaning step and the line to type.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError(f"The cleaning step {step}", "clean") from error
    cv2.setNumThreads(1)


def odd_pixels(share: float, pixels: Pixels | Mask) -> int:
    """A share of the shorter side in whole pixels, odd, as windows around a pixel are; 3 at least.

    >>> odd_pixels(0.012, np.zeros((450, 600, 3), np.uint8)), odd_pixels(0.001, np.zeros((64, 64, 3), np.uint8))
    (5, 3)
    """
    side: int = min(pixels.shape[:2])
    return max(3, 2 * round((share * side - 1) / 2) + 1)


def reduced(pixels: Pixels) -> Pixels:
    """The picture at `FINDING_SIDE_PIXELS`, averaged; itself where it is no larger. Needs `check_opencv` before."""
    import cv2

    height, width = pixels.shape[:2]
    factor = FINDING_SIDE_PIXELS / min(height, width)
    if factor >= 1:
        return pixels
    size = (round(width * factor), round(height * factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def widened(mask: Mask, share: float) -> Mask:
    """The mask grown on each side by a share of the shorter side. Needs `check_opencv` before."""
    import cv2

    radius = round(share * min(mask.shape))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate(mask, disc), dtype=np.uint8)


def enlarged(found: NDArray[np.uint8], pixels: Pixels) -> NDArray[np.uint8]:
    """A mask or picture of `reduced` at the size of `pixels` again. Needs `check_opencv` before."""
    import cv2

    height, width = pixels.shape[:2]
    if found.shape[:2] == (height, width):
        return found
    return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
