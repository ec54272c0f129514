"""Pictures of lesions for tests that train: a blot on skin-coloured noise, whose colour hints at the class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from dermalens.core.taxonomy import CLASSES
from dermalens.data.index import Row
from dermalens.data.split import write_split


def draw_lesion(number: int, label: str, target: Path) -> None:
    """Write a picture of 96 x 72 pixels; the same number and label give the same picture."""
    random = np.random.default_rng(number)
    pixels = random.integers(150, 200, (72, 96, 3), dtype=np.uint8)
    y, x = np.mgrid[:72, :96]
    blot = (y - 36) ** 2 + (x - 48) ** 2 < random.integers(200, 500)
    pixels[blot] = 40 + 25 * CLASSES.index(label) + random.integers(0, 20, (int(blot.sum()), 3))
    Image.fromarray(pixels).save(target)


def draw_split(
    folder: Path,
    in_part: Mapping[str, int],
    *,
    draw: Callable[[int, str, Path], None] = draw_lesion,
    folds: int = 0,
    source: str = "HAM10000",
) -> Path:
    """A split in `folder` with `in_part` images of each class, each of its own lesion; with `folds` outside test."""
    rows: list[Row] = []
    for label in CLASSES:
        for part, count in in_part.items():
            for place in range(count):
                path = folder / f"{label}_{part}_{place}.png"
                draw(len(rows), label, path)
                fold = place % folds if folds and part != "test" else None
                rows.append(
                    Row(path.stem, str(path), label, f"lesion_{path.stem}", source=source, part=part, fold=fold)
                )
    write_split(rows, folder / "split.csv", seed=0)
    return folder / "split.csv"
