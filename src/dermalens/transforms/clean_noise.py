"""Noise removal, uint8 [height, width, 3] to the same.

OpenCV, though Pillow has a median as well: the pixels are equal, but at 224 x 224 and a window of 3 Pillow takes a
hundred times as long.
"""

from __future__ import annotations

import numpy as np

from dermalens.core.spec import Bilateral, Median, NonLocalMeans
from dermalens.transforms.clean_opencv import Pixels, check_opencv, odd_pixels


def median(pixels: Pixels, step: Median) -> Pixels:
    """The median of each channel in a square window; the border is continued by its last pixel.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    check_opencv(step.step)
    import cv2

    return np.asarray(cv2.medianBlur(pixels, odd_pixels(step.window, pixels)), dtype=np.uint8)


def bilateral(pixels: Pixels, step: Bilateral) -> Pixels:
    """The mean of the window, weighted by nearness and by likeness of colour.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    check_opencv(step.step)
    import cv2

    diameter = odd_pixels(step.window, pixels)
    return np.asarray(cv2.bilateralFilter(pixels, diameter, step.colour_sigma, diameter / 4), dtype=np.uint8)


def non_local_means(pixels: Pixels, step: NonLocalMeans) -> Pixels:
    """Non-local means in CIE Lab, lightness and colour at one strength.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    check_opencv(step.step)
    import cv2

    patch, search = odd_pixels(step.patch, pixels), odd_pixels(step.search, pixels)
    bgr = np.ascontiguousarray(pixels[:, :, ::-1])  # the order that this function turns into Lab
    smooth = cv2.fastNlMeansDenoisingColored(bgr, None, step.strength, step.strength, patch, search)
    return np.ascontiguousarray(smooth[:, :, ::-1], dtype=np.uint8)
