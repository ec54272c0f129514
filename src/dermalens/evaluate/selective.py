"""Answering only where the model is confident: risk and coverage, and how confident right and wrong answers are.

Y. Geifman, R. El-Yaniv, Selective classification for deep neural networks, NeurIPS 2017; the area and its excess:
Y. Geifman, G. Uziel, R. El-Yaniv, Bias-reduced uncertainty estimation for deep neural classifiers, ICLR 2019.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.special import digamma

from dermalens.evaluate.bootstrap import Drawn, Samples, Weights, divided, measured, over_draws
from dermalens.evaluate.evaluation_types import Confidence, RiskCoverage
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.ranking import Flags, Ranked, ranked, thinned

CONFIDENCE_BINS: Final = 20
"""Of the histogram, 0 to 1."""


def ranks(scored: Scored, weights: Weights) -> Ranked:
    """Images by their highest probability; the positives are the wrong answers."""
    return ranked(scored.given != scored.labels, scored.probabilities.max(axis=1), weights)


def area(found: Ranked) -> Drawn:
    """Area under the risk-coverage curve: the mean over all coverages of the share of wrong answers.

    Images of the same confidence are answered together.
    """
    answered = found.positives + found.negatives
    # Nobody answered adds nothing, whatever the risk.
    risk = found.positives[:, 1:] / np.maximum(answered[:, 1:], 1)
    return np.asarray(np.sum(np.diff(answered, axis=1) * risk, axis=1) / answered[:, -1])


def least_area(found: Ranked) -> Drawn:
    """The area when every right answer is more confident than every wrong one.

    With m right and w wrong answers of n that is the sum of j / (m + j) for j from 1 to w, over n, where the sum of
    1 / (m + j) is a difference of harmonic numbers (digamma); the paper has its limit, r + (1 - r) ln(1 - r).
    """
    wrong, right = found.all_positives[:, 0], found.all_negatives[:, 0]
    harmonic = digamma(right + wrong + 1) - digamma(right + 1)
    return np.asarray((wrong - right * harmonic) / (right + wrong))


def judge_risk_coverage(scored: Scored, samples: Samples) -> RiskCoverage:
    """The curve of the images as they are, and its area with the interval."""

    def areas(weights: Weights) -> dict[str, Drawn]:
        found = ranks(scored, weights)
        return {"area": area(found), "excess": area(found) - least_area(found)}

    drawn = over_draws(areas, samples)
    found, n = ranks(scored, np.ones((1, len(scored.labels)))), len(scored.labels)
    answered = (found.positives + found.negatives)[0, 1:]
    coverage, risk = thinned(answered / n, found.positives[0, 1:] / answered)
    return RiskCoverage(
        coverage=tuple(coverage.tolist()),
        risk=tuple(risk.tolist()),
        area=measured(drawn["area"], n),
        excess_area=measured(drawn["excess"], n),
    )


def judge_confidence(scored: Scored, samples: Samples) -> Confidence:
    """Histograms of the highest probability of right and of wrong answers, and their means."""
    confidence, right = scored.probabilities.max(axis=1), scored.given == scored.labels
    edges = np.linspace(0, 1, CONFIDENCE_BINS + 1)

    def means(weights: Weights) -> dict[str, Drawn]:
        chosen = {"right": right, "wrong": ~right}
        return {name: divided(weights @ (confidence * flags), weights @ flags) for name, flags in chosen.items()}

    def histogram(chosen: Flags) -> tuple[int, ...]:
        return tuple(np.histogram(np.minimum(confidence[chosen], 1), edges)[0].tolist())

    drawn = over_draws(means, samples)

    return Confidence(
        edges=tuple(edges.tolist()),
        right=histogram(right),
        wrong=histogram(~right),
        mean_right=measured(drawn["right"], int(right.sum())),
        mean_wrong=measured(drawn["wrong"], int((~right).sum())),
    )
