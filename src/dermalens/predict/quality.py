"""Can this picture be judged at all? Size, contrast, sharpness, exposure, glare, hair and ink.

The limits were set on 3,000 training images of HAM10000 and checked on 1,000 of the ISIC archive, at 224 pixels; how
many lesion images and other pictures they refuse is in benchmarks/results/gate.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from dermalens.predict.quality_measures import LUMINANCE_WEIGHTS, Measures, measure
from dermalens.transforms.preprocess import SquarePixels

LEAST_CONTRAST: Final = 2.0
"""Standard deviation of the luminance, of 255. Of 1,500 training images of HAM10000 the flattest has 6.7; an even
surface with camera noise of 4 a pixel has 1.0 after the reduction to 192 pixels."""

LEAST_SIDE_PIXELS: Final = 64
"""Side of the square in the original picture. Below it a model that sees 192 pixels is shown a threefold
enlargement, in which the network and streaks of a lesion, a few pixels wide at 192, no longer exist."""

LEAST_SHARPNESS: Final = 4.5
"""A picture is blurred below it, and below `LEAST_RELATIVE_SHARPNESS` too."""

LEAST_RELATIVE_SHARPNESS: Final = 0.25
"""Sharpness as a share of the contrast: a pale lesion on smooth skin has little of both and is no blurred one."""

LEAST_LUMINANCE: Final = 35.0
"""Of 255. The darkest HAM10000 image has 61, the darkest ISIC image 57; at 15 % of the light all of 60 have 27 or
less."""

LARGEST_DARK_SHARE: Final = 0.5
"""The largest of HAM10000 is 0.10, of ISIC images 0.14."""

LARGEST_BRIGHT_SHARE: Final = 0.35
"""The largest of HAM10000 is 0.09, of ISIC images 0.28; at twice the light the median is 0.78."""

LARGEST_GLARE_SHARE: Final = 0.1
"""2 of 3,000 HAM10000 images lie above, both lesions that fill a picture of white skin."""

LARGEST_HAIR_SHARE: Final = 0.25
"""99.8 % of HAM10000 images have less than 0.23; sixty drawn hairs give 0.28 or more in 95 % of images."""

LARGEST_INK_SHARE: Final = 0.3
"""Of the square."""

WHOLE_SHARE: Final = 0.95
"""From here on the colour is that of the light or of the thing itself, not marks on skin: the gate's question."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What was found of a picture; any finding makes the answer abstain."""

    source_side_pixels: int
    """Side of the square in the original picture."""
    contrast: float
    """Standard deviation of the luminance of the square, of 255."""
    measures: Measures
    findings: tuple[str, ...]
    """Sentences in plain words: what was found and what to do."""

    def as_dict(self) -> dict[str, Any]:
        """The key `quality` of the answer."""
        return {
            "source_side_pixels": self.source_side_pixels,
            "contrast": self.contrast,
            **asdict(self.measures),
            "findings": list(self.findings),
        }


def assess(square: SquarePixels, original_size: tuple[int, int]) -> Quality:
    """Judge the square that the model sees, and the width and height of the picture that it was cut from."""
    side, contrast, measures = min(original_size), round(float((square @ LUMINANCE_WEIGHTS).std()), 2), measure(square)
    light = tuple(_light(measures))
    detail = _even(contrast) or (() if light else _blur(contrast, measures))
    findings = (*_size(side), *light, *detail, *_cover(measures))
    return Quality(side, contrast, measures, findings)


def _size(side: int) -> Iterator[str]:
    if side < LEAST_SIDE_PIXELS:
        yield (
            f"The picture shows the lesion in {side} x {side} pixels; at least {LEAST_SIDE_PIXELS} x "
            f"{LEAST_SIDE_PIXELS} are needed to judge it. Move closer, or send the picture in its original size."
        )


def _light(found: Measures) -> Iterator[str]:
    if found.mean_luminance < LEAST_LUMINANCE:
        yield (
            f"The picture is too dark (mean brightness {found.mean_luminance:.0f} of 255, at least "
            f"{LEAST_LUMINANCE:.0f} is needed). Switch on the lamp of the dermatoscope and lay it flat on the skin."
        )
    elif found.dark_share > LARGEST_DARK_SHARE:
        yield (
            f"Black covers {found.dark_share:.0%} of the picture (at most {LARGEST_DARK_SHARE:.0%} can be judged). "
            "Move closer, or cut the picture, so that lit skin fills it."
        )
    if found.bright_share > LARGEST_BRIGHT_SHARE:
        yield (
            f"The picture is overexposed: {found.bright_share:.0%} of it is white (at most {LARGEST_BRIGHT_SHARE:.0%} "
            "can be judged). Lower the exposure or the lamp and take it again."
        )
    elif found.glare_share > LARGEST_GLARE_SHARE:
        yield (
            f"Reflections cover {found.glare_share:.0%} of the picture (at most {LARGEST_GLARE_SHARE:.0%} can be "
            "judged). Wipe the lens, use gel or polarised light, and keep other lamps away."
        )


def _even(contrast: float) -> tuple[str, ...]:
    if contrast >= LEAST_CONTRAST:
        return ()
    finding = (
        f"The picture is an even surface without detail (contrast {contrast:.1f} of 255, at least "
        f"{LEAST_CONTRAST:.1f} is needed): no lesion can be seen in it. Put one lesion in the middle."
    )
    return (finding,)


def _blur(contrast: float, found: Measures) -> tuple[str, ...]:
    if found.sharpness >= min(LEAST_SHARPNESS, LEAST_RELATIVE_SHARPNESS * contrast):
        return ()
    finding = (
        f"The picture is blurred (sharpness {found.sharpness:.1f}, at least "
        f"{min(LEAST_SHARPNESS, LEAST_RELATIVE_SHARPNESS * contrast):.1f} is needed for its contrast). "
        "Wipe the lens, focus, hold still and take it again."
    )
    return (finding,)


def _cover(found: Measures) -> Iterator[str]:
    if found.hair_share > LARGEST_HAIR_SHARE:
        yield (
            f"Hair covers the lesion: dark lines take {found.hair_share:.0%} of the picture (at most "
            f"{LARGEST_HAIR_SHARE:.0%} can be judged). Part or trim the hair, or flatten it with gel."
        )
    if LARGEST_INK_SHARE < found.ink_share < WHOLE_SHARE:
        yield (
            f"Ink or another strong colour covers {found.ink_share:.0%} of the picture (at most "
            f"{LARGEST_INK_SHARE:.0%} can be judged). Wipe the marks off and keep stickers out of the picture."
        )
