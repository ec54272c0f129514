"""Pictures of a dark disc on skin with their outlines, for tests that train or judge the outline network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from dermalens.data.index import Row
from dermalens.data.outlines import SUFFIX
from dermalens.data.split import write_split

WIDTH, HEIGHT = 96, 72


def disc(side: int, radius: float, centre: tuple[float, float] = (0.5, 0.5)) -> np.ndarray:
    """A filled circle on a square; radius and centre (x, y) in shares of the side."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2


def draw_pairs(folder: Path, in_part: dict[str, int]) -> tuple[Path, Path]:
    """A split with images of the parts, each of its own lesion, and the folder of its outlines."""
    masks = folder / "masks"
    masks.mkdir(parents=True)
    rows: list[Row] = []
    for part, count in in_part.items():
        for place in range(count):
            random = np.random.default_rng(len(rows))
            pixels = random.integers(180, 210, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
            mask = (y - 36 - random.uniform(-8, 8)) ** 2 + (x - 48) ** 2 < random.uniform(10, 22) ** 2
            pixels[mask] = (110, 70, 50)
            name = f"drawn_{part}_{place}"
            Image.fromarray(pixels).save(folder / f"{name}.png")
            Image.fromarray(mask).save(masks / f"{name}{SUFFIX}")
            rows.append(Row(name, str(folder / f"{name}.png"), "nv", f"lesion_{name}", part=part))
    write_split(rows, folder / "split.csv", seed=0)
    return folder / "split.csv", masks
