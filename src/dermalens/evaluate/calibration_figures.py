"""How far probabilities can be taken at their word: figures for many draws at once, and the bins of a diagram.

The calibration errors are those of a finite sample: they are above zero for a perfect model too, and higher in
bootstrap samples than in the images as they are, so that their intervals lean upwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.evaluate.bootstrap import Drawn, Samples, Weights, divided, measured, over_draws
from dermalens.evaluate.evaluation_types import CalibrationFigures, ReliabilityBin
from dermalens.evaluate.predictions import Labels, Probabilities

BINS: Final = 15
"""Of every calibration error, as in Guo et al., ICML 2017."""

Bins = NDArray[np.int64]  # [images], the number of the bin of each


def expected_calibration_error(labels: Labels, probabilities: Probabilities, weights: Weights) -> Drawn:
    """Mean gap between confidence and accuracy over 15 equal-width bins, weighted by images.

    Guo et al., On calibration of modern neural networks, ICML 2017, equation 3.
    """
    confidence, right = _answers(labels, probabilities)
    return _gap(equal_width(confidence), right - confidence, weights)


def adaptive_calibration_error(labels: Labels, probabilities: Probabilities, weights: Weights) -> Drawn:
    """The same over 15 bins with equally many images of each draw; images of the same confidence share a bin.

    K. Nguyen, B. O'Connor, Posterior calibration and exploratory analysis for natural language processing models,
    EMNLP 2015 (bins of equal mass).
    """
    confidence, right = _answers(labels, probabilities)
    order = np.argsort(confidence, kind="stable")
    ordered = weights[:, order]
    bins = _equal_mass(confidence[order], ordered) + BINS * np.arange(len(weights))[:, np.newaxis]
    gaps = ordered * (right - confidence)[order]
    sums = np.bincount(bins.ravel(), gaps.ravel(), minlength=BINS * len(weights)).reshape(-1, BINS)
    return np.asarray(np.abs(sums).sum(axis=1) / weights.sum(axis=1))


def classwise_calibration_error(labels: Labels, probabilities: Probabilities, weights: Weights) -> Drawn:
    """Mean over the classes of the gap between the probability of a class and its frequency, in 15 equal-width bins.

    M. Kull et al., Beyond temperature scaling, NeurIPS 2019, equation 3 (classwise ECE).
    """
    is_class = np.eye(probabilities.shape[1])[labels]
    errors = [
        _gap(equal_width(probability), truth - probability, weights)
        for probability, truth in zip(probabilities.T, is_class.T, strict=True)
    ]
    return np.asarray(np.mean(errors, axis=0))


def brier_score(labels: Labels, probabilities: Probabilities, weights: Weights) -> Drawn:
    """Mean squared distance between the probabilities and the one-hot label (0 to 2).

    G. W. Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78, 1 (1950).
    """
    truth = np.eye(probabilities.shape[1])[labels]
    return _mean(np.sum((probabilities - truth) ** 2, axis=1), weights)


def negative_log_likelihood(labels: Labels, probabilities: Probabilities, weights: Weights) -> Drawn:
    """Mean of -log of the probability of the label, in nats; a probability below 1e-12 counts as that."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return _mean(-np.log(np.maximum(chosen, 1e-12)), weights)


def calibration_drawn(labels: Labels, probabilities: Probabilities, weights: Weights) -> dict[str, Drawn]:
    """All of the above by name."""
    figures = (
        expected_calibration_error,
        adaptive_calibration_error,
        classwise_calibration_error,
        brier_score,
        negative_log_likelihood,
    )
    return {figure.__name__: figure(labels, probabilities, weights) for figure in figures}


def judge_calibration(labels: Labels, probabilities: Probabilities, samples: Samples) -> CalibrationFigures:
    """The figures with their intervals, and the bins of a reliability diagram."""
    found = over_draws(lambda weights: calibration_drawn(labels, probabilities, weights), samples)
    confidence, right = _answers(labels, probabilities)
    order = np.argsort(confidence, kind="stable")
    mass = np.empty(len(order), dtype=np.int64)
    mass[order] = _equal_mass(confidence[order], np.ones((1, len(order))))[0]
    width = equal_width(confidence)
    edges = [(number / BINS, (number + 1) / BINS) for number in range(BINS)]
    ranges = [(float(part.min()), float(part.max())) for part in (confidence[mass == n] for n in np.unique(mass))]
    filled = np.unique(mass, return_inverse=True)[1]
    return CalibrationFigures(
        figures={name: measured(drawn, len(labels)) for name, drawn in found.items()},
        bins=tuple(_bins(width, edges, (confidence, right), samples)),
        equal_mass_bins=tuple(_bins(filled, ranges, (confidence, right), samples)),
    )


def equal_width(probability: NDArray[np.float64]) -> Bins:
    """Which of the 15 bins of equal width each probability falls in; 1 belongs to the last."""
    return np.clip((probability * BINS).astype(np.int64), 0, BINS - 1)


def _equal_mass(ordered: NDArray[np.float64], weights: Weights) -> NDArray[np.int64]:
    """The bin of each image [draws, images] from confidences that rise: where the middle of its equals falls."""
    _, first, counts = np.unique(ordered, return_index=True, return_counts=True)
    group = np.repeat(np.arange(len(first)), counts)
    running = np.zeros((len(weights), len(ordered) + 1))
    np.cumsum(weights, axis=1, out=running[:, 1:])
    middle = (running[:, first] + running[:, first + counts]) / 2
    bins = np.minimum((middle / running[:, -1:] * BINS).astype(np.int64), BINS - 1)
    return bins[:, group]


def _answers(labels: Labels, probabilities: Probabilities) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Confidence of each answer, and 1 where it is right, else 0."""
    right = probabilities.argmax(axis=1) == labels
    return probabilities.max(axis=1), right.astype(np.float64)


def _gap(bins: Bins, gaps: NDArray[np.float64], weights: Weights) -> Drawn:
    by_bin = np.eye(BINS)[bins] * gaps[:, np.newaxis]
    return np.asarray(np.abs(weights @ by_bin).sum(axis=1) / weights.sum(axis=1))


def _mean(values: NDArray[np.float64], weights: Weights) -> Drawn:
    return np.asarray(weights @ values / weights.sum(axis=1))


def _bins(
    bins: Bins,
    edges: list[tuple[float, float]],
    answers: tuple[NDArray[np.float64], NDArray[np.float64]],
    samples: Samples,
) -> Iterator[ReliabilityBin]:
    confidence, right = answers
    inside = np.eye(len(edges))[bins]

    def accuracy(weights: Weights) -> dict[str, Drawn]:
        return {"accuracy": divided(weights @ (inside * right[:, np.newaxis]), weights @ inside)}

    drawn = over_draws(accuracy, samples)["accuracy"]
    for number, (low, high) in enumerate(edges):
        members = confidence[bins == number]
        mean = float(members.mean()) if len(members) else None
        yield ReliabilityBin(low, high, mean, measured(drawn[:, number], len(members)))
