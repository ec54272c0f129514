"""Figures of merit, each with a 95 % interval from a bootstrap over lesions. Undefined is NaN, never a number.

Arrays: `labels` int [n], `probabilities` float [n, K] with rows that sum to one, `malignant` bool [K].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from dermalens.core.bundle import Measured
from dermalens.evaluate.predictions import Labels, Probabilities, Truth

ECE_BINS: Final = 15
"""Equal-width bins of the expected calibration error, as in Guo et al., ICML 2017."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Labels and calibrated probabilities of the same images, and what the classes mean."""

    labels: Labels
    probabilities: Probabilities
    classes: tuple[str, ...]
    malignant: NDArray[np.bool_]

    def take(self, rows: NDArray[np.int64]) -> Scored:
        """The same for some images, which may repeat."""
        return Scored(self.labels[rows], self.probabilities[rows], self.classes, self.malignant)


def accuracy(scored: Scored) -> float:
    """Share of images whose most probable class is the label."""
    return float(np.mean(scored.probabilities.argmax(axis=1) == scored.labels))


def balanced_accuracy(scored: Scored) -> float:
    """Mean of the sensitivities of the classes; NaN when a class has no image."""
    return float(np.mean(sensitivities(scored)))


def sensitivities(scored: Scored) -> NDArray[np.float64]:
    """Sensitivity of each class [K]; NaN for a class without an image."""
    found = scored.probabilities.argmax(axis=1) == scored.labels
    classes = scored.probabilities.shape[1]
    of_class = [found[scored.labels == number] for number in range(classes)]
    return np.array([part.mean() if len(part) else math.nan for part in of_class])


def macro_auc(scored: Scored) -> float:
    """Mean over the classes of the area under the one-against-rest ROC curve; NaN when a class has no image."""
    classes = range(scored.probabilities.shape[1])
    return float(np.mean([_auc(scored.labels == number, scored.probabilities[:, number]) for number in classes]))


def melanoma_auc(scored: Scored) -> float:
    """Area under the ROC curve of melanoma against all others; NaN for a bundle without that class."""
    if "mel" not in scored.classes:
        return math.nan
    number = scored.classes.index("mel")
    return _auc(scored.labels == number, scored.probabilities[:, number])


def malignant_auc(scored: Scored) -> float:
    """Area under the ROC curve of the malignant probability."""
    return _auc(scored.malignant[scored.labels], scored.probabilities[:, scored.malignant].sum(axis=1))


def expected_calibration_error(scored: Scored) -> float:
    """Mean gap between confidence and accuracy over 15 equal-width bins, weighted by images.

    Guo et al., On calibration of modern neural networks, ICML 2017, equation 3.
    """
    confidence = scored.probabilities.max(axis=1)
    right = scored.probabilities.argmax(axis=1) == scored.labels
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def brier_score(scored: Scored) -> float:
    """Mean squared distance between the probabilities and the one-hot label (0 to 2). Brier 1950."""
    truth = np.eye(scored.probabilities.shape[1])[scored.labels]
    return float(np.mean(np.sum((scored.probabilities - truth) ** 2, axis=1)))


def negative_log_likelihood(scored: Scored) -> float:
    """Mean of -log of the probability of the label, in nats."""
    chosen = scored.probabilities[np.arange(len(scored.labels)), scored.labels]
    return float(-np.mean(np.log(np.maximum(chosen, 1e-12))))


METRICS: Final[Mapping[str, Callable[[Scored], float]]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_auc": macro_auc,
    "melanoma_auc": melanoma_auc,
    "malignant_auc": malignant_auc,
    "expected_calibration_error": expected_calibration_error,
    "brier_score": brier_score,
    "negative_log_likelihood": negative_log_likelihood,
}


def _auc(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    if positive.all() or not positive.any():
        return math.nan
    return float(roc_auc_score(positive, score))


def lesion_draws(truth: Truth, *, draws: int, seed: int) -> list[NDArray[np.int64]]:
    """Rows of `draws` bootstrap samples: lesions drawn with replacement, each with all its images.

    Images of one lesion are not independent, so lesions are the unit (Field and Welsh, JRSS B 69:369, 2007).
    """
    _, lesion = np.unique(np.array(truth.lesions), return_inverse=True)
    order = np.argsort(lesion, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(lesion[order])) + 1)
    random = np.random.default_rng(seed)
    return [np.concatenate([groups[i] for i in random.integers(len(groups), size=len(groups))]) for _ in range(draws)]


def interval(values: NDArray[np.float64], value: float, n: int) -> Measured:
    """A figure with the 2.5 and 97.5 percentiles of its bootstrap values; None where undefined."""
    if math.isnan(value):
        return Measured(value=None, low=None, high=None, n=n)
    defined = values[~np.isnan(values)]
    if not len(defined):
        return Measured(value=value, low=None, high=None, n=n)
    low, high = (float(bound) for bound in np.percentile(defined, [2.5, 97.5]))
    return Measured(value=value, low=low, high=high, n=n)


def measure(scored: Scored, truth: Truth, *, draws: int = 1000, seed: int = 0) -> dict[str, Measured]:
    """Every figure of `METRICS` and the sensitivity of each class, with intervals from `draws` lesion bootstraps."""
    samples = [scored.take(rows) for rows in lesion_draws(truth, draws=draws, seed=seed)]
    n = len(scored.labels)
    result = {
        name: interval(np.array([metric(sample) for sample in samples]), metric(scored), n)
        for name, metric in METRICS.items()
    }
    of_class = sensitivities(scored)
    drawn = np.array([sensitivities(sample) for sample in samples]).reshape(draws, -1)
    for number, value in enumerate(of_class):
        images = int(np.sum(scored.labels == number))
        result[f"sensitivity_{scored.classes[number]}"] = interval(drawn[:, number], float(value), images)
    return result
