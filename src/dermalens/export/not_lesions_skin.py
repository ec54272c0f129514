"""Skin without a lesion, cut from lesion images where their outlines leave room."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from scipy import ndimage

from dermalens.core.spec import PreprocessSpec
from dermalens.core.square import Box, centre_of
from dermalens.data.index import Row
from dermalens.data.outlines import Mask, outline_files, read_outline
from dermalens.transforms.preprocess import SquarePixels, preprocess
from dermalens.transforms.rows import read_picture

SIDE: Final = 256
"""Pixels of the centre square in which a place is looked for."""

LEAST_SIDE: Final = 64
"""Of `SIDE`; smaller crops are blurred beyond use."""

MARGIN: Final = 10
"""Of `SIDE`, by which an outline is widened: colour and hairs go on beyond it."""

DARK: Final = 50
"""Luminance, in the mean over `WINDOW`, below which a part of the picture is the rim of the dermatoscope."""

WINDOW: Final = 9
"""Of `SIDE`; a hair is narrower."""


def bare_skin(row: Row, outlines: Path, spec: PreprocessSpec) -> SquarePixels | None:
    """The largest square of an image that is free of lesion and rim, uint8 [S, S, 3]; None where there is none.

    Raises:
        DataError: the outline is missing, or it or the image is no picture; names it.
    """
    (file,) = outline_files([row], outlines)
    picture = read_picture(row, spec)
    square = centre_of(*picture.size).box
    place = free_square(read_outline(file, side_pixels=SIDE) | rim(picture, square))
    if place is None:
        return None
    left, upper, right, lower = (edge * (square[2] - square[0]) / SIDE for edge in place)
    box = (square[0] + left, square[1] + upper, square[0] + right, square[1] + lower)
    return preprocess(picture, spec, box=box)


def rim(picture: Image.Image, square: Box) -> Mask:
    """Where a square of the picture [SIDE, SIDE] is black over a whole region: outside the dermatoscope's field."""
    grey = np.asarray(picture.convert("L").resize((SIDE, SIDE), box=square), dtype=np.float32)
    return np.asarray(ndimage.uniform_filter(grey, WINDOW) < DARK)


def free_square(taken: Mask) -> Box | None:
    """The largest square that stays `MARGIN` clear of a mask [SIDE, SIDE]; None where it is below `LEAST_SIDE`."""
    walled = np.pad(ndimage.maximum_filter(taken, size=2 * MARGIN + 1), 1, constant_values=True)
    reach = ndimage.distance_transform_cdt(~walled, metric="chessboard")
    y, x = np.unravel_index(int(reach.argmax()), reach.shape)
    half = int(reach[y, x]) - 1
    if 2 * half + 1 < LEAST_SIDE:
        return None
    left, upper = int(x) - 1 - half, int(y) - 1 - half
    return (left, upper, left + 2 * half + 1, upper + 2 * half + 1)
