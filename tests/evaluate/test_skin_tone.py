"""Skin tone of drawn squares whose skin has a known colour."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermalens.core.spec import Median, PreprocessSpec
from dermalens.core.srgb import cielab
from dermalens.data.index import Row
from dermalens.evaluate import skin_tone as tone

SIDE = 120
SKIN = (200, 155, 120)


def square(skin: tuple[int, int, int] = SKIN) -> np.ndarray:
    """Skin of one colour with a dark lesion in the middle."""
    pixels = np.full((SIDE, SIDE, 3), skin, dtype=np.uint8)
    pixels[lesion()] = (80, 50, 40)
    return pixels


def lesion() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return (y - SIDE / 2) ** 2 + (x - SIDE / 2) ** 2 < (SIDE / 4) ** 2


def test_the_angle_is_the_arc_tangent_in_degrees() -> None:
    assert tone.typology_angle(np.array([50 + 10 * math.tan(math.radians(33)), 9.0, 10.0])) == pytest.approx(33)
    assert tone.typology_angle(np.array([40.0, 9.0, 10.0])) == pytest.approx(-45)


@pytest.mark.parametrize(
    ("angle", "name"),
    [(55.01, "very light"), (55, "light"), (41, "intermediate"), (28, "tan"), (10, "brown"), (-30, "dark")],
)
def test_a_class_begins_above_its_limit(angle: float, name: str) -> None:
    assert tone.tone_of(angle) == name
    assert tone.tone_of(-90.0) == "dark"


def test_without_an_outline_the_frame_gives_the_colour_of_the_skin() -> None:
    expected = cielab(np.array(SKIN, dtype=np.uint8))
    assert tone.skin_colour(square()) == pytest.approx(expected)
    assert tone.skin_tone(square()) == tone.tone_of(tone.typology_angle(expected)) == "intermediate"


def test_dark_corners_hairs_and_glare_are_not_skin() -> None:
    pixels = square()
    y, x = np.mgrid[:SIDE, :SIDE]
    pixels[np.hypot(y - SIDE / 2, x - SIDE / 2) > 0.52 * SIDE] = 5
    pixels[:, ::5] = (60, 45, 40)
    pixels[:4, 40:60] = 255
    assert tone.skin_colour(pixels) == pytest.approx(cielab(np.array(SKIN, dtype=np.uint8)))


def test_with_an_outline_all_skin_counts_but_not_the_soft_edge_of_the_lesion() -> None:
    pixels = square()
    near = np.hypot(*(np.mgrid[:SIDE, :SIDE] - SIDE / 2)) < SIDE / 4 + 3
    pixels[near & ~lesion()] = (215, 160, 150)
    inner = np.zeros((SIDE, SIDE), dtype=bool)
    inner[12:-12, 12:-12] = True
    only_here = np.where(inner[..., None], pixels, np.uint8(0))
    assert tone.skin_colour(only_here, lesion()) == pytest.approx(cielab(np.array(SKIN, dtype=np.uint8)))
    assert np.isnan(tone.skin_colour(only_here)).all()  # the frame is black


def test_a_picture_that_is_all_lesion_has_no_skin() -> None:
    assert tone.skin_tone(square(), np.ones((SIDE, SIDE), dtype=bool)) == tone.UNKNOWN


def test_a_picture_that_is_all_white_or_black_has_no_skin() -> None:
    for value in (0, 255):
        assert tone.skin_tone(np.full((SIDE, SIDE, 3), value, dtype=np.uint8)) == tone.UNKNOWN


def test_bluish_skin_has_no_angle_rather_than_a_dark_one() -> None:
    colour = tone.skin_colour(square((190, 170, 205)))
    assert colour[2] < 0
    assert math.isnan(tone.typology_angle(colour))
    assert tone.skin_tone(square((190, 170, 205))) == tone.NO_ANGLE


def test_darker_skin_has_a_smaller_angle() -> None:
    colours = [(240, 215, 195), (215, 180, 150), (170, 125, 90), (110, 75, 50), (75, 48, 30)]
    angles = [tone.typology_angle(tone.skin_colour(square(colour))) for colour in colours]
    assert angles == sorted(angles, reverse=True)
    assert tone.skin_tone(square(colours[0])) == "very light"
    assert tone.skin_tone(square(colours[-1])) == "dark"


def test_the_answer_does_not_depend_on_the_side() -> None:
    large = np.asarray(Image.fromarray(square()).resize((480, 480)))
    assert tone.skin_tone(large) == tone.skin_tone(square())


def test_rows_are_read_without_the_cleaning_steps(tmp_path: Path) -> None:
    Image.fromarray(square()).save(tmp_path / "a.png")
    rows = [Row("a", str(tmp_path / "a.png"), "nv", "l1")]
    spec = PreprocessSpec(side_pixels=SIDE, clean=[Median()])
    seen: list[np.ndarray] = []
    done: list[int] = []

    def outline(pixels: np.ndarray) -> np.ndarray:
        seen.append(pixels)
        return lesion()

    tones = tone.tones_of(rows, spec, outline=outline, advance=done.append)
    assert tones == ["intermediate"]
    assert np.array_equal(seen[0], square())
    assert done == [1]


def test_the_reason_for_describing_only_names_camera_target_and_data() -> None:
    for word in ("colorimeter", "calibration target", "white balance", "polarisation", "HAM10000"):
        assert word in tone.DESCRIPTIVE_ONLY
