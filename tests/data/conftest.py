"""Drawn lesions on disk, in the four layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from typer.testing import CliRunner

from dermalens.cli.data import app
from dermalens.data.index import Row

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"


def drawn_lesion(seed: int, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """A dark blot with dots on skin, as different from another seed's as two lesions are."""
    random = np.random.default_rng(seed)
    width, height = size
    picture = Image.new("RGB", size, (225, 180, 160))
    draw = ImageDraw.Draw(picture)
    left, top = random.uniform(0.2, 0.4, 2)
    draw.ellipse((width * left, height * top, width * 0.75, height * 0.8), fill=(120, 75, 60))
    for x, y, radius in random.uniform((0, 0, 2), (width, height, 6), (40, 3)):
        shade = int(random.integers(30, 220))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(shade, shade // 2, shade // 3))
    return picture.filter(ImageFilter.GaussianBlur(0.8))


def save(path: Path, seed: int, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn_lesion(seed).save(path, **options)
    return path


def write_csv(path: Path, lines: Iterable[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def run() -> Callable[..., Any]:
    """`dermalens data` with arguments; what is not an exit is raised."""

    def invoke(*arguments: object) -> Any:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    """HAM10000 as Kaggle gives it: four images of three lesions in two folders."""
    root = tmp_path / "HAM"
    header = "lesion_id,image_id,dx,dx_type,age,sex,localization"
    lines = (
        "HAM_1,ISIC_0000001,mel,histo,50.0,male,back",
        "HAM_1,ISIC_0000002,mel,histo,50.0,male,back",
        "HAM_2,ISIC_0000003,nv,follow_up,,unknown,unknown",
        "HAM_3,ISIC_0000004,bkl,consensus,35,female,face",
    )
    write_csv(root / "HAM10000_metadata.csv", (header, *lines))
    for number in range(1, 5):
        save(root / f"HAM10000_images_part_{1 + number // 3}" / f"ISIC_000000{number}.jpg", number)
    return root


@pytest.fixture
def rows() -> Callable[..., list[Row]]:
    """Rows without files: `lesions` per label, two images a lesion."""

    def make(lesions: int = 40, labels: Iterable[str] = ("mel", "nv")) -> list[Row]:
        return [
            Row(f"{label}_{lesion}_{image}", f"/images/{label}_{lesion}_{image}.jpg", label, f"L_{label}_{lesion}")
            for label in labels
            for lesion in range(lesions)
            for image in range(2)
        ]

    return make
