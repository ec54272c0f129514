"""What the audit keeps of each image after one look: the hash of its file, its size and a grey thumbnail."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermalens.core.errors import ImageError
from dermalens.core.image import decode, read_file
from dermalens.data.check import Advance, nobody_watches
from dermalens.data.index import Row
from dermalens.data.parallel import in_threads
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
    """Fingerprints of all that opens, and the rest; `advance` goes through as many steps. A file is opened once."""
    images_of = Counter(row.path for row in rows)
    firsts = list({row.path: row for row in reversed(rows)}.values())
    of_file: dict[str, Fingerprint | Unreadable] = {}
    for found in in_threads(_take, firsts, nobody_watches):
        of_file[found.row.path] = found
        advance(images_of[found.row.path])
    taken: list[Fingerprint] = []
    failed: list[Unreadable] = []
    for row in rows:
        found = of_file[row.path]
        if isinstance(found, Unreadable):
            failed.append(Unreadable(row, found.reason))
        else:
            taken.append(Fingerprint(row, found.sha256, found.size, found.thumb))
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
