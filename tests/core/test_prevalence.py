"""Prior correction and predictive values against hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest

from dermalens.core.errors import DermaLensError
from dermalens.core.prevalence import predictive_values, shift_classes, shift_to_prevalence


def test_the_probability_of_the_base_itself_becomes_the_wanted_share() -> None:
    assert float(shift_to_prevalence(0.2, base=0.2, wanted=0.03)) == pytest.approx(0.03)


def test_a_shift_is_that_of_the_odds() -> None:
    # Odds 0.4/0.6; base odds 1/4, wanted odds 1/9: the odds become 2/3 * 4/9 = 8/27, the probability 8/35.
    assert float(shift_to_prevalence(0.4, base=0.2, wanted=0.1)) == pytest.approx(8 / 35)


def test_a_shift_keeps_the_order_the_ends_and_can_be_undone() -> None:
    before = np.linspace(0, 1, 11)
    shifted = shift_to_prevalence(before, base=0.2, wanted=0.03)
    assert (np.diff(shifted) > 0).all()
    assert shifted[[0, -1]].tolist() == [0, 1]
    assert shift_to_prevalence(shifted, base=0.03, wanted=0.2) == pytest.approx(before)


def test_shifted_classes_sum_to_one_and_their_malignant_sum_is_the_shifted_sum() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), size=20)
    malignant = np.array([True, False, True, False])
    shifted = shift_classes(probabilities, malignant, base=0.2, wanted=0.05)
    assert shifted.sum(axis=1) == pytest.approx(np.ones(20))
    expected = shift_to_prevalence(probabilities[:, malignant].sum(axis=1), base=0.2, wanted=0.05)
    assert shifted[:, malignant].sum(axis=1) == pytest.approx(expected)
    assert shifted[:, 0] / shifted[:, 2] == pytest.approx(probabilities[:, 0] / probabilities[:, 2])


def test_weighting_the_images_of_a_sample_to_a_prevalence_gives_the_same_predictive_values() -> None:
    # 90 of 100 malignant and 160 of 800 benign are referred; malignant images count 0.03 / 100, benign 0.97 / 800.
    found, needless = 90 * 0.03 / 100, 160 * 0.97 / 800
    ppv, npv = predictive_values(0.9, 0.8, 0.03)
    assert float(ppv) == pytest.approx(found / (found + needless))
    assert float(npv) == pytest.approx((0.97 - needless) / (0.97 - needless + 0.03 - found))


def test_predictive_values_of_what_never_happens_are_undefined() -> None:
    ppv, npv = predictive_values(np.array([0.0, 1.0]), np.array([1.0, 0.0]), 0.1)
    assert np.isnan(ppv).tolist() == [True, False]
    assert np.isnan(npv).tolist() == [False, True]


@pytest.mark.parametrize("share", [0, 1, -0.1, 3, float("nan")])
def test_a_prevalence_that_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(DermaLensError, match=r"between 0 and 1, such as 0\.03 for 3 %"):
        shift_to_prevalence(0.5, base=0.2, wanted=share)
