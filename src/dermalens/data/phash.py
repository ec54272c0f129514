"""Perceptual hash: 64 bits that stay nearly the same when a picture is recompressed, resized or relit.

The signs of the 64 lowest frequencies of a 32 x 32 cosine transform against their median. On dermatoscopic images
it only proposes: centred lesions resemble each other so much that thousands of pairs of different lesions lie
within eight bits. `dermalens.data.duplicates` confirms.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

THUMB_SIDE: Final = 64
HASH_SIDE: Final = 32
KEPT: Final = 8

Thumbs = NDArray[np.uint8]  # [n, 64, 64], grey, the centre square
Hashes = NDArray[np.uint64]  # [n]
Indices = NDArray[np.intp]  # [n]


def _cosines() -> NDArray[np.float32]:
    """The first `KEPT` rows of the DCT-II matrix, [8, 32]."""
    places = (np.arange(HASH_SIDE) + 0.5) * np.pi / HASH_SIDE
    return np.asarray(np.cos(np.arange(KEPT)[:, None] * places), dtype=np.float32)


def perceptual_hashes(thumbs: Thumbs) -> Hashes:
    """One hash a thumbnail."""
    halves = thumbs.reshape(len(thumbs), HASH_SIDE, 2, HASH_SIDE, 2).mean(axis=(2, 4), dtype=np.float32)
    cosines = _cosines()
    spectrum = (cosines @ halves @ cosines.T).reshape(len(thumbs), KEPT * KEPT)
    middle = np.median(spectrum[:, 1:], axis=1, keepdims=True)
    return np.packbits(spectrum > middle, axis=1).view(np.uint64)[:, 0]


def close_pairs(left: Hashes, right: Hashes, *, distance: int, rows: int = 512) -> Iterator[tuple[Indices, Indices]]:
    """Pairs (i, j), i < j, whose hashes `left[i]` and `right[j]` differ in at most `distance` bits.

    In blocks of `rows` by n, so that memory grows with n and not with its square.
    """
    for start in range(0, len(left), rows):
        block = left[start : start + rows, None] ^ right[None, start + 1 :]
        first, second = np.nonzero(np.bitwise_count(block) <= distance)
        ordered = second >= first
        yield first[ordered] + start, second[ordered] + start + 1
