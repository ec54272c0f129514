"""The rule by which the settings of the packaged bundle are chosen."""

from __future__ import annotations

import pytest

from benchmarks.choose_export import AIMS, LARGEST_ECE, TIE, choose


def setting(value: float, **other: float | str) -> dict[str, float | str]:
    whole: dict[str, float | str] = {
        "runs": "a",
        "networks": 1,
        "side": 224,
        "views": 1,
        "expected_calibration_error": 0.02,
        "negative_log_likelihood": 0.5,
    }
    return {**whole, **dict.fromkeys(AIMS, value), **other}


def test_the_better_setting_is_chosen_though_it_costs_more() -> None:
    best = setting(0.9, networks=2)
    assert choose([setting(0.9 - 2 * TIE), best]) is best


def test_of_settings_as_good_as_the_best_the_one_that_costs_least_is_chosen() -> None:
    cheap = setting(0.9 - TIE / 2, side=192)
    assert choose([setting(0.9), cheap, setting(0.9, views=2)]) is cheap


def test_of_settings_that_cost_the_same_the_most_probable_one_is_chosen() -> None:
    likely = setting(0.9 - TIE / 2, negative_log_likelihood=0.48)
    assert choose([setting(0.9), likely, setting(0.9 - 2 * TIE, negative_log_likelihood=0.4)]) is likely


@pytest.mark.parametrize("excluded", [{"networks": 2, "views": 2}, {"expected_calibration_error": LARGEST_ECE + 0.001}])
def test_what_takes_too_long_or_is_not_calibrated_is_no_candidate(excluded: dict[str, float | str]) -> None:
    usable = setting(0.7)
    assert choose([usable, setting(0.9, **excluded)]) is usable
