"""What the audit keeps of each image after one look: the hash of its file, its size and a grey thumbnail."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermalens.core.errors import ImageError
from dermalens.core.image import decode, read_file
from dermalens.data.check import THREADS, Advance, nobody_watches
from dermalens.data.index import Row
from dermalens.data.phash import THUMB_SIDE


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`size` is width and height in pixels, upright; `thumb` is uint8 [64, 64], the centre square in grey."""

    row: Row
    sha256: str
    size: tuple[int, int]
    thumb: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An image of the index that cannot be opened."""

    row: Row
    reason: str


def take_fingerprints(
    rows: Sequence[Row], *, advance: Advance = nobody_watches
) -> tuple[list[Fingerprint], list[Unreadable]]:
    """Fingerprints of all that opens, and the rest; `advance` is called once an image."""
    taken: list[Fingerprint] = []
    failed: list[Unreadable] = []
    with ThreadPoolExecutor(THREADS) as pool:
        for result in pool.map(_take, rows):
            advance(1)
            if isinstance(result, Fingerprint):
                taken.append(result)
            else:
                failed.append(result)
    return taken, failed


def _take(row: Row) -> Fingerprint | Unreadable:
    try:
        data = read_file(Path(row.path))
        decoded = decode(data, wanted_side_pixels=THUMB_SIDE)
    except ImageError as error:
        return Unreadable(row, str(error).partition(";")[0])
    return Fingerprint(row, hashlib.sha256(data).hexdigest(), decoded.original_size, _thumb(decoded.picture))


def _thumb(picture: Image.Image) -> NDArray[np.uint8]:
    side = min(picture.size)
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    box = (left, top, left + side, top + side)
    grey = picture.convert("L").resize((THUMB_SIDE, THUMB_SIDE), Image.Resampling.BICUBIC, box=box)
    return np.asarray(grey, dtype=np.uint8)
