"""Connected regions of a mask, found through its runs: rows of neighbouring pixels. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]  # [height, width]
Numbers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of a mask in reading order; runs of one region have the same `region`, the number of its first run."""

    rows: Numbers
    starts: Numbers
    """First column."""
    ends: Numbers
    """Column after the last."""
    region: Numbers
    shape: tuple[int, int]

    def mask(self, chosen: NDArray[np.bool_]) -> Mask:
        """The pixels of some runs."""
        height, width = self.shape
        steps = np.zeros((height, width + 1), dtype=np.int8)
        steps[self.rows[chosen], self.starts[chosen]] = 1
        steps[self.rows[chosen], self.ends[chosen]] = -1
        return np.cumsum(steps[:, :-1], axis=1, dtype=np.int8) > 0


def runs_of(mask: Mask, *, diagonal: bool) -> Runs:
    """The runs of a mask; with `diagonal`, pixels that touch at a corner belong together.

    Two runs of neighbouring rows are one region where they overlap. Regions are joined as in He, Chao and Suzuki, A
    run-based two-scan labeling algorithm, IEEE Transactions on Image Processing 17 (2008), but all pairs at a time:
    every run takes the lowest number that it touches until nothing changes.
    """
    height, width = mask.shape
    padded = np.zeros((height, width + 1), dtype=np.int8)  # a column between the rows, so that no run goes on
    padded[:, :-1] = mask
    changes = np.diff(padded.ravel(), prepend=0)
    starts, ends = np.flatnonzero(changes == 1), np.flatnonzero(changes == -1)
    reach = 1 if diagonal else 0
    below = width + 1
    first = np.searchsorted(ends, starts + below - reach, side="right")
    last = np.searchsorted(starts, ends + below + reach, side="left")
    region = _joined(*_pairs(first, np.maximum(last - first, 0)), len(starts))
    rows = starts // below
    return Runs(rows, starts - rows * below, ends - rows * below, region, (height, width))


def _pairs(first: Numbers, counts: Numbers) -> tuple[Numbers, Numbers]:
    """Every run i with its `counts[i]` neighbours in the row below, which begin with `first[i]`."""
    upper = np.repeat(np.arange(len(first)), counts)
    place = np.arange(len(upper)) - np.repeat(np.cumsum(counts) - counts, counts)
    return upper, np.repeat(first, counts) + place


def _joined(upper: Numbers, lower: Numbers, count: int) -> Numbers:
    region = np.arange(count)
    while True:
        one, other = region[upper], region[lower]
        differs = one != other
        if not differs.any():
            return region
        np.minimum.at(region, np.maximum(one, other)[differs], np.minimum(one, other)[differs])
        while not np.array_equal(further := region[region], region):
            region = further


def without_holes(mask: Mask) -> Mask:
    """The mask with everything filled that has no way to the edge of the picture, not even between two corners."""
    height, width = mask.shape
    outside = runs_of(~mask, diagonal=False)
    at_edge = (outside.rows == 0) | (outside.rows == height - 1) | (outside.starts == 0) | (outside.ends == width)
    is_open = np.zeros(len(outside.rows), dtype=bool)
    is_open[outside.region[at_edge]] = True
    return ~outside.mask(is_open[outside.region])
