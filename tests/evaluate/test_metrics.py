"""Figures of merit against scikit-learn or hand-computed cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score

from dermalens.core.errors import DataError
from dermalens.data.index import Row
from dermalens.evaluate import bootstrap, metrics
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.predictions import Truth, truth_of

CLASSES = ("akiec", "nv", "mel")
MALIGNANT = np.array([True, False, True])


def random_scored(images: int = 300, seed: int = 0) -> Scored:
    random = np.random.default_rng(seed)
    labels = random.integers(3, size=images)
    logits = random.normal(size=(images, 3)) + 1.5 * np.eye(3)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Scored(labels, probabilities, CLASSES, MALIGNANT)


def test_balanced_accuracy_equals_scikit_learn() -> None:
    scored = random_scored()
    expected = balanced_accuracy_score(scored.labels, scored.probabilities.argmax(axis=1))
    assert metrics.balanced_accuracy(scored) == pytest.approx(expected)


def test_macro_auc_equals_scikit_learn() -> None:
    scored = random_scored()
    expected = roc_auc_score(scored.labels, scored.probabilities, multi_class="ovr", average="macro")
    assert metrics.macro_auc(scored) == pytest.approx(expected)


def test_malignant_auc_sums_the_malignant_classes() -> None:
    scored = random_scored()
    expected = roc_auc_score(scored.labels != 1, 1 - scored.probabilities[:, 1])
    assert metrics.malignant_auc(scored) == pytest.approx(expected)


def test_negative_log_likelihood_equals_scikit_learn() -> None:
    scored = random_scored()
    assert metrics.negative_log_likelihood(scored) == pytest.approx(log_loss(scored.labels, scored.probabilities))


def test_expected_calibration_error_of_a_hand_computed_case() -> None:
    # Confidences 0.9 (right), 0.9 (wrong), 0.6 (right): bins of 1/15 keep 0.9 and 0.6 apart.
    probabilities = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.4, 0.6, 0.0]])
    scored = Scored(np.array([0, 1, 1]), probabilities, CLASSES, MALIGNANT)
    assert metrics.expected_calibration_error(scored) == pytest.approx((2 * abs(0.5 - 0.9) + abs(1 - 0.6)) / 3)


def test_brier_score_of_a_hand_computed_case() -> None:
    scored = Scored(np.array([0]), np.array([[0.7, 0.2, 0.1]]), CLASSES, MALIGNANT)
    assert metrics.brier_score(scored) == pytest.approx(0.3**2 + 0.2**2 + 0.1**2)


def test_a_class_without_images_makes_its_figures_undefined_not_one() -> None:
    scored = Scored(np.array([0, 1]), np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]]), CLASSES, MALIGNANT)
    assert math.isnan(metrics.balanced_accuracy(scored))
    assert math.isnan(metrics.melanoma_auc(scored))
    assert metrics.accuracy(scored) == 1.0


def test_undefined_figures_are_reported_as_none_with_their_n() -> None:
    scored = Scored(np.array([0, 1]), np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]]), CLASSES, MALIGNANT)
    measured = metrics.measure(scored, Truth(scored.labels, ("a", "b")), draws=10)
    assert measured["balanced_accuracy"].value is None
    assert measured["balanced_accuracy"].n == 2


def test_a_lesion_is_drawn_with_all_its_images() -> None:
    truth = Truth(np.zeros(5, dtype=np.int64), ("a", "a", "b", "c", "c"))
    for rows in bootstrap.lesion_draws(truth, draws=20, seed=1):
        counts = np.bincount(rows, minlength=5)
        assert counts[0] == counts[1]
        assert counts[3] == counts[4]
        assert counts[0] + counts[2] + counts[3] == 3


def test_intervals_hold_the_figure_and_narrow_with_more_lesions() -> None:
    few, many = random_scored(60), random_scored(2000)
    width = {}
    for name, scored in {"few": few, "many": many}.items():
        lesions = tuple(str(number) for number in range(len(scored.labels)))
        figure = metrics.measure(scored, Truth(scored.labels, lesions), draws=200)["accuracy"]
        assert figure.low is not None
        assert figure.value is not None
        assert figure.high is not None
        assert figure.low <= figure.value <= figure.high
        width[name] = figure.high - figure.low
    assert width["many"] < width["few"]


def test_labels_outside_the_bundle_are_named() -> None:
    rows = [Row("a", "a.jpg", "scc", "l1"), Row("b", "b.jpg", "nv", "l2")]
    with pytest.raises(DataError, match="scc are not classes of the bundle"):
        truth_of(rows, ("mel", "nv"))
