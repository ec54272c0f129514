"""Areas and levels of a score against scikit-learn with its sample weights, and hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, roc_auc_score, roc_curve

from dermalens.evaluate import ranking
from dermalens.evaluate.ranking import Ranked, ranked

IMAGES, DRAWS = 150, 12
RANDOM = np.random.default_rng(0)
POSITIVE = RANDOM.random(IMAGES) < 0.3
SCORE = (RANDOM.normal(size=IMAGES) + POSITIVE).round(1)  # with ties
WEIGHTS = np.vstack([np.ones(IMAGES), RANDOM.integers(0, 4, size=(DRAWS, IMAGES))])


@pytest.fixture
def ranks() -> Ranked:
    return ranked(POSITIVE, SCORE, WEIGHTS)


def hand() -> Ranked:
    """From the top: positive, negative, positive and negative tied, negative."""
    positive = np.array([True, False, True, False, False])
    return ranked(positive, np.array([0.9, 0.8, 0.5, 0.5, 0.1]), np.ones((1, 5)))


def test_area_equals_scikit_learn_with_and_without_weights(ranks: Ranked) -> None:
    expected = [roc_auc_score(POSITIVE, SCORE, sample_weight=weights) for weights in WEIGHTS]
    assert ranking.area(ranks) == pytest.approx(expected)
    assert ranking.area(ranks)[0] == pytest.approx(roc_auc_score(POSITIVE, SCORE))


def test_average_precision_equals_scikit_learn_with_and_without_weights(ranks: Ranked) -> None:
    expected = [average_precision_score(POSITIVE, SCORE, sample_weight=weights) for weights in WEIGHTS]
    assert ranking.average_precision(ranks) == pytest.approx(expected)
    assert ranking.average_precision(ranks)[0] == pytest.approx(average_precision_score(POSITIVE, SCORE))


def test_partial_area_equals_that_of_the_flipped_curve_of_scikit_learn(ranks: Ranked) -> None:
    # The part above sensitivity 0.8 is, with classes and order reversed, the part up to a false positive rate of 0.2.
    def flipped(weights: np.ndarray) -> float:
        rate, found, _ = roc_curve(~POSITIVE, -SCORE, sample_weight=weights, drop_intermediate=False)
        stop = np.searchsorted(rate, 0.2, side="right")
        edge = np.interp(0.2, rate[stop - 1 : stop + 1], found[stop - 1 : stop + 1])
        return float(auc(np.append(rate[:stop], 0.2), np.append(found[:stop], edge)))

    assert ranking.partial_area(ranks, 0.8) == pytest.approx([flipped(weights) for weights in WEIGHTS])


def test_partial_area_undoes_the_scaling_of_scikit_learn(ranks: Ranked) -> None:
    scaled = roc_auc_score(~POSITIVE, -SCORE, max_fpr=0.2)
    least, most = 0.2**2 / 2, 0.2
    assert ranking.partial_area(ranks, 0.8)[0] == pytest.approx(least + (2 * scaled - 1) * (most - least))


def test_partial_area_of_a_perfect_score_of_a_constant_and_of_a_reversed_one() -> None:
    positive, ones = np.array([True, True, False, False]), np.ones((1, 4))
    perfect, constant, reversed_ = (
        ranking.partial_area(ranked(positive, np.array(score, dtype=float), ones), 0.8)[0]
        for score in ([4, 3, 2, 1], [1, 1, 1, 1], [1, 2, 3, 4])
    )
    assert (perfect, constant, reversed_) == pytest.approx((0.2, 0.02, 0.0))


def test_partial_area_above_nothing_is_the_whole_area(ranks: Ranked) -> None:
    assert ranking.partial_area(ranks, 0.0) == pytest.approx(ranking.area(ranks))


def test_levels_of_a_hand_computed_case() -> None:
    # Specificities 1, 2/3, 1/3, 0 with sensitivities 1/2, 1/2, 1, 1.
    levels = {wanted: float(ranking.sensitivity_at(hand(), wanted)[0]) for wanted in (1.0, 0.6, 1 / 3, 0.0)}
    assert levels == pytest.approx({1.0: 0.5, 0.6: 0.5, 1 / 3: 1.0, 0.0: 1.0})
    levels = {wanted: float(ranking.specificity_at(hand(), wanted)[0]) for wanted in (0.5, 0.6, 1.0)}
    assert levels == pytest.approx({0.5: 1.0, 0.6: 1 / 3, 1.0: 1 / 3})


def test_levels_are_the_best_points_of_the_curve_of_scikit_learn(ranks: Ranked) -> None:
    for row, weights in enumerate(WEIGHTS):
        rate, found, _ = roc_curve(POSITIVE, SCORE, sample_weight=weights, drop_intermediate=False)
        assert ranking.sensitivity_at(ranks, 0.9)[row] == pytest.approx(found[rate <= 0.1 + 1e-9].max())
        assert ranking.specificity_at(ranks, 0.9)[row] == pytest.approx(1 - rate[found >= 0.9 - 1e-9].min())


def test_a_draw_with_one_class_is_undefined_in_every_figure() -> None:
    weights = np.array([POSITIVE, ~POSITIVE], dtype=np.float64)
    ranks = ranked(POSITIVE, SCORE, weights)
    figures = (
        ranking.area(ranks),
        ranking.average_precision(ranks),
        ranking.partial_area(ranks, 0.8),
        ranking.sensitivity_at(ranks, 0.9),
        ranking.specificity_at(ranks, 0.9),
    )
    assert np.isnan(figures).all()


def test_the_roc_curve_keeps_its_area_in_its_corners() -> None:
    x, y = ranking.roc_points(POSITIVE, SCORE)
    rate, found, _ = roc_curve(POSITIVE, SCORE, drop_intermediate=False)
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert auc(x, y) == pytest.approx(roc_auc_score(POSITIVE, SCORE))
    assert {*zip(x.round(9), y.round(9), strict=True)} < {*zip(rate.round(9), found.round(9), strict=True)}


def test_the_precision_recall_curve_holds_the_points_of_a_hand_computed_case() -> None:
    positive = np.array([True, False, True, False, False])
    recall, precision = ranking.precision_recall_points(positive, np.array([0.9, 0.8, 0.5, 0.5, 0.1]))
    assert recall == pytest.approx([1 / 2, 1 / 2, 1, 1])
    assert precision == pytest.approx([1, 1 / 2, 2 / 4, 2 / 5])


def test_long_curves_are_thinned_with_their_ends_kept() -> None:
    random = np.random.default_rng(0)
    positive, score = random.random(5000) < 0.5, random.random(5000)
    for x, y in (ranking.roc_points(positive, score), ranking.precision_recall_points(positive, score)):
        assert len(x) == len(y) == ranking.CURVE_POINTS
        assert x[-1] == 1
