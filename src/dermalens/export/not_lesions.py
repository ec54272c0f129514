"""Pictures that show no lesion, for fitting and judging the gate: drawn, photographed, or made of a photograph."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from dermalens.core.files import is_image
from dermalens.export.not_lesions_pages import PAGES
from dermalens.export.not_lesions_patterns import PATTERNS, Canvas, Random
from dermalens.export.not_lesions_scenes import SCENES
from dermalens.transforms.preprocess import SquarePixels

DRAWN: Final[Mapping[str, Callable[[Random], Canvas]]] = {**PATTERNS, **PAGES, **SCENES}
"""Every kind that is drawn."""


def drawn(kind: str, number: int, side_pixels: int) -> SquarePixels:
    """Drawing `number` of a kind of `DRAWN`, as a camera would take it; the same number gives the same picture."""
    random = np.random.default_rng([number, *kind.encode()])
    canvas = DRAWN[kind](random).clip(0, 255)
    return photographed(Image.fromarray(canvas.astype(np.uint8)), random, side_pixels)


def photographed(picture: Image.Image, random: Random, side_pixels: int) -> SquarePixels:
    """A square picture after a camera: blur, noise and JPEG, each more or less; uint8 [side, side, 3]."""
    if random.random() < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.6)))
    small = np.asarray(picture.resize((side_pixels, side_pixels), Image.Resampling.BICUBIC), dtype=np.float32)
    pixels = small + random.normal(0, random.choice([0, 1, 3, 8]), small.shape)
    buffer = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=int(random.integers(60, 96)))
    return np.array(Image.open(buffer))


def is_for_fitting(name: str) -> bool:
    """Whether a picture of this file name is in the half that the gate is fitted on; the other half only judges it."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0


def photographs(folder: Path) -> list[Path]:
    """The pictures of a folder by name."""
    return sorted(path for path in folder.iterdir() if is_image(path.name))


def crop(picture: Image.Image, random: Random) -> Image.Image:
    """A small part of a photograph: fur, sky, cloth; a quarter to three fifths of the shorter side."""
    side = int(min(picture.size) * random.uniform(0.25, 0.6))
    left, upper = (int(random.integers(0, edge - side + 1)) for edge in picture.size)
    return picture.crop((left, upper, left + side, upper + side))


def greyed(picture: Image.Image, random: Random) -> Image.Image:
    """Grey or in two colours, sometimes as a negative."""
    grey = ImageOps.grayscale(picture)
    if random.random() < 0.4:
        grey = ImageOps.invert(grey)
    if random.random() < 0.5:
        return grey.convert("RGB")
    dark, light = (tuple(int(value) for value in part) for part in np.sort(random.integers(0, 256, (2, 3)), axis=0))
    return ImageOps.colorize(grey, dark, light)


def in_colours_of(picture: Image.Image, other: Image.Image) -> Image.Image:
    """The picture with the mean and spread of each colour channel of another, such as a lesion image.

    Reinhard et al., Color transfer between images, IEEE CG&A 21(5), 2001, here in RGB.
    """
    pixels, wanted = (np.asarray(one, dtype=np.float32).reshape(-1, 3) for one in (picture, other))
    spread = wanted.std(axis=0) / np.maximum(pixels.std(axis=0), 1)
    moved = (pixels - pixels.mean(axis=0)) * spread + wanted.mean(axis=0)
    return Image.fromarray(moved.clip(0, 255).astype(np.uint8).reshape(picture.height, picture.width, 3))
