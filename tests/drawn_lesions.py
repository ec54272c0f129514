"""Pictures of lesions for tests that train: a blot on skin-coloured noise, whose colour hints at the class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from dermalens.core.taxonomy import CLASSES


def draw_lesion(number: int, label: str, target: Path) -> None:
    """Write a picture of 96 x 72 pixels; the same number and label give the same picture."""
    random = np.random.default_rng(number)
    pixels = random.integers(150, 200, (72, 96, 3), dtype=np.uint8)
    y, x = np.mgrid[:72, :96]
    blot = (y - 36) ** 2 + (x - 48) ** 2 < random.integers(200, 500)
    pixels[blot] = 40 + 25 * CLASSES.index(label) + random.integers(0, 20, (int(blot.sum()), 3))
    Image.fromarray(pixels).save(target)
