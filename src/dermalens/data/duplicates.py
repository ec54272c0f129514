"""Find images that show the same picture: the same file, or a recompressed, resized, relit, mirrored or turned copy.

A copy that was cropped or shifted by more than a few pixels is not found, and neither is another photograph of the
same lesion.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.data.check import Advance, nobody_watches
from dermalens.data.fingerprint import Fingerprint
from dermalens.data.index import Row
from dermalens.data.phash import THUMB_SIDE, Indices, Thumbs, close_pairs, perceptual_hashes

HASH_DISTANCE: Final = 8
"""Bits; a JPEG of quality 30 at half the size stays within it."""

LEAST_CORRELATION: Final = 0.60
"""Of the details of two thumbnails. Different lesions of HAM10000 and the ISIC archive within `HASH_DISTANCE` reach
0.54 (12,909 images, all eight views); between there and 0.74 lie, looked at one by one, one lesion and its copy in
other colours."""

BLUR_PIXELS: Final = 9
"""What is smoother than this, on 64 x 64, is light and the lesion's outline, which all images share."""

NOISE_LEVELS: Final = 4.0
"""Of 256 grey levels: local contrast below this is noise of the camera and of JPEG, and is not blown up."""

VIEWS: Final = tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4))
"""Quarter turns after mirroring left to right; the first leaves the picture as it is."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images of two lesion ids that show one picture; `correlation` is 1 for the same file."""

    first: Row
    second: Row
    correlation: float
    turned: bool = False
    """Mirrored or turned against each other."""

    @property
    def across_parts(self) -> bool:
        """Whether one side of the split, a part or a fold, gives away the other."""
        first, second = self.first, self.second
        parts_differ = bool(first.part and second.part) and first.part != second.part
        return parts_differ or (None not in (first.fold, second.fold) and first.fold != second.fold)


def exact_pairs(fingerprints: Sequence[Fingerprint]) -> list[Pair]:
    """Images of different lesions whose files are the same byte by byte; each with the first of its kind."""
    same: dict[str, list[Row]] = defaultdict(list)
    for fingerprint in fingerprints:
        same[fingerprint.sha256].append(fingerprint.row)
    return [
        Pair(rows[0], other, 1.0)
        for rows in same.values()
        for other in rows[1:]
        if other.lesion_id != rows[0].lesion_id
    ]


def near_pairs(fingerprints: Sequence[Fingerprint], *, advance: Advance = nobody_watches) -> list[Pair]:
    """Images of different lesions whose pictures agree though their files differ, most alike first.

    `advance` goes through as many steps as there are fingerprints.
    """
    of_file: dict[str, list[int]] = defaultdict(list)
    for number, fingerprint in enumerate(fingerprints):
        of_file[fingerprint.sha256].append(number)
    groups = list(of_file.values())
    alike = _near_files([fingerprints[group[0]] for group in groups], advance, steps=len(fingerprints))
    pairs = (
        Pair(fingerprints[min(i, j)].row, fingerprints[max(i, j)].row, *found)
        for (first, second), found in alike.items()
        for i in groups[first]
        for j in groups[second]
        if fingerprints[i].row.lesion_id != fingerprints[j].row.lesion_id
    )
    return sorted(pairs, key=lambda pair: (-pair.correlation, pair.first.image_id))


def _near_files(
    files: Sequence[Fingerprint], advance: Advance, *, steps: int
) -> dict[tuple[int, int], tuple[float, bool]]:
    """Correlation, and whether turned, of the pairs of different files that agree; all with all, by their hashes."""
    best: dict[tuple[int, int], tuple[float, bool]] = {}
    if not files:
        return best
    thumbs = np.stack([file.thumb for file in files])
    for done, (turns, mirrored) in enumerate(VIEWS):
        turned = _view(thumbs, turns=turns, mirrored=mirrored)
        for first, second in _candidates(turned, thumbs):
            alike = _correlations(turned[first], thumbs[second])
            for i, j, value in zip(first, second, alike, strict=True):
                if value >= LEAST_CORRELATION and value > best.get((i, j), (0.0, False))[0]:
                    best[i, j] = float(value), bool(turns or mirrored)
        advance(steps * (done + 1) // len(VIEWS) - steps * done // len(VIEWS))
    return best


def _view(thumbs: Thumbs, *, turns: int, mirrored: bool) -> Thumbs:
    flipped = thumbs[:, :, ::-1] if mirrored else thumbs
    return np.ascontiguousarray(np.rot90(flipped, turns, axes=(1, 2)))


def _candidates(left: Thumbs, right: Thumbs) -> Iterator[tuple[Indices, Indices]]:
    """Pairs of near hashes, no file with itself, at most 1,024 at once."""
    hashes = perceptual_hashes(left), perceptual_hashes(right)
    for first, second in close_pairs(*hashes, distance=HASH_DISTANCE):
        for start in range(0, len(first), 1024):
            yield first[start : start + 1024], second[start : start + 1024]


def _correlations(left: Thumbs, right: Thumbs) -> NDArray[np.float32]:
    """Pearson correlation of the details of each pair of thumbnails, [n]."""
    return np.asarray(np.einsum("nk,nk->n", _details(left), _details(right)), dtype=np.float32)


def _details(thumbs: Thumbs) -> NDArray[np.float32]:
    """Unit vectors [n, 4096]: thumbnails minus the mean of their surroundings, by its local contrast.

    Without the division one dark edge outweighs all else, and any two small dark moles are alike.
    """
    pixels = thumbs.astype(np.float32)
    details = pixels - _local_mean(pixels)
    details /= np.sqrt(_local_mean(details**2)) + NOISE_LEVELS
    flat = details.reshape(len(thumbs), THUMB_SIDE * THUMB_SIDE)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(np.divide(flat, length, out=np.zeros_like(flat), where=length > 1e-3), dtype=np.float32)


def _local_mean(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean over a square of `BLUR_PIXELS` around each pixel; [n, 64, 64] to the same."""
    around = BLUR_PIXELS // 2
    padded = np.pad(pixels, ((0, 0), (around, around), (around, around)), mode="edge")
    rows = np.zeros((len(pixels), THUMB_SIDE, THUMB_SIDE + 2 * around), dtype=np.float32)
    total = np.zeros_like(pixels)
    for shift in range(BLUR_PIXELS):
        rows += padded[:, shift : shift + THUMB_SIDE]
    for shift in range(BLUR_PIXELS):
        total += rows[:, :, shift : shift + THUMB_SIDE]
    return total / np.float32(BLUR_PIXELS**2)
