"""Draws of lesions as weights, blocks and intervals."""

from __future__ import annotations

import numpy as np
import pytest

from dermalens.evaluate import bootstrap
from dermalens.evaluate.bootstrap import divided, interval, lesion_draws, lesion_samples, measured, over_draws
from dermalens.evaluate.predictions import Truth

TRUTH = Truth(np.zeros(5, dtype=np.int64), ("a", "a", "b", "c", "c"))


def test_the_first_sample_is_the_images_as_they_are_and_the_others_keep_lesions_whole() -> None:
    samples = lesion_samples(TRUTH, draws=50, seed=1)
    assert samples.shape == (51, 5)
    assert samples[0].tolist() == [1, 1, 1, 1, 1]
    assert (samples[:, 0] == samples[:, 1]).all()
    assert (samples[:, 3] == samples[:, 4]).all()
    assert (samples[:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_rows_and_weights_are_the_same_draws() -> None:
    samples = lesion_samples(TRUTH, draws=20, seed=2)
    rows = lesion_draws(TRUTH, draws=20, seed=2)
    assert [np.bincount(drawn, minlength=5).tolist() for drawn in rows] == samples[1:].tolist()


def test_the_seed_decides_the_draws() -> None:
    assert (lesion_samples(TRUTH, draws=20, seed=3) == lesion_samples(TRUTH, draws=20, seed=3)).all()
    assert (lesion_samples(TRUTH, draws=20, seed=3) != lesion_samples(TRUTH, draws=20, seed=4)).any()


def test_blocks_of_draws_give_what_all_draws_at_once_give(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = lesion_samples(TRUTH, draws=30, seed=0)

    def total(weights: bootstrap.Weights) -> dict[str, bootstrap.Drawn]:
        return {"total": weights @ np.arange(5.0), "each": weights * 2}

    at_once = over_draws(total, samples)
    monkeypatch.setattr(bootstrap, "BLOCK", 20)
    in_blocks = over_draws(total, samples)
    assert in_blocks["each"].shape == (31, 5)
    assert all((in_blocks[name] == at_once[name]).all() for name in at_once)


def test_an_interval_has_the_percentiles_of_the_draws_that_are_defined() -> None:
    values = np.append(np.arange(101.0), np.nan)
    found = interval(values, 40.0, 7)
    assert (found.low, found.value, found.high, found.n) == (2.5, 40.0, 97.5, 7)


def test_an_undefined_figure_has_no_interval_and_one_without_draws_keeps_its_value() -> None:
    assert interval(np.array([1.0, 2.0]), float("nan"), 3).model_dump() == {
        "value": None,
        "low": None,
        "high": None,
        "n": 3,
    }
    assert measured(np.array([0.5]), 3).model_dump() == {"value": 0.5, "low": None, "high": None, "n": 3}


def test_the_spread_of_draws_is_the_standard_error_of_a_mean_of_lesions() -> None:
    # 400 lesions with one image each, half of them right: standard error sqrt(0.25 / 400) = 0.025, interval +- 0.049.
    truth = Truth(np.zeros(400, dtype=np.int64), tuple(map(str, range(400))))
    drawn = lesion_samples(truth, draws=2000, seed=0) @ (np.arange(400) % 2) / 400
    found = measured(drawn, 400)
    assert found.low == pytest.approx(0.5 - 0.049, abs=0.006)
    assert found.high == pytest.approx(0.5 + 0.049, abs=0.006)


def test_a_quotient_without_a_whole_is_undefined() -> None:
    found = divided(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[2.0], [0.0]]))
    assert found[0].tolist() == [0.5, 1.0]
    assert np.isnan(found[1]).all()
