"""How well a score tells positives from negatives, for many draws at once.

The score is sorted once; each figure comes from the weight of positives and negatives at or above each of its distinct
values. Figures are NaN in draws without a positive or without a negative. Held against scikit-learn, with its
`sample_weight`, in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.evaluate.bootstrap import Drawn, Weights, divided

Score = NDArray[np.float64]  # [images], higher for what is more likely positive
Flags = NDArray[np.bool_]  # [images]
Points = NDArray[np.float64]  # [points], a coordinate of a curve, 0 to 1

CURVE_POINTS: Final = 400
"""More than this many cannot be told apart in a figure."""

_ROUNDING: Final = 1e-9
"""Counts are whole, a share of them such as 0.1 * 30 is not."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Weight of positives and of negatives at or above each distinct score, highest first, after a leading 0."""

    positives: NDArray[np.float64]
    """[draws, 1 + scores]; the last is all of them."""
    negatives: NDArray[np.float64]

    @property
    def all_positives(self) -> Drawn:
        """Positives of each draw [draws, 1]."""
        return self.positives[:, -1:]

    @property
    def all_negatives(self) -> Drawn:
        """Negatives of each draw [draws, 1]."""
        return self.negatives[:, -1:]

    @property
    def sensitivity(self) -> Drawn:
        """At each threshold [draws, 1 + scores]."""
        return divided(self.positives, self.all_positives)

    @property
    def false_positive_rate(self) -> Drawn:
        """At each threshold [draws, 1 + scores]."""
        return divided(self.negatives, self.all_negatives)


def ranked(positive: Flags, score: Score, weights: Weights) -> Ranked:
    """Sort by `score`, highest first; images of the same score are taken together."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    ordered = weights[:, order]
    return Ranked(_running(ordered * positive[order], last), _running(ordered * ~positive[order], last))


def _running(weights: Weights, last: NDArray[np.int64]) -> NDArray[np.float64]:
    running = np.zeros((len(weights), len(last) + 1))
    running[:, 1:] = np.cumsum(weights, axis=1)[:, last]
    return running


def area(ranks: Ranked) -> Drawn:
    """Area under the ROC curve, by trapezoids, so that a tie counts half."""
    height = ranks.positives[:, 1:] + ranks.positives[:, :-1]
    twice = np.sum(np.diff(ranks.negatives, axis=1) * height, axis=1)
    return divided(twice / 2, (ranks.all_positives * ranks.all_negatives)[:, 0])


def average_precision(ranks: Ranked) -> Drawn:
    """Mean of the precision at the thresholds, weighted by the rise in recall, without interpolation.

    As scikit-learn; M. Zhu, Recall, precision and average precision, University of Waterloo (2004).
    """
    positives, negatives = ranks.positives[:, 1:], ranks.negatives[:, 1:]
    # Where nobody of a draw is at or above the score nothing is added either, so that any precision will do.
    precision = positives / np.maximum(positives + negatives, 1)
    total = np.sum(np.diff(ranks.positives, axis=1) * precision, axis=1)
    return divided(total, np.where(ranks.all_negatives > 0, ranks.all_positives, 0)[:, 0])


def partial_area(ranks: Ranked, least_sensitivity: float) -> Drawn:
    """Area below the ROC curve and above a sensitivity: 0 to 1 - `least_sensitivity`, by trapezoids.

    With 0.8 it is the primary score of the ISIC 2024 challenge (N. R. Kurtansky, Challenge-2024-Metrics; its data:
    SLICE-3D, Scientific Data 11, 884, 2024): from 0 to 0.2, where chance gets 0.02. Not scaled, as McClish's is.
    """
    above = np.maximum(ranks.sensitivity - least_sensitivity, 0)
    rise, width = np.diff(ranks.sensitivity, axis=1), np.diff(ranks.false_positive_rate, axis=1)
    left, right = above[:, :-1], above[:, 1:]
    # Between two thresholds the curve is a line; only the part of it above the sensitivity counts.
    mean = np.divide(right**2 - left**2, 2 * rise, out=right.copy(), where=rise > 0)
    return np.asarray(np.sum(mean * width, axis=1))


def sensitivity_at(ranks: Ranked, specificity: float) -> Drawn:
    """The highest sensitivity of all thresholds with at least this specificity, chosen on these very images."""
    allowed = ranks.negatives <= (1 - specificity) * ranks.all_negatives + _ROUNDING
    found = divided(np.max(np.where(allowed, ranks.positives, 0), axis=1), ranks.all_positives[:, 0])
    return np.where(ranks.all_negatives[:, 0] > 0, found, np.nan)


def specificity_at(ranks: Ranked, sensitivity: float) -> Drawn:
    """The highest specificity of all thresholds with at least this sensitivity, chosen on these very images."""
    enough = ranks.positives >= sensitivity * ranks.all_positives - _ROUNDING
    alarms = np.min(np.where(enough, ranks.negatives, np.inf), axis=1)
    found = 1 - divided(alarms, ranks.all_negatives[:, 0])
    return np.where(ranks.all_positives[:, 0] > 0, found, np.nan)


def roc_points(positive: Flags, score: Score) -> tuple[Points, Points]:
    """False positive rate and sensitivity from (0, 0) to (1, 1), at most `CURVE_POINTS`: the corners of the curve."""
    ranks = ranked(positive, score, np.ones((1, len(score))))
    rise, width = np.diff(ranks.positives[0]), np.diff(ranks.negatives[0])
    straight = rise[1:] * width[:-1] == rise[:-1] * width[1:]
    corners = np.concatenate([[True], ~straight, [True]])
    return thinned(ranks.false_positive_rate[0][corners], ranks.sensitivity[0][corners])


def precision_recall_points(positive: Flags, score: Score) -> tuple[Points, Points]:
    """Recall and precision at each distinct score, from the highest, at most `CURVE_POINTS`."""
    ranks = ranked(positive, score, np.ones((1, len(score))))
    precision = ranks.positives / np.maximum(ranks.positives + ranks.negatives, 1)
    return thinned(ranks.sensitivity[0, 1:], precision[0, 1:])


def thinned(x: Points, y: Points) -> tuple[Points, Points]:
    """At most `CURVE_POINTS` of the points, the ends among them."""
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).round().astype(int))
    return x[rows], y[rows]
