"""Drawn pictures and their files, for the tests of core."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

Draw = Callable[..., Image.Image]
Encode = Callable[..., bytes]


@pytest.fixture
def drawn() -> Draw:
    """A smooth picture with a dark blot off centre, so that no turn or mirror leaves it as it is."""

    def draw(width: int = 96, height: int = 72) -> Image.Image:
        y, x = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)
        blot = np.exp(-((x - 0.4) ** 2 + (y - 0.6) ** 2) / 0.02)
        skin = np.stack([230 - 40 * x, 180 - 60 * y, 150 - 30 * x * y], axis=-1)
        return Image.fromarray((skin * (1 - 0.8 * blot[..., None])).round().astype(np.uint8))

    return draw


@pytest.fixture
def encoded() -> Encode:
    """The bytes of a picture in a format, with the options of Pillow's `save`."""

    def encode(picture: Image.Image, kind: str, **options: object) -> bytes:
        stream = io.BytesIO()
        picture.copy().save(stream, kind, **options)
        return stream.getvalue()

    return encode
