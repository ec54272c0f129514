"""Measures of a picture's quality on a reduced copy of 112 pixels, so that any side costs the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermalens.transforms.preprocess import SquarePixels

SIDE: Final = 112
"""Side of the reduced copy; half of the packaged model's, so that a pixel is the mean of four."""

Planes = NDArray[np.float32]  # [3, 112, 112], R, G and B, 0..255
Luminance = NDArray[np.float32]  # [112, 112], 0..255
Shares = NDArray[np.bool_]  # [112, 112]

LUMINANCE_WEIGHTS: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Of R, G and B. ITU-R BT.601, as in JPEG."""

DARK: Final = 8
"""Luminance at or below which nothing is left to see, of 255."""
BRIGHT: Final = 250
"""Luminance at or above which nothing is left to see, of 255."""
GLARE: Final = 240
"""Least of the three channels in the reflection of a lamp, which is white."""
GLARE_STEP: Final = 50
"""By how much a reflection is brighter than the middle luminance of the picture: white skin is not."""
HAIR_DEPTH: Final = 15
"""Luminance by which a hair is darker than what lies on both sides of it."""
HAIR_REACH: Final = 2
"""Pixels to either side; finds lines up to 3 of the 112 pixels wide: a hair under a dermatoscope has 1 to 3."""
BLUE: Final = 30
"""By which blue is above red in ink; in skin and lesions red is the strongest, and hardly ever this far below."""
GREEN: Final = 25
"""By which green is above red in ink."""
VIOLET: Final = (60, -30)
"""By which blue is above green, and above red, in violet ink."""
LEAST_GAIN: Final = 0.5
"""Cameras with a blue cast show skin with twice as much blue as red (ISIC_0000040); more is not corrected."""

_MARGIN: Final = 8
"""Of the 56 pixels on which sharpness is measured; outside may lie the rim of the field of view, which is sharp."""
_EVERY: Final = 4
"""The middle and the brightest luminance come from every fourth pixel: sorting all takes as long as the rest."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Each is rounded to four decimals; the shares are of the pixels, 0 to 1."""

    sharpness: float
    """Standard deviation of the Laplacian of the luminance at 56 pixels, without a margin. Grain is averaged out there.

    Variance of the Laplacian: Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, ICPR 2000.
    """
    mean_luminance: float
    """Of 255, within the largest circle of the square: dark corners are no fault."""
    dark_share: float
    """Luminance 8 or less, within the circle."""
    bright_share: float
    """Luminance 250 or more, within the circle."""
    glare_share: float
    """White and much brighter than the rest: reflections of a lamp."""
    hair_share: float
    """Dark lines that are brighter on both sides."""
    ink_share: float
    """Blue, green or violet as neither skin nor lesions are, after a blue cast of the camera is taken out."""


def measure(square: SquarePixels) -> Measures:
    """Measure a square [S, S, 3]."""
    planes = _reduced(square)
    luminance: Luminance = np.tensordot(LUMINANCE_WEIGHTS, planes, 1)
    within = luminance[_CIRCLE]
    middle, bright = _middle_and_bright(within)
    figures = (
        sharpness(luminance),
        within.mean(),
        (within <= DARK).mean(),
        (within >= BRIGHT).mean(),
        ((planes.min(axis=0) >= GLARE) & (luminance > middle + GLARE_STEP)).mean(),
        (_line_depth(luminance) > HAIR_DEPTH).mean(),
        _inked(planes, luminance >= bright).mean(),
    )
    return Measures(*(round(float(figure), 4) for figure in figures))


def _reduced(square: SquarePixels) -> Planes:
    """The square at 112 pixels, each the mean of those that it covers."""
    picture, side = Image.fromarray(square), square.shape[0]
    small = picture.reduce(side // SIDE) if side % SIDE == 0 else picture.resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small).transpose(2, 0, 1).astype(np.float32, order="C")


def _middle_and_bright(within: NDArray[np.float32]) -> tuple[float, float]:
    """Median and 90th percentile of the luminances."""
    sample = within[::_EVERY]
    places = [len(sample) // 2, len(sample) * 9 // 10]
    middle, bright = np.partition(sample, places)[places]
    return float(middle), float(bright)


def sharpness(luminance: Luminance) -> float:
    """Standard deviation of the Laplacian of a luminance [112, 112] after a mean of 2 x 2."""
    rows = luminance[::2] + luminance[1::2]
    small = (rows[:, ::2] + rows[:, 1::2]) / 4
    inner = small[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    sides = inner[:-2, 1:-1] + inner[2:, 1:-1] + inner[1:-1, :-2] + inner[1:-1, 2:]
    return float((4 * inner[1:-1, 1:-1] - sides).std())


def _line_depth(luminance: Luminance) -> Luminance:
    """How much darker each pixel is than both its neighbours, in the direction of the four in which it is most."""
    reach, end = HAIR_REACH, SIDE - HAIR_REACH
    middle, near, far = slice(reach, end), slice(0, end - reach), slice(2 * reach, None)
    brightest = np.minimum(luminance[near, far], luminance[far, near])
    for one, other in (((middle, near), (middle, far)), ((near, middle), (far, middle)), ((near, near), (far, far))):
        brightest = np.maximum(brightest, np.minimum(luminance[one], luminance[other]))
    return np.asarray(brightest - luminance[middle, middle])


def _inked(planes: Planes, is_bright: Shares) -> Shares:
    """Where there is ink: blue or green above red, or violet, as seen in the light of the brightest part."""
    lamp = planes.reshape(3, -1).take(np.flatnonzero(is_bright), axis=1).mean(axis=1)  # a third of planes[:, is_bright]
    gains = (lamp[0] / np.maximum(lamp, 1)).clip(LEAST_GAIN, 1)
    red, green, blue = planes * gains[:, None, None]
    violet = (blue - green > VIOLET[0]) & (blue - red > VIOLET[1])
    return np.asarray((blue - red > BLUE) | (green - red > GREEN) | violet)


def _circle() -> Shares:
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return np.asarray(np.hypot(y, x) <= SIDE / 2)


_CIRCLE: Final = _circle()
