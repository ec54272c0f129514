"""Net benefit of referring at a threshold probability, beside referring everybody and nobody.

A. J. Vickers, E. B. Elkin, Decision curve analysis, Medical Decision Making 26, 565 (2006): found malignant lesions
per image, less needless referrals per image times the odds of the threshold, which say how many of these one found
lesion is worth.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.core.prevalence import shift_to_prevalence
from dermalens.evaluate.bootstrap import Drawn, Samples, Weights, divided, measured, over_draws
from dermalens.evaluate.evaluation_types import DecisionCurve
from dermalens.evaluate.metrics import Scored

THRESHOLDS: Final = np.arange(1, 31) / 100


def decision_curve(scored: Scored, samples: Samples) -> DecisionCurve | None:
    """At the malignant share of these images, which differs between draws; None with malignant or benign ones only."""
    share = float(np.mean(scored.is_malignant))
    if share in (0, 1):
        return None

    def net_benefit(weights: Weights) -> dict[str, Drawn]:
        prevalence = (weights @ scored.is_malignant / weights.sum(axis=1))[:, np.newaxis]
        return {"model": _net_benefit(scored, scored.malignant_probability, weights, prevalence)}

    return _curve(share, over_draws(net_benefit, samples)["model"], len(scored.labels))


def decision_curve_at(scored: Scored, samples: Samples, *, base: float, wanted: float) -> DecisionCurve | None:
    """At the malignant share `wanted`, with the probabilities shifted to it from `base`, the share they assume.

    None with malignant or benign images only.

    Raises:
        DermaLensError: a share that is not between 0 and 1.
    """
    shifted = shift_to_prevalence(np.minimum(scored.malignant_probability, 1), base, wanted)
    if scored.is_malignant.all() or not scored.is_malignant.any():
        return None

    def net_benefit(weights: Weights) -> dict[str, Drawn]:
        return {"model": _net_benefit(scored, shifted, weights, np.full((len(weights), 1), wanted))}

    return _curve(wanted, over_draws(net_benefit, samples)["model"], len(scored.labels))


def _net_benefit(scored: Scored, score: NDArray[np.float64], weights: Weights, prevalence: Drawn) -> Drawn:
    """[draws, thresholds] from the shares referred of malignant and of benign images."""
    referred, malignant = score[:, np.newaxis] >= THRESHOLDS, scored.is_malignant
    found = divided(weights @ (referred & malignant[:, np.newaxis]), (weights @ malignant)[:, np.newaxis])
    needless = divided(weights @ (referred & ~malignant[:, np.newaxis]), (weights @ ~malignant)[:, np.newaxis])
    return np.asarray(found * prevalence - needless * (1 - prevalence) * _odds())


def _odds() -> NDArray[np.float64]:
    return THRESHOLDS / (1 - THRESHOLDS)


def _curve(prevalence: float, model: Drawn, n: int) -> DecisionCurve:
    return DecisionCurve(
        prevalence=prevalence,
        thresholds=tuple(THRESHOLDS.tolist()),
        model=tuple(measured(drawn, n) for drawn in model.T),
        treat_all=tuple((prevalence - (1 - prevalence) * _odds()).tolist()),
        treat_none=(0.0,) * len(THRESHOLDS),
    )
