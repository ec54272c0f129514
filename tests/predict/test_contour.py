from __future__ import annotations

import math

import numpy as np
import pytest

from dermalens.predict.contour import MOST_POINTS, area_of, contour_of, perimeter_of, simplified


def soft_disc(side: int, radius: float) -> np.ndarray:
    """0.5 at the radius (in cells, from the middle), rising inwards over four cells."""
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    return np.clip(0.5 + (radius - np.hypot(x, y)) / 4, 0, 1).astype(np.float32)


def test_the_points_lie_where_the_map_passes_the_level():
    values = soft_disc(56, 17.3)
    points = contour_of(values >= 0.5, values, 0.5)
    radii = np.hypot(*(points - 28).T)
    assert radii == pytest.approx(17.3, abs=0.05)


def test_area_and_perimeter_of_a_disc_are_those_of_its_formula():
    values = soft_disc(56, 20)
    points = contour_of(values >= 0.5, values, 0.5)
    assert area_of(points) == pytest.approx(math.pi * 400, rel=0.01)
    assert perimeter_of(points) == pytest.approx(2 * math.pi * 20, rel=0.01)


def test_a_square_of_hard_edges_has_its_four_sides():
    mask = np.zeros((20, 20), bool)
    mask[5:15, 4:16] = True
    points = contour_of(mask, mask.astype(np.float32), 0.5)
    assert points.min(axis=0).tolist() == [4, 5]
    assert points.max(axis=0).tolist() == [16, 15]
    assert area_of(points) == pytest.approx(120, abs=1)  # the corners are cut by half a cell


def test_the_walk_is_clockwise():
    values = soft_disc(32, 8)
    x, y = contour_of(values >= 0.5, values, 0.5).T
    assert np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)) > 0  # y points down


def test_cells_that_touch_at_a_corner_are_walked_round_as_one():
    mask = np.zeros((8, 8), bool)
    mask[2:4, 2:4] = mask[4:6, 4:6] = True
    points = contour_of(mask, mask.astype(np.float32), 0.5)
    assert points.min() == 2
    assert points.max() == 6


def test_a_region_at_the_border_ends_there():
    mask = np.ones((6, 6), bool)
    points = contour_of(mask, mask.astype(np.float32), 0.5)
    assert points.min() == 0
    assert points.max() == 6


def test_a_single_cell_has_an_outline():
    mask = np.zeros((5, 5), bool)
    mask[2, 2] = True
    points = contour_of(mask, mask.astype(np.float32), 0.5)
    assert points.mean(axis=0).tolist() == [2.5, 2.5]


def test_a_ragged_outline_is_cut_down_to_its_most_points():
    random = np.random.default_rng(0)
    mask = np.zeros((300, 300), bool)
    for column in range(10, 290):
        mask[150 : 150 + random.integers(3, 140), column] = True
    points = contour_of(mask, mask.astype(np.float32), 0.5)
    assert 8 < len(points) <= MOST_POINTS


def test_what_is_left_out_is_within_the_tolerance():
    angle = np.linspace(0, 2 * math.pi, 400, endpoint=False)
    points = np.stack([np.cos(angle) * (10 + np.sin(7 * angle)), np.sin(angle) * 8], axis=1)
    kept = simplified(points, 0.2)
    assert len(kept) < 60
    for point in points:
        starts, along = kept, np.roll(kept, -1, axis=0) - kept
        share = np.clip(((point - starts) * along).sum(1) / (along**2).sum(1), 0, 1)
        assert np.hypot(*(point - starts - share[:, None] * along).T).min() <= 0.2 + 1e-9
