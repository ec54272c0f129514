"""Random variants of a picture without PyTorch: turned, mirrored, enlarged, shifted, in another light."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageEnhance

LARGEST_ZOOM: Final = 1.2
LARGEST_SHIFT: Final = 0.05
LARGEST_COLOUR_CHANGE: Final = 0.15


@dataclass(frozen=True, slots=True)
class Variant:
    """What is done to a picture, in this order."""

    mirrored: bool
    """Left to right."""
    rotation_degrees: float
    """Counter-clockwise about the centre, 0 to 360."""
    zoom: float
    """1 to 1.2."""
    shift_x: float
    """Share of the width, -0.05 to 0.05, to the right."""
    shift_y: float
    """Share of the height, -0.05 to 0.05, downwards."""
    brightness: float
    """All values are multiplied by this, 0.85 to 1.15."""
    contrast: float
    """The distance from the mean grey is, 0.85 to 1.15."""
    saturation: float
    """The distance from the grey picture is, 0.85 to 1.15."""


def draw_variant(random: np.random.Generator) -> Variant:
    """A variant with each value drawn evenly from its range."""
    shift_x, shift_y = random.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, 2)
    light = random.uniform(1 - LARGEST_COLOUR_CHANGE, 1 + LARGEST_COLOUR_CHANGE, 3)
    return Variant(
        mirrored=bool(random.random() < 0.5),
        rotation_degrees=float(random.uniform(0, 360)),
        zoom=float(random.uniform(1, LARGEST_ZOOM)),
        shift_x=float(shift_x),
        shift_y=float(shift_y),
        brightness=float(light[0]),
        contrast=float(light[1]),
        saturation=float(light[2]),
    )


def vary(picture: Image.Image, variant: Variant) -> Image.Image:
    """The variant of an upright RGB picture, of the same size; what lies beyond the border is its reflection."""
    width, height = picture.size
    margin = math.ceil((math.hypot(width, height) - min(width, height)) / 2 + LARGEST_SHIFT * max(width, height)) + 2
    upright = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if variant.mirrored else picture
    wide = np.pad(np.asarray(upright), ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    turn = math.radians(variant.rotation_degrees)
    cosine, sine = math.cos(turn) / variant.zoom, math.sin(turn) / variant.zoom
    centre_x, centre_y = (0.5 + variant.shift_x) * width, (0.5 + variant.shift_y) * height
    matrix = (
        *(cosine, -sine, margin + width / 2 - cosine * centre_x + sine * centre_y),
        *(sine, cosine, margin + height / 2 - sine * centre_x - cosine * centre_y),
    )
    moved = Image.fromarray(wide).transform(
        (width, height), Image.Transform.AFFINE, matrix, resample=Image.Resampling.BICUBIC
    )
    lit = ImageEnhance.Brightness(moved).enhance(variant.brightness)
    lit = ImageEnhance.Contrast(lit).enhance(variant.contrast)
    return ImageEnhance.Color(lit).enhance(variant.saturation)
