"""Figures of merit, each with a 95 % interval from a bootstrap over lesions. Undefined is NaN, never a number.

Arrays: `labels` int [n], `probabilities` float [n, K] with rows that sum to one, `malignant` bool [K].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.core.bundle import Measured
from dermalens.evaluate import calibration_figures, confusion, ranking
from dermalens.evaluate.bootstrap import (
    Drawn,
    Weights,
    lesion_samples,
    measured,
    over_draws,
)
from dermalens.evaluate.predictions import Labels, Probabilities, Truth


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

    @property
    def given(self) -> Labels:
        """The most probable class of each image [n]; the first of them in a tie."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def is_malignant(self) -> NDArray[np.bool_]:
        """Whether the label of each image is malignant [n]."""
        return np.asarray(self.malignant[self.labels])

    @property
    def malignant_probability(self) -> NDArray[np.float64]:
        """Sum of the malignant classes of each image [n]."""
        return np.asarray(self.probabilities[:, self.malignant].sum(axis=1))


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of merit: `figure(scored)` is its value, `figure.drawn(scored, weights)` that of each draw."""

    drawn: Callable[[Scored, Weights], Drawn]

    def __call__(self, scored: Scored) -> float:
        """The figure of the images as they are; NaN where undefined."""
        return float(self.drawn(scored, np.ones((1, len(scored.labels))))[0])


def confusions_of(scored: Scored, weights: Weights) -> confusion.Confusions:
    """How often each class was given for each [draws, K, K]."""
    return confusion.confusions(scored.labels, scored.given, len(scored.classes), weights)


def malignant_ranks(scored: Scored, weights: Weights) -> ranking.Ranked:
    """Images by their malignant probability."""
    return ranking.ranked(scored.is_malignant, scored.malignant_probability, weights)


def class_ranks(scored: Scored, number: int, weights: Weights) -> ranking.Ranked:
    """Images by the probability of one class, which is told from the rest."""
    return ranking.ranked(scored.labels == number, scored.probabilities[:, number], weights)


@Figure
def accuracy(scored: Scored, weights: Weights) -> Drawn:
    """Share of images whose most probable class is the label."""
    return confusion.accuracies(confusions_of(scored, weights))


@Figure
def balanced_accuracy(scored: Scored, weights: Weights) -> Drawn:
    """Mean of the sensitivities of the classes; NaN when a class has no image."""
    return confusion.macro(confusion.sensitivities(confusions_of(scored, weights)))


@Figure
def macro_auc(scored: Scored, weights: Weights) -> Drawn:
    """Mean over the classes of the area under the one-against-rest ROC curve; NaN when a class has no image."""
    classes = range(len(scored.classes))
    areas = [ranking.area(class_ranks(scored, number, weights)) for number in classes]
    return np.asarray(np.mean(areas, axis=0))


@Figure
def melanoma_auc(scored: Scored, weights: Weights) -> Drawn:
    """Area under the ROC curve of melanoma against all others; NaN for a bundle without that class."""
    if "mel" not in scored.classes:
        return np.full(len(weights), np.nan)
    return ranking.area(class_ranks(scored, scored.classes.index("mel"), weights))


@Figure
def malignant_auc(scored: Scored, weights: Weights) -> Drawn:
    """Area under the ROC curve of the malignant probability."""
    return ranking.area(malignant_ranks(scored, weights))


@Figure
def expected_calibration_error(scored: Scored, weights: Weights) -> Drawn:
    """Mean gap between confidence and accuracy over 15 equal-width bins."""
    return calibration_figures.expected_calibration_error(scored.labels, scored.probabilities, weights)


@Figure
def brier_score(scored: Scored, weights: Weights) -> Drawn:
    """Mean squared distance between the probabilities and the one-hot label (0 to 2)."""
    return calibration_figures.brier_score(scored.labels, scored.probabilities, weights)


@Figure
def negative_log_likelihood(scored: Scored, weights: Weights) -> Drawn:
    """Mean of -log of the probability of the label, in nats."""
    return calibration_figures.negative_log_likelihood(scored.labels, scored.probabilities, weights)


METRICS: Final[Mapping[str, Figure]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_auc": macro_auc,
    "melanoma_auc": melanoma_auc,
    "malignant_auc": malignant_auc,
    "expected_calibration_error": expected_calibration_error,
    "brier_score": brier_score,
    "negative_log_likelihood": negative_log_likelihood,
}
"""What a bundle records, besides the sensitivity of each class."""


def measure(scored: Scored, truth: Truth, *, draws: int = 1000, seed: int = 0) -> dict[str, Measured]:
    """Every figure of `METRICS` and the sensitivity of each class, with intervals from `draws` lesion bootstraps."""

    def figures(weights: Weights) -> dict[str, Drawn]:
        of_class = confusion.sensitivities(confusions_of(scored, weights)).T
        named = {f"sensitivity_{code}": drawn for code, drawn in zip(scored.classes, of_class, strict=True)}
        return {name: figure.drawn(scored, weights) for name, figure in METRICS.items()} | named

    found = over_draws(figures, lesion_samples(truth, draws=draws, seed=seed))
    images = np.bincount(scored.labels, minlength=len(scored.classes)).tolist()
    counts = {f"sensitivity_{code}": n for code, n in zip(scored.classes, images, strict=True)}
    return {name: measured(drawn, counts.get(name, len(scored.labels))) for name, drawn in found.items()}
