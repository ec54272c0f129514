from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from dermalens.export.not_lesions import DRAWN, crop, drawn, greyed, in_colours_of, is_for_fitting
from dermalens.export.not_lesions_skin import free_square
from tests.tiny_bundle import lesion


@pytest.mark.parametrize("kind", sorted(DRAWN))
def test_every_kind_is_a_square_picture_and_the_same_for_the_same_number(kind):
    picture = drawn(kind, 3, 48)
    assert (picture.shape, picture.dtype) == ((48, 48, 3), np.uint8)
    assert (picture == drawn(kind, 3, 48)).all()
    assert (picture != drawn(kind, 4, 48)).any()


def test_about_half_of_the_names_are_for_fitting():
    shares = [is_for_fitting(f"picture_{number}.jpg") for number in range(400)]
    assert 0.4 < np.mean(shares) < 0.6


def test_a_crop_is_a_small_square_of_the_picture():
    part = crop(Image.new("RGB", (200, 100)), np.random.default_rng(0))
    assert part.width == part.height
    assert 25 <= part.width <= 60


def test_a_greyed_picture_has_one_dimension_of_colour():
    pixels = np.asarray(greyed(lesion("mel"), np.random.default_rng(1)), dtype=float).reshape(-1, 3)
    steps = np.linalg.svd(pixels - pixels.mean(axis=0), compute_uv=False)
    assert steps[1] < 0.05 * steps[0]


def test_a_picture_takes_the_colours_of_another():
    noise = np.random.default_rng(2).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    moved = np.asarray(in_colours_of(Image.fromarray(noise), lesion("nv")), dtype=float)
    wanted = np.asarray(lesion("nv"), dtype=float)
    assert moved.mean(axis=(0, 1)) == pytest.approx(wanted.mean(axis=(0, 1)), abs=2)


def test_bare_skin_is_cut_clear_of_the_lesion():
    taken = np.zeros((256, 256), dtype=bool)
    taken[:, 150:] = True
    left, upper, right, lower = free_square(taken)
    assert right - left == lower - upper
    assert right <= 150 - 10
    assert right - left > 120


def test_a_lesion_that_fills_the_picture_leaves_no_skin():
    assert free_square(np.ones((256, 256), dtype=bool)) is None
