"""Risk and coverage in hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest

from dermalens.evaluate import selective
from dermalens.evaluate.bootstrap import lesion_samples
from dermalens.evaluate.metrics import Scored
from tests.evaluate.drawn_answers import answers, defined, truth_of_answers

CLASSES, MALIGNANT = ("benign", "malignant"), np.array([False, True])


def scored_with(confidence: list[float], right: list[bool]) -> Scored:
    first = np.array(confidence)
    labels = np.where(right, 0, 1)
    return Scored(labels, np.stack([first, 1 - first], axis=1), CLASSES, MALIGNANT)


def area(scored: Scored) -> float:
    return float(selective.area(selective.ranks(scored, np.ones((1, len(scored.labels)))))[0])


def test_the_area_is_the_mean_of_the_risks_at_every_coverage() -> None:
    scored = scored_with([0.95, 0.9, 0.8, 0.7], [True, False, True, False])
    assert area(scored) == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)


def test_images_of_the_same_confidence_are_answered_together() -> None:
    scored = scored_with([0.9, 0.8, 0.8, 0.6], [True, True, False, False])
    assert area(scored) == pytest.approx((0 + 2 * (1 / 3) + 2 / 4) / 4)
    assert area(scored_with([0.9, 0.8, 0.8, 0.6], [True, False, True, False])) == pytest.approx(area(scored))


def test_the_least_area_is_that_of_the_wrong_answers_last() -> None:
    random = np.random.default_rng(0)
    right = random.random(50) < 0.7
    ranks = selective.ranks(scored_with(random.uniform(0.5, 1, 50).tolist(), right.tolist()), np.ones((1, 50)))
    best = scored_with(np.linspace(0.99, 0.51, 50).tolist(), np.sort(right)[::-1].tolist())
    assert selective.least_area(ranks)[0] == pytest.approx(area(best))
    rate = 1 - right.mean()
    assert selective.least_area(ranks)[0] == pytest.approx(rate + (1 - rate) * np.log(1 - rate), abs=0.01)


@pytest.mark.parametrize(("right", "least"), [([True] * 4, 0.0), ([False] * 4, 1.0)])
def test_all_right_and_all_wrong_leave_nothing_to_order(right: list[bool], least: float) -> None:
    scored = scored_with([0.9, 0.8, 0.7, 0.6], right)
    found = selective.judge_risk_coverage(scored, lesion_samples(truth_of_answers(scored), draws=5, seed=0))
    assert found.area.value == pytest.approx(least)
    assert found.excess_area.value == pytest.approx(0)


def test_the_curve_rises_in_coverage_and_ends_with_the_share_of_wrong_answers() -> None:
    scored = answers()
    found = selective.judge_risk_coverage(scored, lesion_samples(truth_of_answers(scored), draws=20, seed=0))
    assert (np.diff(found.coverage) > 0).all()
    assert (found.coverage[-1], found.risk[-1]) == pytest.approx((1, np.mean(scored.given != scored.labels)))
    total, excess = defined(found.area.value), defined(found.excess_area.value)
    assert defined(found.area.low) < total < defined(found.area.high)
    assert 0 < excess < total


def test_the_histograms_hold_every_answer_once() -> None:
    scored = scored_with([1.0, 0.93, 0.91, 0.62], [True, True, False, False])
    found = selective.judge_confidence(scored, lesion_samples(truth_of_answers(scored), draws=5, seed=0))
    assert sum(found.right) == sum(found.wrong) == 2
    assert found.right[-1] == 1  # 1.0 in the last bin, 0.93 and 0.91 in the one before
    assert (found.right[18], found.wrong[18], found.wrong[12]) == (1, 1, 1)
    assert (found.mean_right.value, found.mean_wrong.value) == pytest.approx((0.965, 0.765))


def test_without_a_wrong_answer_their_mean_confidence_is_undefined() -> None:
    scored = scored_with([0.9, 0.8], [True, True])
    found = selective.judge_confidence(scored, lesion_samples(truth_of_answers(scored), draws=5, seed=0))
    assert (found.mean_wrong.value, found.mean_wrong.n) == (None, 0)
