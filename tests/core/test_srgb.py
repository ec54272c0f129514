"""Colour conversion against published values, OpenCV and a case worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dermalens.core.srgb import cielab, encoded, linear_light


@pytest.mark.parametrize(
    ("colour", "lab"),
    [  # the primaries of sRGB under D65, as colour tables give them
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((0, 0, 0), (0, 0, 0)),
    ],
)
def test_cielab_of_the_primaries_is_that_of_colour_tables(colour, lab) -> None:
    assert cielab(np.array(colour, dtype=np.uint8)) == pytest.approx(lab, abs=0.02)


def test_lightness_of_a_grey_is_what_the_formula_gives_by_hand() -> None:
    light = ((119 / 255 + 0.055) / 1.055) ** 2.4  # 0.1845
    lab = cielab(np.array([119, 119, 119], dtype=np.uint8))
    assert lab[0] == pytest.approx(116 * light ** (1 / 3) - 16)
    assert lab[1:] == pytest.approx([0, 0], abs=1e-9)


def test_cielab_equals_opencv_for_any_colour() -> None:
    cv2 = pytest.importorskip("cv2")
    colours = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    expected = cv2.cvtColor(colours.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    assert cielab(colours) == pytest.approx(expected, abs=0.4)  # OpenCV reads its curves from tables


def test_every_value_survives_the_way_to_linear_light_and_back() -> None:
    every = np.arange(256, dtype=np.uint8)
    assert np.array_equal(encoded(linear_light(every)), every)


def test_light_beyond_white_is_clipped_and_half_the_light_is_188() -> None:
    assert encoded(np.array([-0.5, 0.5, 7.0])).tolist() == [0, 188, 255]
