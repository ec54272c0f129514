"""Two bundles on the same images: differences and McNemar's test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from dermalens.core.bundle import Measured
from dermalens.core.errors import DataError
from dermalens.core.taxonomy import BINARY
from dermalens.evaluate.all_figures import measure_all
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.paired import compare, discordance, mcnemar
from tests.evaluate.drawn_answers import answers, defined, truth_of_answers


def as_binary(scored: Scored) -> Scored:
    """The same answers from a bundle with two classes."""
    malignant = scored.malignant_probability
    probabilities = np.stack([1 - malignant, malignant], axis=1)
    return Scored(scored.is_malignant.astype(np.int64), probabilities, BINARY, np.array([False, True]))


def width(figure: Measured) -> float:
    return defined(figure.high) - defined(figure.low)


def test_the_published_example_gives_its_p_values() -> None:
    # Fagerland et al. 2013, airway hyper-responsiveness: 1 and 7 discordant pairs, exact 0.0703, mid-p 0.0391.
    assert mcnemar(1, 7) == pytest.approx((0.0703125, 0.0390625))


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 9), (30, 12), (5, 5)])
def test_the_exact_test_is_the_binomial_test_of_the_discordant_pairs(first: int, second: int) -> None:
    exact, mid = mcnemar(first, second)
    assert exact == pytest.approx(binomtest(first, first + second, 0.5).pvalue)
    assert mid < exact
    assert mcnemar(second, first) == (exact, mid)


def test_without_a_discordant_pair_nothing_speaks_for_a_difference() -> None:
    assert mcnemar(0, 0) == (1, 1)


def test_discordant_pairs_are_counted_for_each_bundle() -> None:
    found = discordance(np.array([True, True, True, False, False]), np.array([True, False, False, True, False]))
    assert (found.first_only, found.second_only, found.images) == (2, 1, 5)


def test_a_difference_is_that_of_the_figures_and_narrower_than_each_alone() -> None:
    better = answers(seed=0, skill=2)
    noise = np.random.default_rng(1).dirichlet(np.ones(7), size=240)
    worse = Scored(better.labels, 0.8 * better.probabilities + 0.2 * noise, better.classes, better.malignant)
    truth = truth_of_answers(better)
    found = compare(better, worse, truth, draws=100)
    alone, other = measure_all(better, truth, draws=100), measure_all(worse, truth, draws=100)
    assert found.differences.keys() == alone.keys()
    for name in ("accuracy", "macro_auc", "auc_mel", "brier_score"):
        expected = defined(alone[name].value) - defined(other[name].value)
        assert found.differences[name].value == pytest.approx(expected)
        assert width(found.differences[name]) < width(alone[name])


def test_a_bundle_does_not_differ_from_itself() -> None:
    scored = answers()
    found = compare(scored, scored, truth_of_answers(scored), draws=10)
    assert {(one.low, one.value, one.high) for one in found.differences.values()} == {(0, 0, 0)}
    assert defined(found.most_probable_class).exact_p == found.malignant_or_benign.mid_p == 1


def test_of_bundles_with_other_classes_the_malignant_figures_are_compared() -> None:
    scored = answers()
    found = compare(scored, as_binary(scored), truth_of_answers(scored), draws=10)
    assert found.most_probable_class is None
    assert found.differences["malignant_auc"].value == pytest.approx(0)
    assert found.differences["specificity_at_sensitivity_95"].value == pytest.approx(0)
    assert "accuracy" not in found.differences
    assert "auc_mel" not in found.differences
    assert found.malignant_or_benign.images == 240


def test_other_images_are_refused() -> None:
    scored = answers()
    with pytest.raises(DataError, match="240 and 100 were given"):
        compare(scored, scored.take(np.arange(100)), truth_of_answers(scored), draws=2)
    with pytest.raises(DataError, match=r"are malignant for one bundle and\s+benign"):
        compare(scored, scored.take(np.arange(240)[::-1]), truth_of_answers(scored), draws=2)
