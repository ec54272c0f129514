"""F1, precision and recall against scikit-learn, and what is not defined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, precision_score

from dermalens.evaluate import f_scores
from dermalens.evaluate.metrics import Scored
from tests.evaluate.test_metrics import CLASSES, MALIGNANT, random_scored


@pytest.fixture
def scored() -> Scored:
    return random_scored()


def test_the_scores_are_those_of_scikit_learn(scored: Scored) -> None:
    given = scored.probabilities.argmax(axis=1)
    assert f_scores.macro_f1(scored) == pytest.approx(f1_score(scored.labels, given, average="macro"))
    assert f_scores.weighted_f1(scored) == pytest.approx(f1_score(scored.labels, given, average="weighted"))
    assert f_scores.macro_precision(scored) == pytest.approx(precision_score(scored.labels, given, average="macro"))
    assert f_scores.macro_recall(scored) == pytest.approx(balanced_accuracy_score(scored.labels, given))


def test_binary_accuracy_forgives_one_malignant_class_for_another(scored: Scored) -> None:
    given = MALIGNANT[scored.probabilities.argmax(axis=1)]
    assert f_scores.binary_accuracy(scored) == pytest.approx(accuracy_score(MALIGNANT[scored.labels], given))
    confused = Scored(np.array([0, 2]), np.array([[0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]), CLASSES, MALIGNANT)
    assert f_scores.binary_accuracy(confused) == 1
    assert f_scores.weighted_f1(confused) == 0


def test_a_class_that_is_never_given_has_no_precision_but_an_f1_of_zero() -> None:
    scored = Scored(
        np.array([0, 1, 2]), np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1]]), CLASSES, MALIGNANT
    )
    assert math.isnan(f_scores.macro_precision(scored))
    assert f_scores.macro_f1(scored) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert f_scores.macro_recall(scored) == pytest.approx(2 / 3)


def test_a_class_without_images_leaves_the_means_undefined_and_weighs_nothing() -> None:
    scored = Scored(np.array([0, 1]), np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]), CLASSES, MALIGNANT)
    assert math.isnan(f_scores.macro_f1(scored))
    assert math.isnan(f_scores.macro_recall(scored))
    assert f_scores.weighted_f1(scored) == pytest.approx(0.5)
