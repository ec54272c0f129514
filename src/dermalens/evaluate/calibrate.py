"""Calibration and operating points, fitted on validation lesions only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit, log_softmax

from dermalens.core.bundle import CALIBRATION_PENALTY, PRIOR_CORRECTION, Calibration, Measured, OperatingPoint
from dermalens.core.errors import DataError
from dermalens.core.prevalence import shift_to_prevalence
from dermalens.evaluate.bootstrap import interval, lesion_draws
from dermalens.evaluate.predictions import Labels, Logits, Truth

Method = Literal["none", "temperature", "vector"]

VECTOR_PENALTY = 0.01
"""Keeps the scale and shift of classes with a dozen images near those of the others; a larger one keeps them nearer."""

LARGEST_LOG_SCALE = math.log(20)
"""Of a temperature, either way: where all validation images are right no finite one would be the best."""

LEAST_SCALE = 0.05
"""Of a class whose logits speak against it, or say nothing: a bundle takes no scale of 0 or below."""

CLINIC = 0.05
"""Malignant share at which shifted probabilities are right in the mean: between those of practices and clinics."""

TARGET_SENSITIVITIES = {"sensitivity_90": 0.90, "sensitivity_95": 0.95}


@dataclass(frozen=True, slots=True)
class Fitting:
    """How a calibration is to be fitted: what the caller chooses."""

    method: Method = "temperature"
    correction: float = 0.0
    """The part of the log prior that is taken away, 0 to 1; see `fit`."""
    penalty: float = VECTOR_PENALTY
    """Of vector scaling only; see `fit_vector`."""

    def noted(self) -> dict[str, float]:
        """The numbers that the calibration itself does not show, by their names in the provenance of a bundle."""
        penalty = {CALIBRATION_PENALTY: self.penalty} if self.method == "vector" else {}
        return {PRIOR_CORRECTION: self.correction, **penalty}


def fit(fitting: Fitting, logits: Logits, labels: Labels) -> Calibration:
    """Fit the calibration that a command asks for, by the least negative log-likelihood on validation images.

    With `correction` 0 the probabilities are those of the validation part's mix of classes; with 1 those of a
    population in which all classes are equally frequent; between, rare classes count for more than they are found.
    This is post-hoc logit adjustment (Menon et al., ICLR 2021), measured from the calibrated posterior.
    """
    counts = np.bincount(labels, minlength=logits.shape[1])
    log_shares = np.log(np.maximum(counts, 1) / len(labels))
    if fitting.method == "temperature":
        return fit_temperature(logits, labels, log_shares, fitting.correction)
    if fitting.method == "vector":
        return fit_vector(logits, labels, log_shares, fitting.correction, penalty=fitting.penalty)
    return _calibration("none", np.ones(logits.shape[1]), -fitting.correction * log_shares, len(labels))


def fit_temperature(logits: Logits, labels: Labels, log_shares: NDArray[np.float64], correction: float) -> Calibration:
    """One temperature for all classes (Guo et al., ICML 2017) and one weight of the log of the class shares [K].

    Sampling and smoothing leave the logits with a part of the prior only, so how much is missing is fitted as well. The
    correction comes after both, as labels that hold the whole prior would have the temperature work against it.
    """

    def loss(parameters: NDArray[np.float64]) -> float:
        scale = np.exp(np.clip(parameters[0], -LARGEST_LOG_SCALE, LARGEST_LOG_SCALE))
        return _negative_log_likelihood(scale * logits + parameters[1] * log_shares, labels)

    log_scale, weight = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10}).x
    scale = np.exp(np.clip(log_scale, -LARGEST_LOG_SCALE, LARGEST_LOG_SCALE))
    shift = (weight - correction) * log_shares
    return _calibration("temperature", np.full(logits.shape[1], scale), shift, len(labels))


def fit_vector(
    logits: Logits,
    labels: Labels,
    log_shares: NDArray[np.float64],
    correction: float,
    *,
    penalty: float = VECTOR_PENALTY,
) -> Calibration:
    """A scale and a shift for each class (vector scaling, Guo et al.), drawn to a common scale and to zero.

    To the mean negative log-likelihood is added `penalty` times the mean squares of both distances. A class with a
    dozen images gets a scale and a shift from these alone where the penalty is small, and about those of the others
    where it is large. Of logits that hold a whole prior too much, a large one leaves a part. Where a scale comes
    to 0 or less, all are fitted again with at least `LEAST_SCALE`.
    """
    classes = logits.shape[1]

    def loss(parameters: NDArray[np.float64]) -> float:
        scale, shift = parameters[:classes], parameters[classes:]
        excess = penalty * (np.mean((scale - np.mean(scale)) ** 2) + np.mean(shift**2))
        return _negative_log_likelihood(scale * logits + shift, labels) + float(excess)

    start = np.concatenate([np.ones(classes), np.zeros(classes)])
    found = minimize(loss, start, method="L-BFGS-B").x
    if found[:classes].min() <= 0:
        bounds = [(LEAST_SCALE, None)] * classes + [(None, None)] * classes
        found = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
    return _calibration("vector", found[:classes], found[classes:] - correction * log_shares, len(labels))


def _calibration(method: Method, scale: NDArray[np.float64], shift: NDArray[np.float64], n: int) -> Calibration:
    return Calibration(method=method, scale=scale.tolist(), shift=shift.tolist(), n=n)


def _negative_log_likelihood(logits: Logits, labels: Labels) -> float:
    return float(-np.mean(log_softmax(logits, axis=1)[np.arange(len(labels)), labels]))


def operating_points(
    malignant_probability: NDArray[np.float64], malignant: NDArray[np.bool_], truth: Truth, *, draws: int = 1000
) -> list[OperatingPoint]:
    """The highest thresholds that find at least 90 and 95 % of the malignant images, with intervals.

    Raises:
        DataError: the validation part has no malignant or no benign image.
    """
    if malignant.all() or not malignant.any():
        raise DataError("Operating points need malignant and benign images in the validation part.")
    samples = lesion_draws(truth, draws=draws, seed=0)
    return [
        _point(name, _threshold(malignant_probability[malignant], target), malignant_probability, malignant, samples)
        for name, target in TARGET_SENSITIVITIES.items()
    ]


def assumed_prevalence(malignant_probability: NDArray[np.float64], malignant: NDArray[np.bool_]) -> float:
    """The malignant share that the probabilities [images] assume, 0 to 1, from images of which `malignant` are.

    It is the share from which they must be shifted to `CLINIC`, so that in a population with so many malignant lesions
    (the images, weighted) their mean comes to it. Without a prior correction that is about the share of the images
    themselves; a correction moves it, by how much depends on all classes.

    Raises:
        DataError: the images are all malignant, or all benign.
    """
    if malignant.all() or not malignant.any():
        raise DataError("The malignant share needs malignant and benign images in the validation part.")
    share = float(malignant.mean())
    weights = np.where(malignant, CLINIC / share, (1 - CLINIC) / (1 - share))

    def excess(log_odds: float) -> float:
        shifted = shift_to_prevalence(malignant_probability, float(expit(log_odds)), CLINIC)
        return float(np.average(shifted, weights=weights)) - CLINIC

    low, high = -12.0, 12.0
    if not excess(low) > 0 > excess(high):  # all sure of themselves: no shift moves them
        return share
    return float(expit(brentq(excess, low, high)))


def _threshold(scores: NDArray[np.float64], target: float) -> float:
    """The largest threshold at or above which `target` of the malignant scores lie, rounded down to six digits."""
    ordered = np.sort(scores)
    missed = int(np.floor((1 - target) * len(ordered) + 1e-9))
    return float(np.floor(ordered[missed] * 1e6) / 1e6)


def _point(
    name: str,
    threshold: float,
    score: NDArray[np.float64],
    malignant: NDArray[np.bool_],
    samples: Sequence[NDArray[np.int64]],
) -> OperatingPoint:
    referred = score >= threshold

    def share(chosen: NDArray[np.bool_], of: NDArray[np.bool_]) -> Measured:
        drawn = np.array([np.mean(chosen[rows][of[rows]]) if of[rows].any() else np.nan for rows in samples])
        return interval(drawn, float(chosen[of].mean()), int(of.sum()))

    return OperatingPoint(
        name=name,
        threshold=threshold,
        sensitivity=share(referred, malignant),
        specificity=share(~referred, ~malignant),
    )
