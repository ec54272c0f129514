"""Figures of groups against libraries and against images that really stand there as often as they count."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from dermalens.evaluate.bootstrap import lesion_samples
from dermalens.evaluate.group_figures import NEEDS, figures_drawn, figures_of, kinds_of, with_intervals
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.points import referred
from dermalens.evaluate.predictions import Truth

CLASSES = ("akiec", "nv", "mel")
MALIGNANT = np.array([True, False, True])
THRESHOLD = 0.6


def random_scored(images: int = 80, seed: int = 0) -> Scored:
    random = np.random.default_rng(seed)
    labels = random.integers(3, size=images)
    probabilities = random.dirichlet((1, 1, 1), images) + 0.5 * np.eye(3)[labels]
    return Scored(labels, np.round(probabilities / 1.5, 2), CLASSES, MALIGNANT)  # rounded, so that there are ties


def plain(name: str, scored: Scored) -> float:
    """The figure as scikit-learn or a mean gives it."""
    given = scored.probabilities.argmax(axis=1)
    malignant, is_referred = MALIGNANT[scored.labels], referred(scored, THRESHOLD)
    shares = {
        "accuracy": given == scored.labels,
        "sensitivity": is_referred[malignant],
        "specificity": ~is_referred[~malignant],
    }
    if name in shares:
        return float(shares[name].mean())
    if name == "balanced_accuracy":
        return float(balanced_accuracy_score(scored.labels, given))
    if name == "melanoma_auc":
        return float(roc_auc_score(scored.labels == 2, scored.probabilities[:, 2]))
    return float(roc_auc_score(malignant, scored.probabilities[:, MALIGNANT].sum(axis=1)))


@pytest.mark.parametrize("name", NEEDS)
def test_a_weight_is_as_good_as_that_many_copies_of_an_image(name: str) -> None:
    scored = random_scored()
    weights = np.random.default_rng(1).integers(0, 4, (5, 80)).astype(float)
    copies = [scored.take(np.repeat(np.arange(80), row.astype(int))) for row in weights]
    drawn = figures_drawn(scored, THRESHOLD, weights)[name]
    assert drawn == pytest.approx([plain(name, copy) for copy in copies])


def test_balanced_accuracy_is_over_the_classes_that_are_there() -> None:
    scored = Scored(np.array([0, 0, 1]), np.array([[0.9, 0.1, 0], [0.1, 0.9, 0], [0, 1, 0]]), CLASSES, MALIGNANT)
    drawn = figures_drawn(scored, THRESHOLD, np.array([[1.0, 1, 1], [1, 1, 0], [0, 0, 0]]))["balanced_accuracy"]
    assert drawn[:2].tolist() == [0.75, 0.5]
    assert math.isnan(drawn[2])


def test_what_there_is_no_image_for_is_undefined() -> None:
    scored = Scored(np.array([1, 1]), np.array([[0.1, 0.8, 0.1], [0.5, 0.2, 0.3]]), CLASSES, MALIGNANT)
    samples = lesion_samples(Truth(scored.labels, ("a", "b")), draws=5, seed=0)
    found = with_intervals(figures_of(scored, THRESHOLD, samples), kinds_of(scored))
    without = {name for name, figure in found.items() if figure.value is None}
    assert without == {"malignant_auc", "melanoma_auc", "sensitivity"}
    assert (found["sensitivity"].n, found["specificity"].n, found["malignant_auc"].n) == (0, 2, 2)


def test_a_bundle_without_melanoma_has_no_melanoma_auc() -> None:
    scored = Scored(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]), ("benign", "malignant"), MALIGNANT[1:][::-1])
    assert np.isnan(figures_drawn(scored, 0.5, np.ones((1, 2)))["melanoma_auc"]).all()
    assert kinds_of(scored)["melanoma"] == 0


def test_kinds_count_what_each_figure_needs() -> None:
    scored = random_scored()
    kinds = kinds_of(scored)
    assert kinds["malignant"] + kinds["benign"] == kinds["melanoma"] + kinds["other"] == kinds["image"] == 80
    assert kinds["melanoma"] == np.sum(scored.labels == 2)
    assert {kind for needs in NEEDS.values() for kind in needs} == set(kinds)
