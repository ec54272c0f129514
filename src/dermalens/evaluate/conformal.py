"""Prediction sets that hold the class of an image as often as they say: class-conditional split conformal prediction.

V. Vovk, Conditional validity of inductive conformal predictors, ACML 2012; the correction for a finite number of
validation images as in A. N. Angelopoulos, S. Bates, Conformal prediction: a gentle introduction, Foundations and
Trends in Machine Learning 16, 494 (2023). It holds for images that are exchangeable with the validation images of
their class; several images of one lesion are not quite, so that the coverage is judged with lesions as the unit.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.core.bundle import Conformal
from dermalens.core.decision import DECIMALS
from dermalens.core.errors import DataError
from dermalens.evaluate.bootstrap import Drawn, Samples, Weights, divided, measured, over_draws
from dermalens.evaluate.evaluation_types import ConformalClass, ConformalJudged
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.predictions import Labels, Probabilities

_ROUNDING: Final = 1e-9
"""(n + 1) * coverage may be a whole number but for the last bit."""


def fit_conformal(probabilities: Probabilities, labels: Labels, *, coverage: float) -> Conformal:
    """The highest threshold for each class that keeps `coverage` of its images in new data, in expectation.

    Of the n probabilities that validation images give to their own class k, the ceil((n + 1) * coverage)-th highest is
    the threshold, rounded down to the six digits of an answer. A class with too few images for that (fewer than 9 for
    90 %, than 19 for 95 %) gets 0: it is in every set.

    Raises:
        DataError: a coverage that is not between 0 and 1.
    """
    if not 0 < coverage < 1:
        raise DataError(
            f"The coverage of prediction sets is a share between 0 and 1, such as 0.9; {coverage} was given."
        )
    classes = range(probabilities.shape[1])
    own = [probabilities[labels == number, number] for number in classes]
    return Conformal(
        coverage=coverage,
        thresholds=[_threshold(scores, coverage) for scores in own],
        n=[len(scores) for scores in own],
    )


def _threshold(own: Probabilities, coverage: float) -> float:
    kept = int(np.ceil((len(own) + 1) * coverage - _ROUNDING))
    if kept > len(own):
        return 0.0
    return float(np.floor(np.sort(own)[len(own) - kept] * 10**DECIMALS) / 10**DECIMALS)


def in_sets(probabilities: Probabilities, conformal: Conformal) -> NDArray[np.bool_]:
    """Which classes are in the set of each image [images, K], from probabilities as an answer shows them."""
    return np.asarray(probabilities.round(DECIMALS) >= np.array(conformal.thresholds))


def judge_conformal(scored: Scored, conformal: Conformal, samples: Samples) -> ConformalJudged:
    """How often the sets hold the class of an image and how many classes they name, by class and over all images."""
    sets = in_sets(scored.probabilities, conformal)
    held, size = sets[np.arange(len(scored.labels)), scored.labels], sets.sum(axis=1)
    is_class = np.eye(len(scored.classes))[scored.labels]

    def figures(weights: Weights) -> dict[str, Drawn]:
        images, total = weights @ is_class, weights.sum(axis=1)
        return {
            "class_coverage": divided(weights @ (is_class * held[:, np.newaxis]), images),
            "class_size": divided(weights @ (is_class * size[:, np.newaxis]), images),
            "coverage": divided(weights @ held, total),
            "size": divided(weights @ size, total),
            "empty": divided(weights @ (size == 0), total),
        }

    drawn, n = over_draws(figures, samples), len(scored.labels)
    return ConformalJudged(
        wanted=conformal.coverage,
        per_class={
            code: ConformalClass(
                threshold=conformal.thresholds[number],
                always=conformal.thresholds[number] == 0,
                validation_images=conformal.n[number],
                coverage=measured(drawn["class_coverage"][:, number], int(is_class[:, number].sum())),
                size=measured(drawn["class_size"][:, number], int(is_class[:, number].sum())),
            )
            for number, code in enumerate(scored.classes)
        },
        coverage=measured(drawn["coverage"], n),
        size=measured(drawn["size"], n),
        empty=measured(drawn["empty"], n),
        sizes=tuple(np.bincount(size, minlength=len(scored.classes) + 1).tolist()),
    )
