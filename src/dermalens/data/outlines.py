"""Outlines drawn by people: mask files beside the images of an index, `ISIC_1_segmentation.png` for `ISIC_1`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from dermalens.core.errors import DataError, name_some
from dermalens.data.files import is_file
from dermalens.data.index import Row

Mask = NDArray[np.bool_]  # [side, side], True on the lesion

SUFFIX: Final = "_segmentation.png"
"""As the outlines of HAM10000 and of ISIC 2018 task 1 are named."""
HALF: Final = 128
"""Of 255: a reduced pixel of which at least half lies on the lesion belongs to it."""
WHITE: Final = 255


def outline_files(rows: Sequence[Row], folder: Path) -> list[Path]:
    """The mask file of each row, in order.

    Raises:
        DataError: rows without one (names up to five).
    """
    files = [folder / f"{row.image_id}{SUFFIX}" for row in rows]
    missing = [row.image_id for row, file in zip(rows, files, strict=True) if not is_file(file)]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(rows)} image(s) have no outline in {folder}: {name_some(missing)}. "
            f"Needed is a file IMAGE_ID{SUFFIX} for each."
        )
    return files


def read_outline(file: Path, *, side_pixels: int) -> Mask:
    """The centre square of a mask, reduced to a side: the same cut as `transforms.preprocess` takes of the image.

    Raises:
        DataError: the file is not a picture, or its lesion is neither white nor 1.
    """
    try:
        with Image.open(file) as picture:
            grey = picture.convert("L")
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"The outline {file} cannot be read: {error}. Needed is a black and white picture.") from error
    brightest = int(np.asarray(grey).max())
    if brightest == 1:  # classes are often stored as 0 and 1
        grey = grey.point(lambda value: WHITE * value)
    elif 0 < brightest < HALF:
        raise DataError(
            f"The outline {file} is {brightest} of {WHITE} at its brightest. Needed is a picture that is black beside "
            "the lesion and white on it (255, or 1)."
        )
    side = min(grey.size)
    left, upper = (grey.width - side) / 2, (grey.height - side) / 2
    box = (left, upper, left + side, upper + side)
    reduced = grey.resize((side_pixels, side_pixels), Image.Resampling.BILINEAR, box=box)
    return np.asarray(reduced) >= HALF
