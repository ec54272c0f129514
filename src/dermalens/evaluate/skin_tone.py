"""Skin tone as a picture shows it: the individual typology angle of the skin outside the lesion. Descriptive only.

ITA = arctan((L* - 50) / b*) * 180 / pi: A. Chardon, I. Cretois, C. Hourseau, Skin colour typology and suntanning
pathways, International Journal of Cosmetic Science 13, 191 (1991). Classes: S. Del Bino, F. Bernerd, Variations in skin
colour and the biological consequences of ultraviolet radiation exposure, British Journal of Dermatology 169 (S3), 33
(2013).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.core.spec import PreprocessSpec
from dermalens.core.srgb import Lab, cielab
from dermalens.data.index import Row
from dermalens.transforms.preprocess import SquarePixels
from dermalens.transforms.rows import read_square

LesionMask = NDArray[np.bool_]  # [S, S], True on the lesion
Outline = Callable[[SquarePixels], LesionMask | None]
"""Finds the lesion of a square; None where it finds none."""

DESCRIPTIVE_ONLY: Final = (
    "Descriptive only. The angle was validated with colorimeters on the skin, not with photographs. Here it is read "
    "from pictures without a calibration target: the light and polarisation of the dermatoscope, the white balance and "
    "the processing of the camera change it, so that a class says how the skin looks in the picture and not which skin "
    "the person has. Where the skin looks bluish (b* not above 0) the angle is not defined. Nearly all of HAM10000 "
    "shows light skin, so that groups of darker skin are small or empty: nothing can be said about them."
)
"""What a report says beside every figure by skin tone."""

TONES: Final = {"very light": 55.0, "light": 41.0, "intermediate": 28.0, "tan": 10.0, "brown": -30.0, "dark": -90.0}
"""Each class and the angle in degrees above which it lies, from light to dark (Del Bino and Bernerd)."""

UNKNOWN: Final = "unknown"
"""No skin can be seen outside the lesion."""

NO_ANGLE: Final = "bluish (no angle)"
"""The skin is not yellowish in the picture, as that of a person is: the white balance is off. So it is in about a third
of the validation images of HAM10000."""

FRAME: Final = 0.1
"""Width of the frame that is taken for skin where no outline is given, as a share of the side."""

MARGIN: Final = 0.03
"""By how much a given outline is widened, as a share of the side: the edge of a lesion is soft."""

NEARLY_BLACK: Final = 20.0
"""L* below which a pixel is the dark surround of the dermatoscope's field or ink; the darkest skin has about 25 (an
angle of -60 degrees at b* 15)."""

HAIR_DARKNESS: Final = 0.9
"""Share of the median L* of the rest below which a pixel is hair, shadow or lesion. With it and `FRAME`, the class by
the frame was that by the outlines drawn by people on 93 % of 501 validation images of HAM10000 (without it 88 %)."""

GLARE: Final = 97.0
"""L* above which a pixel is a reflection, or overexposed: it has no colour left."""

READ_SIDE: Final = 100
"""About so many pixels a side are read: the median of a quarter of them is that of all."""

LEAST_SKIN: Final = 0.005
"""Share of the square that must be left to speak of its skin."""


def typology_angle(colour: Lab) -> float:
    """Individual typology angle in degrees, -90 to 90, of a CIELAB colour [3]; NaN where b* is not above 0.

    >>> round(typology_angle(np.array([65.0, 8.0, 15.0])), 3)
    45.0
    """
    lightness, _, yellow = colour.tolist()
    if not yellow > 0:
        return math.nan
    return math.degrees(math.atan((lightness - 50) / yellow))


def tone_of(angle: float) -> str:
    """The class of an angle in degrees.

    >>> tone_of(55.5), tone_of(55.0), tone_of(-31.0)
    ('very light', 'light', 'dark')
    """
    if math.isnan(angle):
        return NO_ANGLE
    return next((tone for tone, above in TONES.items() if angle > above), "dark")


def skin_colour(pixels: SquarePixels, lesion: LesionMask | None = None) -> Lab:
    """Median CIELAB colour [3] of the skin of a square [S, S, 3]; NaN where too little of it can be seen.

    Skin is what lies outside `lesion` and its margin; without one, a frame along the edges. Dark corners, hairs and
    reflections are left out.
    """
    step = max(1, round(len(pixels) / READ_SIDE))
    read = pixels[::step, ::step]
    where = _frame(len(read)) if lesion is None else ~_widened(lesion[::step, ::step])
    colours = cielab(read[where])
    colours = colours[(colours[:, 0] >= NEARLY_BLACK) & (colours[:, 0] <= GLARE)]
    if len(colours):
        colours = colours[colours[:, 0] >= HAIR_DARKNESS * np.median(colours[:, 0])]
    if len(colours) < LEAST_SKIN * where.size:
        return np.full(3, np.nan)
    return np.asarray(np.median(colours, axis=0))


def skin_tone(pixels: SquarePixels, lesion: LesionMask | None = None) -> str:
    """The class of the skin of a square [S, S, 3], `NO_ANGLE` or `UNKNOWN`; see `skin_colour`."""
    colour = skin_colour(pixels, lesion)
    return UNKNOWN if np.isnan(colour).any() else tone_of(typology_angle(colour))


def tones_of(
    rows: Sequence[Row],
    spec: PreprocessSpec,
    *,
    outline: Outline | None = None,
    advance: Callable[[int], None] | None = None,
) -> list[str]:
    """The skin tone of each row; cleaning steps, which change colours, are left out.

    Raises:
        DataError: names an image that cannot be read.
    """
    as_it_came, tones = spec.model_copy(update={"clean": []}), []
    for row in rows:
        square = read_square(row, as_it_came)
        tones.append(skin_tone(square, outline(square) if outline else None))
        if advance:
            advance(1)
    return tones


def _frame(side: int) -> NDArray[np.bool_]:
    width = max(1, round(FRAME * side))
    frame = np.ones((side, side), dtype=np.bool_)
    frame[width:-width, width:-width] = False
    return frame


def _widened(lesion: LesionMask) -> LesionMask:
    """The mask grown by `MARGIN` in every direction, corners included: a running maximum along both axes."""
    radius = round(MARGIN * len(lesion))
    wide = np.pad(lesion, radius)
    for _ in range(2):
        windows = np.lib.stride_tricks.sliding_window_view(wide, 2 * radius + 1, axis=0)
        wide = np.asarray(windows.any(axis=-1)).T
    return np.ascontiguousarray(wide)
