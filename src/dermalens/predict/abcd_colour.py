"""The six dermatoscopic colours in a lesion, after the colour of the light was taken out.

Stolz et al. (1994) count white, red, light brown, dark brown, blue-grey and black; white counts only where it is
lighter than the skin around (H. P. Soyer et al., Dermoscopy of pigmented skin lesions, European Journal of Dermatology
11, 2001). Published ranges of these colours differ between cameras and lamps. Those below are ours, in CIELAB, set by
looking at training images of HAM10000; there is no truth to hold them against.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.core.srgb import Colours as Srgb
from dermalens.core.srgb import Lab, cielab, encoded, linear_light

COLOURS: Final = ("white", "red", "light_brown", "dark_brown", "blue_grey", "black")
LEAST_SHARE: Final = 0.05
"""Of the lesion, from which a colour counts as present."""

SKIN: Final = np.array([232, 190, 172], np.uint8)
"""sRGB of light skin by daylight. The skin around the lesion is brought to this hue (not to this lightness): in
HAM10000 it lies anywhere from violet to orange, by lamp and camera, and the lesion with it."""
GAINS: Final = (0.5, 2.0)
"""Least and largest gain of a channel; what would need more is not skin."""
_LUMINANCE: Final = np.array([0.2126729, 0.7151522, 0.0721750])
"""Of linear sRGB (IEC 61966-2-1)."""

BLACK_LIGHTNESS: Final = 20.0
"""L* below which everything is black."""
DARK_LIGHTNESS: Final = 42.0
"""L* that divides dark brown from light brown."""
RED_HUES: Final = (-35.0, 32.0)
"""Hue angle in degrees, atan2(b*, a*), of blood, purple to red; melanin in the skin lies at about 35 to 65."""
RED_CHROMA, RED_LIGHTNESS = 22.0, 34.0
"""Least ones of red: paler is skin, darker is brown."""
BLUE_LEAST_YELLOW: Final = 6.0
"""b* below which what is not red is blue or grey."""
WHITE_STEP: Final = 3.0
"""L* by which white is lighter than the skin around."""
SKIN_DISTANCE: Final = 9.0
"""Within this distance in CIELAB (Delta E 1976) from the skin around, a pixel is skin-coloured: none of the six."""


@dataclass(frozen=True, slots=True)
class Colours:
    """Which of the six colours a lesion has; what has the colour of the skin around is none of them."""

    count: int
    """0 to 6: colours with at least 5 % of the lesion."""
    shares: dict[str, float]
    """Of the lesion, by colour; with what is skin-coloured they sum to one."""


def colours_of(lesion: Srgb, skin: Srgb) -> Colours:
    """The colours of the pixels of a lesion [n, 3] beside skin of the colour [3]."""
    table = _table(skin)
    numbers = colour_numbers(_seen(lesion, table), _seen(skin, table))
    counts = np.bincount(numbers, minlength=len(COLOURS) + 1)[: len(COLOURS)]
    shares = {name: float(count / len(numbers)) for name, count in zip(COLOURS, counts, strict=True)}
    return Colours(sum(share >= LEAST_SHARE for share in shares.values()), shares)


def _table(skin: Srgb) -> NDArray[np.uint8]:
    """For each 8-bit value [256] of each channel [3] what it would be if the light were that of `SKIN`.

    A gain for each channel of the linear light, after J. von Kries (1902).
    """
    wanted, given = linear_light(SKIN), np.maximum(linear_light(skin), 1e-4)
    gains = np.clip(wanted / (wanted @ _LUMINANCE) * (given @ _LUMINANCE) / given, *GAINS)
    return encoded(linear_light(np.arange(256, dtype=np.uint8))[:, None] * gains)


def _seen(colours: Srgb, table: NDArray[np.uint8]) -> Lab:
    return cielab(np.stack([table[colours[..., channel], channel] for channel in range(3)], axis=-1))


def colour_numbers(pixels: Lab, skin: Lab) -> NDArray[np.intp]:
    """For each pixel [n, 3] its place in `COLOURS`, or 6 for that of the skin [3]."""
    lightness, green_red, blue_yellow = pixels.T
    chroma, hue = np.hypot(green_red, blue_yellow), np.degrees(np.arctan2(blue_yellow, green_red))
    is_red_hue = (hue >= RED_HUES[0]) & (hue < RED_HUES[1])
    tests = {
        "black": lightness < BLACK_LIGHTNESS,
        "white": (lightness > skin[0] + WHITE_STEP) & (chroma < np.hypot(skin[1], skin[2])),
        "skin": ((pixels - skin) ** 2).sum(axis=1) < SKIN_DISTANCE**2,
        "red": is_red_hue & (chroma >= RED_CHROMA) & (lightness >= RED_LIGHTNESS),
        "blue_grey": blue_yellow < BLUE_LEAST_YELLOW,
        "dark_brown": lightness < DARK_LIGHTNESS,
    }
    names = (*COLOURS, "skin")
    chosen = np.select(list(tests.values()), [names.index(name) for name in tests], names.index("light_brown"))
    return np.asarray(chosen, dtype=np.intp)
