from __future__ import annotations

import json
import math

import numpy as np
import pytest
from PIL import Image
from scipy import integrate

from dermalens.core.errors import DermaLensError
from dermalens.predict.abcd import measure
from dermalens.predict.abcd_colour import COLOURS, SKIN, colours_of
from dermalens.predict.abcd_shape import feret_diameter, principal_axes
from dermalens.predict.outline import Outline, find_outline
from tests.drawn_outlines import disc

SIDE = 224
BROWN = (150, 95, 60)
Y, X = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE - 0.5


def outlined(mask: np.ndarray) -> Outline:
    """By way of a map of 56 x 56 cells, each with the share of it that lies on the mask, as the network is taught."""
    cells = Image.fromarray(mask.astype(np.float32)).resize((56, 56), Image.Resampling.BOX)
    outline = find_outline(np.asarray(cells), side_pixels=len(mask), threshold=0.5)
    assert outline is not None
    return outline


def painted(mask: np.ndarray, colour: tuple[int, int, int] = BROWN) -> np.ndarray:
    square = np.empty((*mask.shape, 3), np.uint8)
    square[:] = SKIN
    square[mask] = colour
    return square


def turned(degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along axes turned by an angle."""
    angle = math.radians(degrees)
    return X * math.cos(angle) + Y * math.sin(angle), Y * math.cos(angle) - X * math.sin(angle)


def half_disc(degrees: float) -> np.ndarray:
    along, across = turned(degrees)
    return (along**2 + across**2 < 0.16) & (across > 0)


def test_a_circle_is_symmetric_round_and_as_wide_as_it_is():
    mask = disc(SIDE, 0.3)
    measures = measure(painted(mask), outlined(mask))
    assert measures.asymmetry.score == 0
    assert max(measures.asymmetry.shares) < 0.02
    assert measures.border.irregularity == pytest.approx(1, abs=0.03)
    assert measures.diameter == pytest.approx(0.6, abs=0.01)
    assert measures.diameter_mm is None
    assert not measures.is_partial


@pytest.mark.parametrize("degrees", [0, 30, 75, 120])
def test_an_ellipse_is_symmetric_about_its_axes_however_it_lies(degrees: float):
    along, across = turned(degrees)
    mask = (along / 0.4) ** 2 + (across / 0.2) ** 2 < 1
    measures = measure(painted(mask), outlined(mask))
    assert max(measures.asymmetry.shares) < 0.03
    assert measures.diameter == pytest.approx(0.8, abs=0.01)
    # Perimeter of an ellipse by S. Ramanujan, 1914: pi (3 (a + b) - sqrt((3 a + b) (a + 3 b))).
    perimeter = math.pi * (3 * 0.6 - math.sqrt((3 * 0.4 + 0.2) * (0.4 + 3 * 0.2)))
    assert measures.border.irregularity == pytest.approx(perimeter**2 / (4 * math.pi**2 * 0.08), rel=0.03)


def test_the_principal_axes_are_those_of_the_ellipse():
    along, across = turned(30)
    axes = principal_axes((along / 0.4) ** 2 + ((across - 0.05) / 0.2) ** 2 < 1)
    assert math.degrees(axes.angle) == pytest.approx(30, abs=0.5)
    assert (axes.x / SIDE - 0.5, axes.y / SIDE - 0.5) == pytest.approx(
        (-0.05 * math.sin(math.radians(30)), 0.05 * math.cos(math.radians(30))), abs=0.002
    )


@pytest.mark.parametrize("degrees", [0, 40])
def test_a_half_disc_is_asymmetric_about_the_axis_along_its_chord(degrees: float):
    mask = half_disc(degrees)
    centre = 4 / (3 * math.pi)  # of a half disc of radius 1, from the chord
    shared, _ = integrate.quad(lambda y: 2 * math.sqrt(1 - y * y), centre, 2 * centre)
    expected = 1 - 2 * shared / (math.pi / 2)
    asymmetry = measure(painted(mask), outlined(mask)).asymmetry
    assert asymmetry.shares[0] == pytest.approx(expected, abs=0.02)
    assert asymmetry.shares[1] < 0.02
    assert asymmetry.score == 1


def test_a_triangle_of_unequal_sides_scores_two():
    mask = (X > -0.3) & (Y > -0.2) & ((X + 0.3) / 0.7 + (Y + 0.2) / 0.5 < 1)
    assert measure(painted(mask), outlined(mask)).asymmetry.score == 2


def test_a_notch_makes_the_border_irregular():
    mask = disc(SIDE, 0.3)
    notched = mask & ~((np.abs(X) < 0.02) & (Y > 0))
    before, after = (measure(painted(shape), outlined(shape)).border.irregularity for shape in (mask, notched))
    # The notch adds its two sides, 0.3 each, and takes 0.04 x 0.3 of the area.
    expected = (2 * math.pi * 0.3 + 0.6) ** 2 / (4 * math.pi * (math.pi * 0.09 - 0.012))
    assert after == pytest.approx(expected, rel=0.04)
    assert after > before + 0.5


def test_a_sharp_edge_ends_abruptly_in_all_segments_and_a_fading_one_in_none():
    mask = disc(SIDE, 0.3)
    share = np.clip((0.4 - np.hypot(X, Y)) / 0.2, 0, 1)[:, :, None]
    faded = np.rint(share * np.array(BROWN) + (1 - share) * SKIN).astype(np.uint8)
    assert measure(painted(mask), outlined(mask)).border.abrupt_segments == 8
    assert measure(faded, outlined(mask)).border.abrupt_segments == 0


def test_an_edge_that_is_sharp_on_one_side_ends_abruptly_in_half_the_segments():
    along, across = turned(0)
    mask = (along / 0.36) ** 2 + (across / 0.3) ** 2 < 1
    distance = np.hypot(along / 0.36, across / 0.3) * 0.33
    share = np.clip((0.43 - distance) / 0.2, 0, 1)[:, :, None]
    faded = np.rint(share * np.array(BROWN) + (1 - share) * SKIN).astype(np.uint8)
    square = np.where((across > 0)[:, :, None], painted(mask), faded)
    assert measure(square, outlined(mask)).border.abrupt_segments == 4


def test_a_lesion_as_light_as_the_skin_has_no_abrupt_border():
    mask = disc(SIDE, 0.3)
    assert measure(painted(mask, (230, 188, 170)), outlined(mask)).border.abrupt_segments == 0


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ((250, 248, 246), "white"),
        ((200, 60, 70), "red"),
        ((175, 125, 85), "light_brown"),
        ((100, 60, 35), "dark_brown"),
        ((95, 105, 125), "blue_grey"),
        ((20, 15, 15), "black"),
    ],
)
def test_each_of_the_six_colours_is_told(colour: tuple[int, int, int], name: str):
    colours = colours_of(np.array([colour] * 10, np.uint8), SKIN)
    assert colours.shares == {known: float(known == name) for known in COLOURS}
    assert colours.count == 1


def test_a_lesion_of_two_colours_has_their_shares():
    mask = disc(SIDE, 0.3)
    square = painted(mask, (20, 15, 15))
    square[mask & (X < 0)] = (200, 60, 70)
    colours = measure(square, outlined(mask)).colours
    assert colours.count == 2
    assert colours.shares["black"] == pytest.approx(0.5, abs=0.04)
    assert colours.shares["red"] == pytest.approx(0.5, abs=0.04)


def test_skin_in_the_outline_is_no_colour():
    mask = disc(SIDE, 0.3)
    square = painted(mask & (X < 0))
    colours = measure(square, outlined(mask)).colours
    assert sum(colours.shares.values()) == pytest.approx(0.5, abs=0.04)


def test_a_colour_on_less_than_a_twentieth_is_not_counted():
    pixels = np.array([(175, 125, 85)] * 96 + [(20, 15, 15)] * 4, np.uint8)
    colours = colours_of(pixels, SKIN)
    assert colours.count == 1
    assert colours.shares["black"] == pytest.approx(0.04)


@pytest.mark.parametrize("gains", [(1.0, 0.8, 1.0), (0.95, 0.9, 1.1), (1.0, 1.0, 0.7)])
def test_colours_stay_the_same_under_another_lamp(gains: tuple[float, float, float]):
    from dermalens.core.srgb import encoded, linear_light

    pixels = np.array([(175, 125, 85), (200, 60, 70), (95, 105, 125), (20, 15, 15)], np.uint8)
    lit, skin = (encoded(linear_light(colours) * gains) for colours in (pixels, SKIN))
    assert colours_of(lit, skin).shares == colours_of(pixels, SKIN).shares


def test_the_diameter_is_in_millimetres_only_with_a_scale():
    mask = disc(SIDE, 0.25)
    measures = measure(painted(mask), outlined(mask), scale_mm=12)
    assert measures.diameter_mm == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize("scale", [0, -1, math.nan, math.inf])
def test_a_scale_that_is_none_is_refused(scale: float):
    mask = disc(SIDE, 0.25)
    with pytest.raises(DermaLensError, match="length of the side of the square"):
        measure(painted(mask), outlined(mask), scale_mm=scale)


def test_the_diameter_is_the_longest_distance_of_any_two_points():
    assert feret_diameter(np.array([(0.0, 0.0), (3.0, 0.0), (3.0, 4.0), (0.0, 4.0)])) == 5


def test_a_lesion_over_the_whole_square_is_measured_as_a_part():
    mask = np.ones((SIDE, SIDE), bool)
    measures = measure(painted(mask), outlined(mask))
    assert measures.is_partial
    assert measures.diameter == pytest.approx(math.sqrt(2), abs=0.02)
    assert measures.border.abrupt_segments == 0


def test_a_thin_streak_is_measured():
    mask = (np.abs(Y) < 0.012) & (np.abs(X) < 0.45)
    measures = measure(painted(mask), outlined(mask))
    assert measures.diameter == pytest.approx(0.9, abs=0.03)
    assert sum(measures.colours.shares.values()) > 0


def test_the_dictionary_is_json():
    mask = disc(SIDE, 0.3)
    content = json.loads(json.dumps(measure(painted(mask), outlined(mask), scale_mm=10).as_dict()))
    assert set(content) == {"asymmetry", "border", "colours", "diameter", "diameter_mm", "is_partial"}
    assert set(content["asymmetry"]) == {"score", "shares"}
    assert set(content["border"]) == {"irregularity", "abrupt_segments"}
    assert set(content["colours"]) == {"count", "shares"}
    assert set(content["colours"]["shares"]) == set(COLOURS)
