"""How well an outline graph agrees with outlines drawn by people, on the way that an answer takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.core.bundle import Measured
from dermalens.core.errors import DataError
from dermalens.core.spec import PreprocessSpec
from dermalens.data.check import nobody_watches
from dermalens.data.index import Row
from dermalens.data.outlines import Mask, outline_files, read_outline
from dermalens.data.parallel import in_threads
from dermalens.evaluate.bootstrap import interval, lesion_draws
from dermalens.evaluate.predictions import Truth
from dermalens.predict.outline import Belonging, OutlineSession, find_outline
from dermalens.transforms.rows import read_square

COMPARED_SIDE_PIXELS: Final = 256
"""Side at which outlines are compared, whatever the bundle sees: that of the outlines in the reduced HAM10000."""
POOR: Final = 0.5
"""Intersection over union below which an outline is called poor."""

Overlaps = NDArray[np.float64]  # [images], 0..1; NaN where people drew nothing in the square


@dataclass(frozen=True, slots=True)
class Drawn:
    """Maps of probabilities and the outlines drawn by people, of the same images."""

    belongings: Sequence[Belonging]
    masks: Sequence[Mask]
    """[256, 256] each."""
    lesions: tuple[str, ...]


def draw_rows(
    session: OutlineSession,
    rows: Sequence[Row],
    masks: Path,
    spec: PreprocessSpec,
    *,
    advance: Callable[[int], None] = nobody_watches,
) -> Drawn:
    """Ask an outline graph about `rows`, whose outlines lie in the folder `masks`.

    Raises:
        DataError: an image or an outline is missing or cannot be read.
    """
    files = outline_files(rows, masks)

    def draw(place: int) -> tuple[Belonging, Mask]:
        belonging = session.run(read_square(rows[place], spec)[None])[0]
        return belonging, read_outline(files[place], side_pixels=COMPARED_SIDE_PIXELS)

    found = list(in_threads(draw, range(len(rows)), advance))
    return Drawn([pair[0] for pair in found], [pair[1] for pair in found], tuple(row.lesion_id for row in rows))


def overlaps_of(drawn: Drawn, threshold: float) -> Overlaps:
    """Intersection over union of each image, after the choice of one region; 0 where none was found."""
    return np.array(
        [_overlap(belonging, mask, threshold) for belonging, mask in zip(drawn.belongings, drawn.masks, strict=True)]
    )


def _overlap(belonging: Belonging, mask: Mask, threshold: float) -> float:
    if not mask.any():
        return math.nan
    outline = find_outline(belonging, side_pixels=COMPARED_SIDE_PIXELS, threshold=threshold)
    if outline is None:
        return 0.0
    return float((outline.mask & mask).sum() / (outline.mask | mask).sum())


def choose_threshold(drawn: Drawn, candidates: Sequence[float]) -> float:
    """The candidate with the highest mean intersection over union.

    Raises:
        DataError: people drew nothing inside the square of any image.
    """
    overlaps = [overlaps_of(drawn, threshold) for threshold in candidates]
    if all(np.isnan(some).all() for some in overlaps):
        raise DataError("No outline has a lesion within the centre square: nothing can be compared.")
    means = [float(np.nanmean(some)) for some in overlaps]
    return candidates[int(np.argmax(means))]


FIGURES: Final[Mapping[str, Callable[[Overlaps], float]]] = {
    "intersection_over_union": lambda overlaps: float(np.mean(overlaps)),
    "median_intersection_over_union": lambda overlaps: float(np.median(overlaps)),
    # 2 |A and B| / (|A| + |B|) of the same two areas.
    "dice": lambda overlaps: float(np.mean(2 * overlaps / (1 + overlaps))),
    "share_poor": lambda overlaps: float(np.mean(overlaps < POOR)),
}
"""Figures over the images; `share_poor` is the share with an intersection over union below one half."""


def judge_outlines(drawn: Drawn, threshold: float, *, draws: int = 1000, seed: int = 0) -> dict[str, Measured]:
    """Every figure of `FIGURES` with its 95 % interval from a bootstrap over lesions.

    Images on which people drew nothing inside the square are left out: no overlap is defined for them.
    """
    overlaps = overlaps_of(drawn, threshold)
    defined = np.flatnonzero(~np.isnan(overlaps))
    overlaps, lesions = overlaps[defined], tuple(drawn.lesions[place] for place in defined)
    truth = Truth(np.zeros(len(lesions), dtype=np.int64), lesions)
    samples = lesion_draws(truth, draws=draws, seed=seed)
    return {
        name: interval(np.array([figure(overlaps[rows]) for rows in samples]), figure(overlaps), len(overlaps))
        for name, figure in FIGURES.items()
    }
