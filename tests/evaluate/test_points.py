"""Operating points are judged by the decisions that users get."""

from __future__ import annotations

import numpy as np
import pytest

from dermalens.core.bundle import Measured, OperatingPoint
from dermalens.core.decision import by_code, decide
from dermalens.evaluate.bootstrap import lesion_samples
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.points import judge_point, referred
from tests.evaluate.drawn_answers import answers, defined, truth_of_answers

UNKNOWN = Measured(value=None, low=None, high=None, n=0)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("threshold", [0.03, 0.25, 0.6])
def test_referred_are_the_images_that_are_decided_so(binary: bool, threshold: float) -> None:
    scored = answers(binary=binary)
    malignant = [code for code, is_so in zip(scored.classes, scored.malignant, strict=True) if is_so]
    point = OperatingPoint(name="point", threshold=threshold, sensitivity=UNKNOWN, specificity=UNKNOWN)
    decided = [decide(by_code(row, scored.classes), malignant, point).verdict for row in scored.probabilities]
    assert referred(scored, threshold).tolist() == [verdict == "refer" for verdict in decided]


def hand() -> Scored:
    """Malignant 0.9 0.6 0.1, benign 0.7 0.2 0.1 0.05."""
    malignant = np.array([0.9, 0.6, 0.1, 0.7, 0.2, 0.1, 0.05])
    labels = np.array([1, 1, 1, 0, 0, 0, 0])
    return Scored(
        labels, np.stack([1 - malignant, malignant], axis=1), ("benign", "malignant"), np.array([False, True])
    )


def test_a_point_has_the_shares_of_a_hand_computed_case() -> None:
    scored = hand()
    found = judge_point(scored, 0.15, lesion_samples(truth_of_answers(scored), draws=10, seed=0), None)
    values = {name: (figure.value, figure.n) for name, figure in found.figures.items()}
    assert values == {
        "sensitivity": (pytest.approx(2 / 3), 3),
        "specificity": (0.5, 4),
        "ppv": (0.5, 4),
        "npv": (pytest.approx(2 / 3), 3),
        "referred": (pytest.approx(4 / 7), 7),
    }
    assert found.at_prevalence == {}


def test_predictive_values_at_the_share_of_the_images_are_those_found() -> None:
    scored = hand()
    found = judge_point(scored, 0.15, lesion_samples(truth_of_answers(scored), draws=10, seed=0), 3 / 7)
    for name in ("ppv", "npv"):
        assert found.at_prevalence[name].value == pytest.approx(found.figures[name].value)


def test_predictive_values_at_a_stated_prevalence_follow_from_bayes() -> None:
    scored = hand()
    found = judge_point(scored, 0.15, lesion_samples(truth_of_answers(scored), draws=10, seed=0), 0.03)
    right, needless = 2 / 3 * 0.03, 0.5 * 0.97
    assert found.at_prevalence["ppv"].value == pytest.approx(right / (right + needless))
    assert defined(found.at_prevalence["ppv"].value) < defined(found.figures["ppv"].value)


def test_a_point_that_refers_all_has_no_negative_predictive_value() -> None:
    scored = hand()
    found = judge_point(scored, 0.0, lesion_samples(truth_of_answers(scored), draws=10, seed=0), 0.03)
    assert (found.figures["npv"].value, found.at_prevalence["npv"].value) == (None, None)
    assert found.figures["referred"].value == 1
