"""Prediction sets: the rank of the threshold, the coverage of new images, and how they are judged."""

from __future__ import annotations

import numpy as np
import pytest

from dermalens.core.bundle import Conformal
from dermalens.core.errors import DataError
from dermalens.evaluate.bootstrap import lesion_samples
from dermalens.evaluate.conformal import fit_conformal, in_sets, judge_conformal
from dermalens.evaluate.metrics import Scored
from tests.evaluate.drawn_answers import answers, defined, truth_of_answers


def of_one_class(own: np.ndarray, coverage: float) -> Conformal:
    probabilities = np.stack([own, 1 - own], axis=1)
    return fit_conformal(probabilities, np.zeros(len(own), dtype=np.int64), coverage=coverage)


def test_the_threshold_is_the_rank_that_the_finite_sample_asks_for() -> None:
    own = np.linspace(0.05, 0.95, 19)
    # ceil(20 * 0.9) = 18 of 19 are kept: the second lowest. ceil(20 * 0.95) = 19: the lowest.
    assert of_one_class(own, 0.9).thresholds[0] == pytest.approx(0.1)
    assert of_one_class(own, 0.95).thresholds[0] == pytest.approx(0.05)


@pytest.mark.parametrize(("coverage", "needed"), [(0.9, 9), (0.95, 19), (0.8, 4)])
def test_a_class_with_too_few_images_is_in_every_set(coverage: float, needed: int) -> None:
    enough, few = (of_one_class(np.full(images, 0.5), coverage) for images in (needed, needed - 1))
    assert enough.thresholds == [0.5, 0.0]
    assert few.thresholds == [0.0, 0.0]
    assert (enough.n, few.n) == ([needed, 0], [needed - 1, 0])


def test_a_threshold_has_six_digits_and_is_rounded_down() -> None:
    assert of_one_class(np.full(9, 0.1234569), 0.9).thresholds[0] == 0.123456


def test_new_images_are_covered_as_often_as_promised() -> None:
    # In expectation over validation parts of 30 images: from 0.9 to 0.9 + 1 / 31, and here 28/31 = 0.903.
    random = np.random.default_rng(0)
    covered = [
        np.mean(random.beta(3, 1, size=400) >= of_one_class(random.beta(3, 1, size=30), 0.9).thresholds[0])
        for _ in range(400)
    ]
    assert np.mean(covered) == pytest.approx(28 / 31, abs=0.01)


def test_the_sets_hold_the_classes_at_or_above_their_threshold_in_the_digits_of_an_answer() -> None:
    conformal = Conformal(coverage=0.9, thresholds=[0.5, 0.3, 0.0], n=[20, 20, 2])
    probabilities = np.array([[0.4999996, 0.3, 0.2000004], [0.6, 0.29, 0.11]])
    assert in_sets(probabilities, conformal).tolist() == [[True, True, True], [True, False, True]]


def test_sets_are_judged_by_class_and_over_all() -> None:
    conformal = Conformal(coverage=0.9, thresholds=[0.5, 0.3], n=[20, 5])
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4], [0.45, 0.55], [0.9, 0.1]])
    scored = Scored(np.array([0, 0, 0, 1]), probabilities, ("benign", "malignant"), np.array([False, True]))
    found = judge_conformal(scored, conformal, lesion_samples(truth_of_answers(scored), draws=10, seed=0))
    benign, malignant = found.per_class["benign"], found.per_class["malignant"]
    assert (benign.coverage.value, benign.size.value, benign.coverage.n) == pytest.approx((2 / 3, 4 / 3, 3))
    assert (malignant.coverage.value, malignant.size.value, malignant.always) == (0, 1, False)
    assert (found.coverage.value, found.size.value, found.empty.value) == (0.5, 1.25, 0)
    assert found.sizes == (0, 3, 1)


def test_a_class_that_is_always_in_the_set_is_said_so_and_one_without_images_is_undefined() -> None:
    conformal = Conformal(coverage=0.9, thresholds=[0.0, 0.9], n=[3, 20])
    scored = Scored(np.array([0, 0]), np.full((2, 2), 0.5), ("benign", "malignant"), np.array([False, True]))
    found = judge_conformal(scored, conformal, lesion_samples(truth_of_answers(scored), draws=10, seed=0))
    assert found.per_class["benign"].always
    assert found.per_class["benign"].coverage.value == 1
    assert found.per_class["malignant"].coverage.value is None


def test_sets_fitted_on_one_half_cover_the_other() -> None:
    scored = answers(2000)
    fitted = fit_conformal(scored.probabilities[::2], scored.labels[::2], coverage=0.9)
    rest = scored.take(np.arange(1, 2000, 2))
    found = judge_conformal(rest, fitted, lesion_samples(truth_of_answers(rest), draws=50, seed=0))
    assert all(0.8 < defined(one.coverage.value) <= 1 for one in found.per_class.values())
    assert found.coverage.value == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize("coverage", [0, 1, 90, float("nan")])
def test_a_coverage_that_is_no_share_is_refused(coverage: float) -> None:
    with pytest.raises(DataError, match=r"between 0 and 1, such as 0\.9"):
        of_one_class(np.full(9, 0.5), coverage)
