"""Calibration figures against scikit-learn and hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from dermalens.evaluate import calibration_figures as figures
from dermalens.evaluate.bootstrap import lesion_samples
from tests.evaluate.drawn_answers import answers, defined, truth_of_answers

ONE = np.ones((1, 1))


def test_log_loss_and_brier_score_equal_scikit_learn_with_weights() -> None:
    scored = answers()
    weights = np.random.default_rng(1).integers(0, 4, size=(4, len(scored.labels))).astype(np.float64)
    shown = np.maximum(scored.probabilities, 1e-12)
    for row, each in enumerate(weights):
        nll = figures.negative_log_likelihood(scored.labels, shown, weights)[row]
        assert nll == pytest.approx(log_loss(scored.labels, shown, sample_weight=each), rel=1e-6)
        brier = figures.brier_score(scored.labels, scored.probabilities, weights)[row]
        one_hot = np.eye(7)[scored.labels]
        by_class = [
            brier_score_loss(one_hot[:, k], np.clip(scored.probabilities[:, k], 0, 1), sample_weight=each)
            for k in range(7)
        ]
        assert brier == pytest.approx(sum(by_class))


def test_bins_of_equal_width_of_a_hand_computed_case() -> None:
    # Confidences 0.9 (right), 0.9 (wrong), 0.6 (right) in bins of 1/15.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    error = figures.expected_calibration_error(np.array([0, 1, 1]), probabilities, np.ones((1, 3)))
    assert error[0] == pytest.approx((2 * abs(0.5 - 0.9) + abs(1 - 0.6)) / 3)
    twice_first = figures.expected_calibration_error(np.array([0, 1, 1]), probabilities, np.array([[2.0, 1, 1]]))
    assert twice_first[0] == pytest.approx((3 * abs(2 / 3 - 0.9) + abs(1 - 0.6)) / 4)


def test_bins_of_equal_mass_are_parts_of_the_sorted_confidences() -> None:
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1, size=60)
    labels = (random.random(60) > confidence).astype(np.int64)
    error = figures.adaptive_calibration_error(labels, np.stack([confidence, 1 - confidence], axis=1), np.ones((1, 60)))
    order = np.argsort(confidence)
    gaps = (labels == 0)[order] - confidence[order]
    assert error[0] == pytest.approx(sum(abs(part.sum()) for part in np.split(gaps, 15)) / 60)


def test_bins_of_equal_mass_do_not_part_images_of_the_same_confidence() -> None:
    # Half right at 0.5 in any order: one bin, no gap; parted, every bin would have one.
    labels = np.array([0, 1] * 30)
    for shuffled in (labels, np.sort(labels)):
        error = figures.adaptive_calibration_error(shuffled, np.full((60, 2), 0.5), np.ones((1, 60)))
        assert error[0] == pytest.approx(0)


def test_images_of_the_same_confidence_go_where_the_middle_of_them_falls() -> None:
    # Two images a bin. The three at 0.7 have ranks 1 to 3, the middle in the second bin; the first bin keeps one image.
    confidence = np.concatenate([[0.6, 0.7, 0.7, 0.7], np.linspace(0.8, 0.99, 26)])
    labels = np.array([0, 1, 1, 1] + [0] * 26)
    error = figures.adaptive_calibration_error(labels, np.stack([confidence, 1 - confidence], axis=1), np.ones((1, 30)))
    assert error[0] == pytest.approx((0.4 + 3 * 0.7 + np.sum(1 - confidence[4:])) / 30)


def test_classwise_error_of_a_hand_computed_case() -> None:
    # Class 0: 0.9 twice (once true), 0.4 (not true); class 1: 0.1 twice (once true), 0.6 (true).
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    error = figures.classwise_calibration_error(np.array([0, 1, 1]), probabilities, np.ones((1, 3)))
    first = (abs(1 - 1.8) + abs(0 - 0.4)) / 3
    second = (abs(1 - 0.2) + abs(1 - 0.6)) / 3
    assert error[0] == pytest.approx((first + second) / 2)


def test_a_perfect_answer_has_no_error_and_a_wrong_certainty_all_of_it() -> None:
    certain = np.array([[1.0, 0.0]])
    right = figures.calibration_drawn(np.array([0]), certain, ONE)
    wrong = figures.calibration_drawn(np.array([1]), certain, ONE)
    assert all(float(value[0]) == 0 for value in right.values())
    assert wrong["expected_calibration_error"][0] == wrong["adaptive_calibration_error"][0] == 1
    assert wrong["brier_score"][0] == 2
    assert wrong["negative_log_likelihood"][0] == pytest.approx(-np.log(1e-12))


def test_the_bins_of_the_diagram_hold_all_images_and_give_the_error_again() -> None:
    scored = answers()
    found = figures.judge_calibration(
        scored.labels, scored.probabilities, lesion_samples(truth_of_answers(scored), draws=20, seed=0)
    )
    for bins, name in ((found.bins, "expected"), (found.equal_mass_bins, "adaptive")):
        filled = [one for one in bins if one.accuracy.n]
        assert sum(one.accuracy.n for one in bins) == len(scored.labels)
        gaps = sum(one.accuracy.n * abs(defined(one.accuracy.value) - defined(one.confidence)) for one in filled)
        error = found.figures[f"{name}_calibration_error"].value
        assert error == pytest.approx(gaps / len(scored.labels))
        assert all(one.low <= defined(one.confidence) <= one.high for one in filled)
    empty = next(one for one in found.bins if not one.accuracy.n)
    assert (empty.confidence, empty.accuracy.value) == (None, None)
