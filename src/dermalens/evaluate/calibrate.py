"""Calibration and operating points, fitted on validation lesions only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from dermalens.core.bundle import Calibration, Measured, OperatingPoint
from dermalens.core.errors import DataError
from dermalens.evaluate.metrics import interval, lesion_draws
from dermalens.evaluate.predictions import Labels, Logits, Truth

Method = Literal["none", "temperature", "vector"]

TARGET_SENSITIVITIES = {"sensitivity_90": 0.90, "sensitivity_95": 0.95}


def fit_temperature(logits: Logits, labels: Labels, *, shift: NDArray[np.float64] | None = None) -> Calibration:
    """One temperature for all classes, by the least negative log-likelihood (Guo et al., ICML 2017).

    `shift` [K] is added to the logits first (a prior correction) and scaled with them.
    """
    offset = np.zeros(logits.shape[1]) if shift is None else shift

    def loss(log_scale: NDArray[np.float64]) -> float:
        return _negative_log_likelihood(np.exp(log_scale[0]) * (logits + offset), labels)

    scale = float(np.exp(minimize(loss, np.zeros(1), method="Nelder-Mead").x[0]))
    return Calibration(
        method="temperature",
        scale=[scale] * logits.shape[1],
        shift=(scale * offset).tolist(),
        n=len(labels),
    )


def fit_vector(logits: Logits, labels: Labels, *, penalty: float = 0.01) -> Calibration:
    """A scale and a shift for each class (vector scaling, Guo et al.), drawn to temperature one by `penalty`."""
    classes = logits.shape[1]

    def loss(parameters: NDArray[np.float64]) -> float:
        scale, shift = parameters[:classes], parameters[classes:]
        excess = penalty * (np.mean((scale - 1) ** 2) + np.mean(shift**2))
        return _negative_log_likelihood(scale * logits + shift, labels) + float(excess)

    start = np.concatenate([np.ones(classes), np.zeros(classes)])
    found = minimize(loss, start, method="L-BFGS-B").x
    return Calibration(method="vector", scale=found[:classes].tolist(), shift=found[classes:].tolist(), n=len(labels))


def fit(method: Method, logits: Logits, labels: Labels, *, shift: NDArray[np.float64]) -> Calibration:
    """Fit the calibration that a command asks for; `shift` [K] is the prior correction ("vector" learns its own)."""
    if method == "temperature":
        return fit_temperature(logits, labels, shift=shift)
    if method == "vector":
        return fit_vector(logits, labels)
    return Calibration(method="none", scale=[1.0] * logits.shape[1], shift=shift.tolist(), n=len(labels))


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
