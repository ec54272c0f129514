"""Does a heat map show what the answer rests on, and does it lie on the lesion?

Deletion and insertion curves are held against those of a random map that is as smooth, since any compact patch does
better than scattered pixels; the share of the heat on the lesion against the share of the square that is lesion.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dermalens.core.bundle import Measured
from dermalens.core.decision import calibrate
from dermalens.core.errors import DataError
from dermalens.data.index import Row
from dermalens.data.outlines import Mask
from dermalens.evaluate.bootstrap import interval, lesion_draws
from dermalens.evaluate.perturbation import Ask, Baseline, blurred, pixel_curve, random_like
from dermalens.evaluate.predictions import Truth
from dermalens.predict.classifier import Classifier
from dermalens.predict.explain import Heat, explain
from dermalens.predict.session import Squares
from dermalens.transforms.preprocess import SquarePixels
from dermalens.transforms.rows import read_square


@dataclass(frozen=True, slots=True)
class FaithfulnessSettings:
    """How the curves and the intervals are made."""

    steps: int = 10
    """Equal steps from no pixel to all pixels."""
    baseline: Baseline = blurred
    """What pixels are replaced by."""
    seed: int = 0
    """Of the random maps and of the bootstrap."""
    draws: int = 1000
    """Of the bootstrap over lesions."""


DEFAULT = FaithfulnessSettings()


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Mean areas over the images, with intervals over lesions; a gain above 0 speaks for the heat map."""

    deletion: Measured
    """Area under the deletion curve of the heat map; lower is better."""
    deletion_random: Measured
    deletion_gain: Measured
    """Random less own, image by image."""
    insertion: Measured
    """Area under the insertion curve of the heat map; higher is better."""
    insertion_random: Measured
    insertion_gain: Measured
    """Own less random."""


@dataclass(frozen=True, slots=True)
class Inside:
    """Where the heat lies, with intervals over lesions; an image without heat or without a lesion does not count."""

    mass: Measured
    """Share of the heat that lies on the lesion. H. Wang et al., Score-CAM, CVPR workshops 2020."""
    lesion_share: Measured
    """Share of the square that is lesion: the mass of a map without any preference."""
    mass_gain: Measured
    """Mass less lesion share, image by image."""
    pointing: Measured
    """Share of images whose hottest pixel lies on the lesion: the pointing game, without a tolerance.
    J. Zhang et al., Top-down neural attention by excitation backprop, IJCV 126:1084, 2018."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """An image with the heat map of the class that it was given."""

    square: SquarePixels
    number: int
    heat: Heat


def faithfulness(
    classifier: Classifier,
    rows: Sequence[Row],
    *,
    settings: FaithfulnessSettings = DEFAULT,
    advance: Callable[[int], None] | None = None,
) -> Faithfulness:
    """Deletion and insertion areas of the heat map of the class that each image is given, and of a random map.

    Raises:
        DataError: no rows, or an image that cannot be read.
    """
    random = np.random.default_rng(settings.seed)
    areas = np.empty((len(rows), 4))
    for place, row in enumerate(rows):
        shown = _show(classifier, row)
        maps = (shown.heat, random_like(shown.heat, random))
        ask = partial(_probability, classifier, shown.number)
        areas[place] = [area for heat in maps for area in _areas(ask, shown.square, heat, settings)]
        if advance:
            advance(1)
    deletion, insertion, deletion_random, insertion_random = areas.T
    columns = {
        "deletion": deletion,
        "deletion_random": deletion_random,
        "deletion_gain": deletion_random - deletion,
        "insertion": insertion,
        "insertion_random": insertion_random,
        "insertion_gain": insertion - insertion_random,
    }
    return Faithfulness(**_means(columns, rows, settings))


def inside(
    classifier: Classifier,
    rows: Sequence[Row],
    mask_of: Callable[[Row], Mask],
    *,
    settings: FaithfulnessSettings = DEFAULT,
    advance: Callable[[int], None] | None = None,
) -> Inside:
    """How much of the heat of the class that each image is given lies on its lesion; `mask_of` gives bool [S, S].

    Raises:
        DataError: no rows, or an image that cannot be read.
    """
    found = np.empty((len(rows), 3))
    for place, row in enumerate(rows):
        found[place] = lies_inside(_show(classifier, row).heat, mask_of(row))
        if advance:
            advance(1)
    mass, lesion, pointing = found.T
    columns = {"mass": mass, "lesion_share": lesion, "mass_gain": mass - lesion, "pointing": pointing}
    return Inside(**_means(columns, rows, settings))


def lies_inside(heat: Heat, mask: Mask) -> tuple[float, float, float]:
    """For one image the mass, the lesion share and the pointing game (1 or 0) of `Inside`, with `heat` [S, S].

    All are NaN where there is no heat or no lesion.
    """
    if not (heat.any() and mask.any()):
        return math.nan, math.nan, math.nan
    mass = heat[mask].sum(dtype=np.float64) / heat.sum(dtype=np.float64)
    return float(mass), float(mask.mean()), float(mask.flat[int(heat.argmax())])


def _show(classifier: Classifier, row: Row) -> _Shown:
    square = read_square(row, classifier.manifest.preprocess)
    outputs = classifier.run(square[None])
    number = int(calibrate(outputs.logits[0], classifier.manifest.calibration).argmax())
    heat = explain(outputs.heatmaps[0, number], square, code=classifier.manifest.classes[number]).heat
    return _Shown(square, number, heat)


def _probability(classifier: Classifier, number: int, squares: Squares) -> NDArray[np.float64]:
    """The calibrated probability of a class for each of the squares [n]."""
    logits = classifier.run(squares).logits
    return np.asarray(calibrate(logits, classifier.manifest.calibration)[:, number])


def _areas(ask: Ask, square: SquarePixels, heat: Heat, settings: FaithfulnessSettings) -> tuple[float, float]:
    """Under the deletion and the insertion curve."""
    base = settings.baseline(square)
    deletion = pixel_curve(ask, square, base, heat, steps=settings.steps)
    return deletion.area, pixel_curve(ask, base, square, heat, steps=settings.steps).area


def _means(
    columns: Mapping[str, NDArray[np.float64]], rows: Sequence[Row], settings: FaithfulnessSettings
) -> dict[str, Measured]:
    """The mean of each column over the images that have a value, with its interval over lesions."""
    if not rows:
        raise DataError("There are no images to explain: the index, or the part asked for, is empty.")
    truth = Truth(np.zeros(len(rows), dtype=np.int64), tuple(row.lesion_id for row in rows))
    samples = lesion_draws(truth, draws=settings.draws, seed=settings.seed)
    return {
        name: interval(
            np.array([_mean(values[chosen]) for chosen in samples]), _mean(values), int(np.sum(~np.isnan(values)))
        )
        for name, values in columns.items()
    }


def _mean(values: NDArray[np.float64]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else math.nan
