from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from dermalens.predict.regions import runs_of, without_holes


def mask_of(*lines: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in line] for line in lines])


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_regions_are_those_of_scipy(seed: int, diagonal: bool):
    random = np.random.default_rng(seed)
    mask = random.random((23, 31)) < 0.5
    structure = np.ones((3, 3)) if diagonal else None
    expected, count = ndimage.label(mask, structure=structure)
    runs = runs_of(mask, diagonal=diagonal)
    regions = np.unique(runs.region)
    assert len(regions) == count
    for region in regions:
        numbers = np.unique(expected[runs.mask(runs.region == region)])
        assert len(numbers) == 1
        assert np.array_equal(runs.mask(runs.region == region), expected == numbers[0])


def test_runs_at_the_ends_of_two_rows_do_not_touch():
    runs = runs_of(mask_of("..#", "#.."), diagonal=True)
    assert len(np.unique(runs.region)) == 2


def test_corners_join_only_when_asked():
    mask = mask_of("#.", ".#")
    assert [len(np.unique(runs_of(mask, diagonal=diagonal).region)) for diagonal in (False, True)] == [2, 1]


def test_an_empty_mask_has_no_runs():
    assert len(runs_of(np.zeros((4, 5), bool), diagonal=True).rows) == 0


@pytest.mark.parametrize("seed", range(4))
def test_holes_are_filled_as_scipy_does(seed: int):
    mask = np.random.default_rng(seed).random((25, 25)) < 0.6
    assert np.array_equal(without_holes(mask), ndimage.binary_fill_holes(mask))


def test_a_bay_is_no_hole():
    bay = mask_of("###", "#.#", "#.#")
    assert np.array_equal(without_holes(bay), bay)


def test_a_full_mask_stays_full():
    assert without_holes(np.ones((3, 3), bool)).all()
