"""Shares of the confusion matrix against scikit-learn with its sample weights, and what is not defined."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
)

from dermalens.evaluate import confusion

CLASSES = 4
RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(CLASSES, size=200)
GIVEN = np.where(RANDOM.random(200) < 0.6, LABELS, RANDOM.integers(CLASSES, size=200))
WEIGHTS = np.vstack([np.ones(200), RANDOM.integers(0, 4, size=(5, 200))])


@pytest.fixture
def found() -> confusion.Confusions:
    return confusion.confusions(LABELS, GIVEN, CLASSES, WEIGHTS)


def test_counts_equal_scikit_learn(found: confusion.Confusions) -> None:
    for row, weights in enumerate(WEIGHTS):
        assert found[row] == pytest.approx(confusion_matrix(LABELS, GIVEN, sample_weight=weights))


def test_shares_of_each_class_equal_scikit_learn(found: confusion.Confusions) -> None:
    for row, weights in enumerate(WEIGHTS):
        expected = precision_recall_fscore_support(LABELS, GIVEN, sample_weight=weights)
        assert confusion.precisions(found)[row] == pytest.approx(expected[0])
        assert confusion.sensitivities(found)[row] == pytest.approx(expected[1])
        assert confusion.f1_scores(found)[row] == pytest.approx(expected[2])
        assert confusion.images(found)[row] == pytest.approx(expected[3])
        spared = [recall_score(k != LABELS, k != GIVEN, sample_weight=weights) for k in range(CLASSES)]
        assert confusion.specificities(found)[row] == pytest.approx(spared)


def test_means_equal_scikit_learn(found: confusion.Confusions) -> None:
    images = confusion.images(found)
    for row, weights in enumerate(WEIGHTS):
        assert confusion.accuracies(found)[row] == pytest.approx(accuracy_score(LABELS, GIVEN, sample_weight=weights))
        for score, values in ((f1_score, confusion.f1_scores), (precision_score, confusion.precisions)):
            macro = score(LABELS, GIVEN, average="macro", sample_weight=weights)
            assert confusion.macro(values(found))[row] == pytest.approx(macro)
            weighted = score(LABELS, GIVEN, average="weighted", sample_weight=weights)
            assert confusion.weighted(values(found), images)[row] == pytest.approx(weighted)


def test_a_class_without_images_is_undefined_and_has_no_weight_but_a_specificity() -> None:
    found = confusion.confusions(np.array([0, 0, 1]), np.array([0, 1, 1]), 3, np.ones((1, 3)))
    assert np.isnan(confusion.sensitivities(found)[0]).tolist() == [False, False, True]
    assert np.isnan(confusion.f1_scores(found)[0, 2])
    assert np.isnan(confusion.precisions(found)[0, 2])
    assert confusion.specificities(found)[0].tolist() == [1.0, 0.5, 1.0]
    weighted = confusion.weighted(confusion.sensitivities(found), confusion.images(found))
    assert weighted[0] == pytest.approx(2 / 3)


def test_with_one_class_only_there_is_no_specificity_for_it() -> None:
    found = confusion.confusions(np.zeros(3, dtype=np.int64), np.array([0, 0, 1]), 2, np.ones((1, 3)))
    assert np.isnan(confusion.specificities(found)[0]).tolist() == [True, False]
