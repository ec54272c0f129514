"""Net benefit against the counts of Vickers and Elkin."""

from __future__ import annotations

import numpy as np
import pytest

from dermalens.evaluate.bootstrap import lesion_samples
from dermalens.evaluate.decision_curve import decision_curve, decision_curve_at
from dermalens.evaluate.metrics import Scored
from tests.evaluate.drawn_answers import answers, defined, truth_of_answers

CLASSES, MALIGNANT = ("benign", "malignant"), np.array([False, True])


def of(scored: Scored, draws: int = 20):
    return lesion_samples(truth_of_answers(scored), draws=draws, seed=0)


def test_net_benefit_is_found_less_needless_at_the_odds_of_the_threshold() -> None:
    scored = answers()
    curve = defined(decision_curve(scored, of(scored)))
    score, malignant = scored.malignant_probability, scored.is_malignant
    for threshold, model, treat_all in zip(curve.thresholds, curve.model, curve.treat_all, strict=True):
        odds = threshold / (1 - threshold)
        referred = score >= threshold
        expected = (np.sum(referred & malignant) - np.sum(referred & ~malignant) * odds) / 240
        assert model.value == pytest.approx(expected)
        assert treat_all == pytest.approx(malignant.mean() - (1 - malignant.mean()) * odds)
    assert (curve.thresholds[0], curve.thresholds[-1], len(curve.thresholds)) == (0.01, 0.3, 30)
    assert set(curve.treat_none) == {0.0}


def test_a_model_that_refers_all_is_worth_what_referring_all_is() -> None:
    labels = np.array([0, 0, 0, 1])
    scored = Scored(labels, np.full((4, 2), 0.5), CLASSES, MALIGNANT)
    curve = defined(decision_curve(scored, of(scored)))
    assert [one.value for one in curve.model] == pytest.approx(curve.treat_all)


def test_at_its_own_share_a_stated_prevalence_changes_nothing() -> None:
    scored = answers()
    share = float(np.mean(scored.is_malignant))
    own, stated = (
        defined(decision_curve(scored, of(scored))),
        defined(decision_curve_at(scored, of(scored), base=share, wanted=share)),
    )
    assert [one.value for one in stated.model] == pytest.approx([one.value for one in own.model])


def test_at_a_stated_prevalence_images_count_as_often_as_they_would_be_met() -> None:
    scored = answers()
    share, wanted = float(np.mean(scored.is_malignant)), 0.03
    curve = defined(decision_curve_at(scored, of(scored), base=share, wanted=wanted))
    odds = scored.malignant_probability / (1 - scored.malignant_probability) * (wanted / 0.97) / (share / (1 - share))
    referred = odds >= 0.1 / 0.9
    met = np.where(scored.is_malignant, wanted / scored.is_malignant.sum(), 0.97 / (~scored.is_malignant).sum())
    expected = np.sum(met * referred * scored.is_malignant) - np.sum(met * referred * ~scored.is_malignant) / 9
    assert (curve.prevalence, curve.thresholds[9]) == (wanted, 0.1)
    assert curve.model[9].value == pytest.approx(expected)
    assert curve.treat_all[9] == pytest.approx(wanted - 0.97 / 9)


@pytest.mark.parametrize("label", [0, 1])
def test_with_one_kind_of_image_there_is_no_curve(label: int) -> None:
    scored = Scored(np.full(3, label), np.full((3, 2), 0.5), CLASSES, MALIGNANT)
    assert decision_curve(scored, of(scored)) is None
    assert decision_curve_at(scored, of(scored), base=0.2, wanted=0.03) is None
