"""Deletion and insertion curves against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dermalens.evaluate.perturbation import blurred, mean_colour, pixel_curve, random_like, replaced

WHITE = np.full((4, 4, 3), 200, dtype=np.uint8)
BLACK = np.zeros((4, 4, 3), dtype=np.uint8)


def brightness(squares):
    """A classifier whose probability is the share of white: the curve is a straight line, whatever the order."""
    return squares.mean(axis=(1, 2, 3)) / 200


def upper_left(squares):
    """One that sees nothing but the pixel in the upper left."""
    return squares[:, 0, 0, 0] / 200


def heat_at(row: int, column: int) -> np.ndarray:
    heat = np.zeros((4, 4), dtype=np.float32)
    heat[row, column] = 1
    return heat


def test_the_hottest_pixels_go_first_and_ties_from_the_upper_left_on():
    heat = np.array([[0, 3], [1, 3]], dtype=np.float32)
    frames = replaced(WHITE[:2, :2], BLACK[:2, :2], heat, steps=4)
    assert [np.flatnonzero(frame[:, :, 0].ravel() == 0).tolist() for frame in frames] == [
        [],
        [1],
        [1, 3],
        [1, 2, 3],
        [0, 1, 2, 3],
    ]


def test_a_curve_goes_from_the_square_to_the_baseline():
    curve = pixel_curve(brightness, WHITE, BLACK, heat_at(2, 2), steps=4)
    assert curve.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert curve.probabilities == pytest.approx([1, 0.75, 0.5, 0.25, 0])
    assert curve.area == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("place", "deletion", "insertion"), [((0, 0), 0.5 / 16, 15.5 / 16), ((3, 3), 1.5 / 16, 14.5 / 16)]
)
def test_a_map_that_points_at_what_counts_deletes_fast_and_inserts_fast(place, deletion, insertion):
    heat = heat_at(*place)
    assert pixel_curve(upper_left, WHITE, BLACK, heat, steps=16).area == pytest.approx(deletion)
    assert pixel_curve(upper_left, BLACK, WHITE, heat, steps=16).area == pytest.approx(insertion)


def test_the_given_squares_stay_as_they_are():
    replaced(WHITE, BLACK, heat_at(0, 0), steps=3)
    assert (WHITE == 200).all()
    assert not BLACK.any()


def test_a_blurred_square_keeps_its_colour_and_loses_its_structure():
    board = np.tile(np.array([[0, 200], [200, 0]], dtype=np.uint8), (32, 32))[:, :, None].repeat(3, axis=2)
    soft = blurred(board)
    assert soft.shape == board.shape
    assert np.abs(soft.astype(int) - 100).max() <= 15  # of 100
    assert soft.mean() == pytest.approx(100, abs=2)


def test_the_mean_colour_is_that_of_the_square_everywhere():
    square = np.zeros((2, 2, 3), dtype=np.uint8)
    square[0] = (100, 50, 3)
    assert mean_colour(square).tolist() == [[[50, 25, 2]] * 2] * 2


@pytest.mark.parametrize("shape", [(7, 7), (8, 8), (7, 8)])
def test_a_random_map_has_the_spectrum_mean_and_variance_of_the_heat_and_not_its_places(shape):
    heat = np.random.default_rng(0).random(shape).astype(np.float32)
    other = random_like(heat, np.random.default_rng(1))
    assert np.abs(np.fft.fft2(other)) == pytest.approx(np.abs(np.fft.fft2(heat)), abs=1e-4)
    assert (other.mean(), other.var()) == pytest.approx((heat.mean(), heat.var()), rel=1e-4)
    likeness = [np.corrcoef(heat.ravel(), random_like(heat, np.random.default_rng(n)).ravel())[0, 1] for n in range(50)]
    assert abs(np.mean(likeness)) < 0.1


def test_an_even_map_has_an_even_random_map():
    assert random_like(np.ones((4, 4), dtype=np.float32), np.random.default_rng(0)) == pytest.approx(1)
