"""Calibration and operating points on cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from dermalens.core.decision import calibrate
from dermalens.core.errors import DataError
from dermalens.core.prevalence import shift_to_prevalence
from dermalens.evaluate.calibrate import (
    LEAST_SCALE,
    Fitting,
    Method,
    assumed_prevalence,
    fit,
    fit_temperature,
    fit_vector,
    operating_points,
)
from dermalens.evaluate.predictions import Labels, Logits, Truth


def sampled(scale: float, shift: list[float], images: int = 20_000) -> tuple[Logits, Labels]:
    """Logits whose true probabilities are softmax(scale * logits + shift)."""
    random = np.random.default_rng(0)
    logits = random.normal(scale=2, size=(images, 3))
    true = np.exp(scale * logits + np.array(shift))
    true /= true.sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) < random.uniform(size=(images, 1))).sum(axis=1)
    return logits, labels


FLAT = np.log(np.full(3, 1 / 3))
SKEWED = np.log(np.array([0.7, 0.2, 0.1]))


def test_temperature_finds_the_scale_that_made_the_labels() -> None:
    calibration = fit_temperature(*sampled(0.5, [0, 0, 0]), FLAT, 0.0)
    assert calibration.scale == pytest.approx([0.5] * 3, abs=0.02)
    assert np.ptp(calibration.shift) == pytest.approx(0, abs=1e-6)


def test_logits_that_speak_against_their_class_still_get_a_scale_that_a_bundle_takes() -> None:
    logits, labels = sampled(1.0, [0, 0, 0])
    logits[:, 2] *= -1
    calibration = fit_vector(logits, labels, FLAT, 0.0, penalty=0.0)
    assert min(calibration.scale) == pytest.approx(LEAST_SCALE)
    assert sorted(calibration.scale)[1] > 0.5


def test_where_all_is_right_the_temperature_stays_finite() -> None:
    labels = np.arange(60) % 3
    calibration = fit_temperature(3.0 * np.eye(3)[labels], labels, FLAT, 0.0)
    assert 2 < max(calibration.scale) <= 20.001  # without a bound some 10,000


def test_temperature_finds_how_much_of_the_prior_is_missing() -> None:
    calibration = fit_temperature(*sampled(0.8, list(0.5 * SKEWED)), SKEWED, 0.0)
    assert calibration.scale == pytest.approx([0.8] * 3, abs=0.03)
    assert calibration.shift == pytest.approx(0.5 * SKEWED, abs=0.06)


@pytest.mark.parametrize("method", ["temperature", "vector", "none"])
def test_correction_takes_its_share_of_the_log_class_shares_away(method: Method) -> None:
    logits, labels = sampled(1.0, [1.0, 0.0, -1.0])
    log_shares = np.log(np.bincount(labels) / len(labels))
    plain, corrected = fit(Fitting(method), logits, labels), fit(Fitting(method, 0.4), logits, labels)
    assert np.subtract(plain.shift, corrected.shift) == pytest.approx(0.4 * log_shares, abs=1e-6)


def test_a_correction_leaves_the_temperature_alone() -> None:
    logits, labels = sampled(0.8, list(SKEWED))
    plain, corrected = (fit(Fitting("temperature", correction), logits, labels) for correction in (0.0, 1.0))
    assert corrected.scale == plain.scale
    # Where each class weighs the same, the probabilities are right on average.
    counts = np.bincount(labels)
    mean = np.average(calibrate(logits, corrected), axis=0, weights=1 / counts[labels])
    assert mean == pytest.approx([1 / 3] * 3, abs=0.02)


def test_vector_scaling_finds_scale_and_shift() -> None:
    calibration = fit_vector(*sampled(0.7, [0.5, 0, -0.5]), FLAT, 0.0)
    assert calibration.scale == pytest.approx([0.7] * 3, abs=0.06)
    assert calibration.shift[0] - calibration.shift[2] == pytest.approx(1.0, abs=0.15)


def test_a_penalty_draws_the_classes_together() -> None:
    logits, labels = sampled(0.7, [0.5, 0, -0.5])
    free, drawn = (fit(Fitting("vector", penalty=penalty), logits, labels) for penalty in (0.0, 1.0))
    assert np.ptp(drawn.shift) < 0.5 * np.ptp(free.shift)
    assert np.ptp(fit(Fitting("vector", penalty=100.0), logits * [1, 2, 3], labels).scale) < 0.05


def test_the_notes_of_a_fitting_name_a_penalty_where_there_is_one() -> None:
    assert Fitting("vector", 0.3, 0.1).noted() == {"prior_correction": 0.3, "calibration_penalty": 0.1}
    assert Fitting("temperature", 0.3).noted() == {"prior_correction": 0.3}


def test_no_calibration_leaves_the_logits_alone() -> None:
    calibration = fit(Fitting("none"), *sampled(1.0, [0, 0, 0], images=10))
    assert (calibration.scale, calibration.n) == ([1, 1, 1], 10)
    assert calibration.shift == pytest.approx([0, 0, 0])


def test_operating_points_reach_their_sensitivity() -> None:
    random = np.random.default_rng(1)
    malignant = random.uniform(size=500) < 0.3
    score = np.clip(random.normal(0.3 + 0.4 * malignant, 0.2), 0, 1)
    truth = Truth(malignant.astype(np.int64), tuple(str(number) for number in range(500)))
    points = {point.name: point for point in operating_points(score, malignant, truth, draws=50)}
    for name, target in (("sensitivity_90", 0.90), ("sensitivity_95", 0.95)):
        found = points[name].sensitivity.value
        assert found is not None
        assert target <= found < target + 0.02
        assert points[name].sensitivity.n == malignant.sum()
    assert points["sensitivity_90"].threshold >= points["sensitivity_95"].threshold


@pytest.mark.parametrize("correction", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("sharpness", [1.0, 2.5])
def test_probabilities_shifted_from_the_share_they_assume_are_right_in_the_mean(
    correction: float, sharpness: float
) -> None:
    logits, labels = sampled(sharpness, list(4 * SKEWED))
    malignant = np.array([False, True, True])
    calibration = fit(Fitting("temperature", correction), logits, labels)
    given, is_malignant = calibrate(logits, calibration)[:, malignant].sum(axis=1), malignant[labels]
    base = assumed_prevalence(given, is_malignant)
    for share in (0.03, 0.1):
        weights = np.where(is_malignant, share / is_malignant.mean(), (1 - share) / (1 - is_malignant.mean()))
        shifted = shift_to_prevalence(given, base, share)
        assert np.average(shifted, weights=weights) == pytest.approx(share, rel=0.05)


def test_probabilities_that_no_shift_moves_assume_the_share_of_the_images() -> None:
    malignant = np.array([True, False, False, False])
    assert assumed_prevalence(malignant.astype(float), malignant) == 0.25
    with pytest.raises(DataError, match="malignant and benign images"):
        assumed_prevalence(np.array([0.5]), np.array([True]))


def test_operating_points_need_both_kinds_of_lesion() -> None:
    truth = Truth(np.zeros(3, dtype=np.int64), ("a", "b", "c"))
    with pytest.raises(DataError, match="malignant and benign"):
        operating_points(np.array([0.1, 0.2, 0.3]), np.array([True, True, True]), truth)
