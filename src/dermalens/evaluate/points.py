"""The operating points of a bundle on the images judged: what its decisions come to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dermalens.core.bundle import Measured
from dermalens.core.decision import DECIMALS
from dermalens.core.prevalence import predictive_values
from dermalens.evaluate.bootstrap import Drawn, Samples, Weights, divided, measured, over_draws
from dermalens.evaluate.evaluation_types import PointJudged
from dermalens.evaluate.metrics import Scored


def referred(scored: Scored, threshold: float) -> NDArray[np.bool_]:
    """Which images `decide` would refer [images]: at or above the threshold, or a malignant class comes first.

    From the probabilities as an answer shows them; that a picture may be refused for its quality is left out.
    """
    shown = scored.probabilities.round(DECIMALS)
    malignant = shown[:, scored.malignant]
    comes_first = malignant.max(axis=1) == shown.max(axis=1)
    return np.asarray((malignant.sum(axis=1).round(DECIMALS) >= threshold) | comes_first)


def judge_point(scored: Scored, threshold: float, samples: Samples, prevalence: float | None) -> PointJudged:
    """Sensitivity, specificity, PPV and NPV of the decisions, and the last two at `prevalence` where it is stated."""
    chosen, malignant = referred(scored, threshold), scored.is_malignant

    def figures(weights: Weights) -> dict[str, Drawn]:
        found, cleared = weights @ (chosen & malignant), weights @ (~chosen & ~malignant)
        return {
            "sensitivity": divided(found, weights @ malignant),
            "specificity": divided(cleared, weights @ ~malignant),
            "ppv": divided(found, weights @ chosen),
            "npv": divided(cleared, weights @ ~chosen),
            "referred": divided(weights @ chosen, weights.sum(axis=1)),
        }

    drawn = over_draws(figures, samples)
    behind = {"sensitivity": malignant, "specificity": ~malignant, "ppv": chosen, "npv": ~chosen}
    counts = {name: int(images.sum()) for name, images in behind.items()}
    n = len(scored.labels)
    return PointJudged(
        threshold=threshold,
        figures={name: measured(values, counts.get(name, n)) for name, values in drawn.items()},
        at_prevalence={} if prevalence is None else _at(prevalence, drawn, n),
    )


def _at(prevalence: float, drawn: dict[str, Drawn], n: int) -> dict[str, Measured]:
    ppv, npv = predictive_values(drawn["sensitivity"], drawn["specificity"], prevalence)
    return {"ppv": measured(ppv, n), "npv": measured(npv, n)}
