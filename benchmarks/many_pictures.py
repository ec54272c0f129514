"""Folders of many pictures: drawn ones of the sizes that people send, or real ones, each there many times."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageEnhance

from benchmarks.pictures import EXAMPLE

REAL: Final = Path(__file__).resolve().parents[2] / "shared" / "data" / "HAM10000"
IN_A_FOLDER: Final = 1000
DISTINCT_REAL: Final = 2000


def drawn(count: int, size: tuple[int, int]) -> list[bytes]:
    """Different JPEGs: the drawn lesion turned, lighter or darker, with grain to decode."""
    with Image.open(EXAMPLE) as picture:
        whole = picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    return [_varied(whole, number) for number in range(count)]


def _varied(picture: Image.Image, number: int) -> bytes:
    turned = picture.rotate(7 * number, fillcolor=picture.getpixel((0, 0)))
    lighter = ImageEnhance.Brightness(turned).enhance(0.9 + 0.02 * (number % 10))
    grain = Image.effect_noise(picture.size, 40).convert("RGB")
    buffer = io.BytesIO()
    Image.blend(lighter, grain, 0.06).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def real(count: int = DISTINCT_REAL) -> list[bytes]:
    """Images of HAM10000 where they are at hand, none otherwise."""
    return [path.read_bytes() for path in itertools.islice(sorted(REAL.glob("*/*.jpg")), count)]


def fill(folder: Path, count: int, pictures: Sequence[bytes]) -> Path:
    """A folder of `count` pictures, in folders of a thousand; the same ones again and again are hard links.

    A file system allows some 65,000 links to a file: a million need twenty pictures or more.
    """
    originals = folder.with_name(f"{folder.name}_originals")
    originals.mkdir()
    for number, data in enumerate(pictures):
        (originals / f"{number}.jpg").write_bytes(data)
    for number in range(count):
        if number % IN_A_FOLDER == 0:
            below = folder / f"{number // IN_A_FOLDER:04}"
            below.mkdir(parents=True)
        os.link(originals / f"{number % len(pictures)}.jpg", below / f"{number:07}.jpg")
    return folder
