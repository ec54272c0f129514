"""Masking of what is not lesion, uint8 [height, width, 3] to the same: the dermatoscope's dark surround, the skin."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.core.spec import Background, DarkBorder, Fill
from dermalens.transforms.clean_opencv import Mask, Pixels, check_opencv, enlarged, odd_pixels, reduced, widened

LARGEST_BORDER: Final = 0.6
"""Share of the picture; where more is dark, the picture is dark and has no border."""

KEPT_RADIUS: Final = 0.35
"""Distance from the centre within which nothing is border, as a share of the shorter side: a dark lesion that a hair
ties to a corner stays."""

THINNEST: Final = 0.03
"""Dark lines narrower than this share of the shorter side tie nothing to a corner: they are hairs."""

LESION_SHARES: Final = (0.01, 0.9)
"""Of the picture; a region outside these is no lesion that could be told from its background."""

RIM: Final = 0.05
"""Width of the field beside the dark surround that gives the colour of the skin, as a share of the shorter side."""

SMOOTHING: Final = 0.02
"""Sigma of the Gaussian before Otsu's threshold, as a share of the shorter side: hairs and dots go."""

NEARNESS: Final = 0.35
"""Of several dark regions the largest counts, its area weighed by a Gaussian of its distance from the centre with this
scale, as a share of the shorter side: the lesion was aimed at."""


def mask_dark_border(pixels: Pixels, step: DarkBorder) -> Pixels:
    """The picture with the dark regions of its corners filled.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    check_opencv(step.step)
    small = reduced(pixels)
    border = border_mask(small, step)
    rim = (widened(border, RIM) > 0) & (border == 0)
    return _filled(pixels, enlarged(border, pixels), _colour(small, rim, step.fill))


def border_mask(pixels: Pixels, step: DarkBorder) -> Mask:
    """255 on dark regions that reach a corner, and their margin; nowhere where they are most of the picture.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    check_opencv(step.step)
    import cv2

    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    dark = (grey < step.darkness * np.median(grey)).astype(np.uint8)
    width = odd_pixels(THINNEST, pixels)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    regions = np.asarray(cv2.connectedComponents(cv2.morphologyEx(dark, cv2.MORPH_OPEN, disc))[1])
    corners = regions[[0, 0, -1, -1], [0, -1, 0, -1]]
    border = np.isin(regions, corners[corners > 0])
    if border.mean() > LARGEST_BORDER:
        border[:] = False
    wide = widened(np.where(border, 255, 0).astype(np.uint8), step.margin)
    return np.where(_distance(wide) < KEPT_RADIUS, 0, wide).astype(np.uint8)


def _distance(mask: Mask) -> NDArray[np.float64]:
    """Of each pixel from the centre, as a share of the shorter side."""
    height, width = mask.shape
    y, x = np.ogrid[:height, :width]
    distances = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2)
    return np.asarray(distances / min(height, width), dtype=np.float64)


def mask_background(pixels: Pixels, step: Background) -> Pixels:
    """The picture with everything but the lesion and a margin filled; unchanged where no lesion stands out.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    check_opencv(step.step)
    small = reduced(pixels)
    return _kept(pixels, small, lesion_mask(small), step)


def mask_around(pixels: Pixels, lesion: NDArray[np.bool_], step: Background) -> Pixels:
    """`mask_background` for a lesion that is known: `lesion` [height, width] is True on it, as the mask of an outline.

    Unchanged where the mask is empty.

    Raises:
        MissingExtraError: OpenCV is not installed.
        ValueError: the mask has another height or width than the picture.
    """
    check_opencv(step.step)
    if lesion.shape != pixels.shape[:2]:
        raise ValueError(f"The mask has the shape {lesion.shape}; the picture needs {pixels.shape[:2]}.")
    known = reduced(np.where(lesion, 255, 0).astype(np.uint8))
    return _kept(pixels, reduced(pixels), np.where(known > 127, 255, 0).astype(np.uint8), step)


def _kept(pixels: Pixels, small: Pixels, lesion: Mask, step: Background) -> Pixels:
    """The picture with all but the lesion and its margin filled; `lesion` is a mask of `small`, the reduced picture."""
    if not lesion.any():
        return pixels.copy()
    around = 255 - widened(lesion, step.margin)
    return _filled(pixels, enlarged(around, pixels), _colour(small, around > 0, step.fill))


def lesion_mask(pixels: Pixels) -> Mask:
    """255 on the lesion, holes filled; 0 everywhere where none stands out. The dark surround is never the lesion.

    Otsu's threshold is taken of the blue channel, in which melanin and blood are both dark. On 120 images of the train
    part of HAM10000 the overlap with the outlines drawn by people (intersection over union) was 0.74 in the mean; 0.67
    with the luminance, 0.59 with the distance in CIE Lab from the colour of the rim.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    check_opencv("background")
    import cv2

    border = border_mask(pixels, DarkBorder())
    rim = (widened(border, RIM) > 0) & (border == 0)
    blue = _filled(pixels, border, _colour(pixels, rim, "skin"))[:, :, 2]
    smooth = cv2.GaussianBlur(blue, (0, 0), SMOOTHING * min(blue.shape))
    dark = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)[1]
    region = _central_region(np.asarray(dark, dtype=np.uint8))
    outlines = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    whole = np.asarray(cv2.drawContours(np.zeros_like(region), outlines, -1, 255, cv2.FILLED), dtype=np.uint8)
    return whole if LESION_SHARES[0] <= (whole > 0).mean() <= LESION_SHARES[1] else np.zeros_like(whole)


def _central_region(dark: Mask) -> Mask:
    """The connected region of `dark` with the largest area for its distance from the centre; all 0 where none is."""
    import cv2

    count, regions, stats, centres = cv2.connectedComponentsWithStats(dark)
    if count == 1:
        return np.zeros_like(dark)
    height, width = dark.shape
    offsets = np.asarray(centres)[1:] - ((width - 1) / 2, (height - 1) / 2)
    distances = np.linalg.norm(offsets, axis=1) / min(height, width)
    weights = np.asarray(stats)[1:, cv2.CC_STAT_AREA] * np.exp(-((distances / NEARNESS) ** 2))
    return np.where(np.asarray(regions) == 1 + weights.argmax(), 255, 0).astype(np.uint8)


def _colour(pixels: Pixels, where: NDArray[np.bool_], fill: Fill) -> NDArray[np.uint8]:
    if fill == "black" or not where.any():
        return np.zeros(3, np.uint8)
    return np.asarray(np.median(pixels[where], axis=0), dtype=np.uint8)


def _filled(pixels: Pixels, mask: Mask, colour: NDArray[np.uint8]) -> Pixels:
    return np.where(mask[:, :, None] > 127, colour, pixels)
