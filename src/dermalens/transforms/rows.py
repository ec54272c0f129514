"""Rows of an index to the squares that a model sees; an image that cannot be read is named."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from dermalens.core.errors import DataError, ImageError
from dermalens.core.image import open_upright, read_file
from dermalens.core.spec import PreprocessSpec
from dermalens.data.index import Row
from dermalens.transforms.preprocess import SquarePixels, preprocess


def read_square(row: Row, spec: PreprocessSpec) -> SquarePixels:
    """The preprocessed square of a row, uint8 [S, S, 3].

    Raises:
        DataError: names the image that cannot be read, and why.
    """
    return preprocess(read_picture(row, spec), spec)


def read_picture(row: Row, spec: PreprocessSpec) -> Image.Image:
    """The whole picture of a row, upright, decoded no larger than its square needs.

    Raises:
        DataError: names the image that cannot be read, and why.
    """
    try:
        return open_upright(read_file(Path(row.path)), wanted_side_pixels=spec.side_pixels)
    except ImageError as error:
        raise DataError(f"Image {row.image_id} ({row.path}): {error}") from error
