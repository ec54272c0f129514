from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from dermalens.transforms.augment_covers import bubbled, haired
from dermalens.transforms.augment_covers_draws import (
    HALF_LENGTHS,
    HALF_WIDTHS,
    LARGEST_BEND,
    RADII,
    Bubbles,
    Hairs,
    bubbles_of,
    hairs_of,
)

SIDE = 100


def skin(level: float = 0.6, side: int = SIDE) -> Tensor:
    return torch.full((3, side, side), level)


def one_hair(curvature: float, *, half_length: float = 0.4, half_width: float = 0.01) -> Hairs:
    """A hair from left to right through the middle."""
    return Hairs(np.array([[0.5, 0.5, 1.0, 0.0, curvature, half_length, half_width]]), np.zeros((1, 3)))


def dark_places(image: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the side, (across, down), of the middles of all pixels that a black hair covers by half or more."""
    down, across = np.nonzero(image[0].numpy() < 0.3)
    return (across + 0.5) / image.shape[-1], (down + 0.5) / image.shape[-1]


def test_a_straight_hair_is_as_long_and_as_wide_as_said_and_leaves_the_rest():
    image = haired(skin(), one_hair(0.0, half_width=0.02))
    across, down = dark_places(image)
    assert (across.min(), across.max()) == pytest.approx((0.1, 0.9), abs=0.05)
    assert np.abs(down - 0.5).max() == pytest.approx(0.02, abs=0.006)
    assert torch.equal(image[:, :45], skin()[:, :45])
    assert torch.equal(image[:, 55:], skin()[:, 55:])
    assert torch.equal(image[:, :, :9], skin()[:, :, :9])


def test_a_bent_hair_lies_on_its_circle():
    curvature = 2.0
    across, down = dark_places(haired(skin(side=400), one_hair(curvature)))
    distances = np.hypot(across - 0.5, down - (0.5 + 1 / curvature))
    assert len(distances) > 1000
    assert np.abs(distances - 1 / curvature).max() < 0.012


@pytest.mark.parametrize("curvature", [-2.5, 2.5])
@pytest.mark.parametrize("half_length", [0.1, 0.3])
def test_a_bent_hair_is_an_arc_and_never_the_far_side_of_its_circle(curvature, half_length):
    across, down = dark_places(haired(skin(side=400), one_hair(curvature, half_length=half_length)))
    assert len(across) > 100
    assert np.abs(across - 0.5).max() < half_length + 0.01
    assert ((down - 0.5) * curvature < 1).all()  # nearer than the middle of the circle


def test_where_hairs_cross_one_lies_over_the_other():
    arcs = np.array([[0.5, 0.5, 1.0, 0.0, 0.0, 0.4, 0.02], [0.5, 0.5, 0.0, 1.0, 0.0, 0.4, 0.02]])
    image = haired(skin(), Hairs(arcs, np.array([[0.1, 0.1, 0.1], [0.9, 0.9, 0.9]])))
    assert float(image[0, 50, 25]) == pytest.approx(0.1)
    assert float(image[0, 25, 50]) == pytest.approx(0.9)
    assert float(image.min()) >= 0.1 - 1e-6
    assert float(image.max()) <= 0.9 + 1e-6


def test_a_bubble_is_bright_towards_the_light_dark_away_from_it_and_changes_nothing_far_off():
    radius = 0.1
    image = bubbled(skin(), Bubbles(np.array([[0.5, 0.5, radius, 0.15, 1.0, 0.0, 1.0]])))[0]
    row = image[50]
    assert float(row[60]) > 0.7
    assert float(row[39]) < 0.45
    assert float((image[:30] - 0.6).abs().max()) < 1e-4
    assert float((image[:, :30] - 0.6).abs().max()) < 1e-4


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_bubbles_stay_between_black_and_white(level):
    for seed in range(5):
        image = bubbled(skin(level), bubbles_of(seed, (1, 40)))
        assert float(image.min()) >= 0
        assert float(image.max()) <= 1


@pytest.mark.parametrize(
    "drawn", [lambda seed: hairs_of(seed, (2, 9)).arcs, lambda seed: bubbles_of(seed, (2, 9)).circles]
)
def test_the_seed_decides_and_counts_are_within_their_bounds(drawn):
    np.testing.assert_array_equal(drawn(4), drawn(4))
    counts = [len(drawn(seed)) for seed in range(200)]
    assert (min(counts), max(counts)) == (2, 9)
    assert np.median(counts) < 5.5  # few are more frequent


def test_lengths_are_within_their_bounds():
    arcs = np.concatenate([hairs_of(seed, (20, 20)).arcs for seed in range(20)])
    assert 0 < arcs[:, 5].min() <= arcs[:, 5].max() <= HALF_LENGTHS[1]
    assert HALF_WIDTHS[0] <= arcs[:, 6].min() <= arcs[:, 6].max() <= HALF_WIDTHS[1]
    np.testing.assert_allclose(arcs[:, 2] ** 2 + arcs[:, 3] ** 2, 1)
    assert (np.abs(arcs[:, 4]) * arcs[:, 5]).max() <= LARGEST_BEND + 1e-9
    radii = np.concatenate([bubbles_of(seed, (20, 20)).circles[:, 2] for seed in range(20)])
    assert RADII[0] <= radii.min() <= radii.max() <= RADII[1]
