"""The cleaning steps: what each takes out, what it leaves, and where they are applied."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pydantic import ValidationError

from dermalens.core.errors import MissingExtraError, RecipeError
from dermalens.core.spec import (
    EVERY_STEP,
    Background,
    DarkBorder,
    Hair,
    Median,
    PreprocessSpec,
    ShadesOfGrey,
)
from dermalens.data.index import Row
from dermalens.transforms import clean_opencv
from dermalens.transforms.clean import CLEANERS, WITHOUT_OPENCV, check_cleaning, clean
from dermalens.transforms.clean_mask import mask_around
from dermalens.transforms.preprocess import preprocess
from dermalens.transforms.rows import read_square

NOISE_STEPS = EVERY_STEP[:3]
SKIN, LESION, HAIR = (220, 175, 155), (110, 65, 45), (40, 28, 25)


def lesion(side: int = 224) -> Image.Image:
    """A brown disc with a quarter of the side as radius, on skin."""
    picture = Image.new("RGB", (side, side), SKIN)
    ImageDraw.Draw(picture).ellipse((side * 0.25, side * 0.25, side * 0.75, side * 0.75), fill=LESION)
    return picture


def hairy(side: int = 224) -> Image.Image:
    """The lesion under three hairs, 0.013 of the side wide."""
    picture = lesion(side)
    draw = ImageDraw.Draw(picture)
    ends = ((0.05, 0.3, 0.95, 0.5), (0.2, 0.02, 0.35, 0.98), (0.05, 0.9, 0.9, 0.6))
    for line in ends:
        draw.line([side * share for share in line], fill=HAIR, width=max(1, round(0.013 * side)))
    return picture


def in_field(picture: Image.Image) -> Image.Image:
    """The picture through a round field that leaves the corners black."""
    side = picture.width
    field = Image.new("L", picture.size)
    ImageDraw.Draw(field).ellipse((-0.08 * side, -0.08 * side, 1.08 * side, 1.08 * side), fill=255)
    return Image.composite(picture, Image.new("RGB", picture.size, (6, 5, 5)), field)


def pixels(picture: Image.Image):
    return np.array(picture)


def far(first, second) -> float:
    """Mean difference in grey levels."""
    return float(np.abs(np.asarray(first, int) - np.asarray(second, int)).mean())


def needs_opencv(step) -> None:
    if step.step not in WITHOUT_OPENCV:
        pytest.importorskip("cv2")


@pytest.mark.parametrize("step", EVERY_STEP, ids=lambda step: step.step)
def test_every_step_is_pure_and_gives_pixels_of_the_same_form(step):
    needs_opencv(step)
    grain = np.random.default_rng(5).integers(-3, 4, (224, 224, 1))
    square = (pixels(in_field(hairy())) + grain).clip(0, 255).astype(np.uint8)[:, :-24]
    before = square.copy()
    first, second = clean(square, [step]), clean(square, [step])
    assert np.array_equal(square, before)
    assert first is not square
    assert not np.shares_memory(first, square)
    assert (first.shape, first.dtype) == (square.shape, square.dtype)
    assert first.flags.c_contiguous
    assert first.flags.writeable
    assert np.array_equal(first, second)
    assert not np.array_equal(first, square)


@pytest.mark.parametrize("step", EVERY_STEP, ids=lambda step: step.step)
def test_every_step_does_the_same_to_a_small_and_a_large_picture(step):
    needs_opencv(step)
    # Every window grows with the side, and with it the time: of these two with the third and the fourth power.
    large_side, side = {"bilateral": (450, 225), "non_local_means": (320, 160)}.get(step.step, (900, 300))
    large = pixels(in_field(hairy(large_side)))
    small = pixels(Image.fromarray(large).resize((side, side), Image.Resampling.BOX))
    cleaned_first = Image.fromarray(clean(large, [step])).resize((side, side), Image.Resampling.BOX)
    assert far(cleaned_first, clean(small, [step])) < 2.5


@pytest.mark.parametrize("step", EVERY_STEP, ids=lambda step: step.step)
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 0, 0), (181, 140, 122)])
def test_every_step_survives_an_even_picture(step, colour):
    needs_opencv(step)
    even = np.full((64, 64, 3), colour, np.uint8)
    done = clean(even, [step])
    assert len(np.unique(done.reshape(-1, 3), axis=0)) == 1


def test_the_table_has_every_step_of_the_spec():
    assert [step.step for step in EVERY_STEP] == list(CLEANERS)


@pytest.mark.parametrize("step", NOISE_STEPS, ids=lambda step: step.step)
def test_noise_is_lowered_and_the_edge_of_the_lesion_stays(step):
    pytest.importorskip("cv2")
    true = pixels(lesion())
    noisy = (true + np.random.default_rng(1).normal(0, 5, true.shape)).clip(0, 255).astype(np.uint8)
    done = clean(noisy, [step])
    assert far(done[20:40], true[20:40]) < 0.6 * far(noisy[20:40], true[20:40])
    edge = done[112, 50:62].mean(axis=1)  # from skin to lesion at column 56
    assert max(first - second for first, second in pairwise(edge)) > 60


def test_salt_and_pepper_goes_with_the_median():
    pytest.importorskip("cv2")
    true = pixels(lesion())
    struck = true.copy()
    struck[np.random.default_rng(2).random((224, 224)) < 0.03] = 255
    assert far(clean(struck, [Median()]), true) < 0.1 * far(struck, true)


def test_hairs_are_painted_over_and_the_lesion_stays():
    pytest.importorskip("cv2")
    true, covered = pixels(lesion()), pixels(hairy())
    done = clean(covered, [Hair()])
    under = (covered != true).any(axis=2)
    assert far(done[under], true[under]) < 0.15 * far(covered[under], true[under])
    assert far(done[~under], true[~under]) < 0.5


def test_dots_and_short_lines_of_a_lesion_are_no_hairs():
    pytest.importorskip("cv2")
    picture = lesion()
    draw = ImageDraw.Draw(picture)
    for x in range(70, 154, 12):  # a network of meshes of 12 pixels; a hair runs for 22 at least
        for y in range(70, 154, 12):
            draw.ellipse((x, y, x + 4, y + 4), fill=HAIR)
            draw.line((x, y + 8, x + 8, y + 8), fill=HAIR, width=2)
    square = pixels(picture)
    assert np.array_equal(clean(square, [Hair()]), square)


def test_a_fur_that_leaves_nothing_to_paint_from_stays():
    pytest.importorskip("cv2")
    picture = lesion()
    draw = ImageDraw.Draw(picture)
    for start in range(-224, 224, 7):
        draw.line((start, 0, start + 224, 224), fill=HAIR, width=3)
    square = pixels(picture)
    assert np.array_equal(clean(square, [Hair()]), square)


@pytest.mark.parametrize(("fill", "colour"), [("skin", SKIN), ("black", (0, 0, 0))])
def test_dark_corners_are_filled(fill, colour):
    pytest.importorskip("cv2")
    square = pixels(in_field(lesion()))
    assert square[0, 0].max() < 10
    done = clean(square, [DarkBorder(fill=fill)])
    assert np.array_equal(done[[0, 0, -1, -1], [0, -1, 0, -1]], [colour] * 4)
    assert np.array_equal(done[40:-40, 40:-40], square[40:-40, 40:-40])


def test_a_dark_lesion_that_a_hair_ties_to_a_corner_is_no_border():
    pytest.importorskip("cv2")
    picture = in_field(lesion())
    draw = ImageDraw.Draw(picture)
    draw.ellipse((70, 70, 150, 150), fill=(20, 12, 12))
    draw.line((0, 0, 112, 112), fill=(15, 10, 10), width=4)
    square = pixels(picture)
    done = clean(square, [DarkBorder()])
    assert np.array_equal(done[60:160, 60:160], square[60:160, 60:160])
    assert tuple(done[-1, -1]) == SKIN


def test_a_dark_photograph_has_no_border():
    pytest.importorskip("cv2")
    square = np.full((96, 96, 3), 5, np.uint8)
    square[40:56, 40:56] = 200
    assert np.array_equal(clean(square, [DarkBorder()]), square)


def test_the_background_goes_and_the_lesion_with_its_margin_stays():
    pytest.importorskip("cv2")
    picture = in_field(lesion())
    ImageDraw.Draw(picture).ellipse((180, 60, 190, 70), fill=(150, 20, 20))  # a spot far from the lesion
    square = pixels(picture)
    done = clean(square, [Background(margin=0.05, fill="black")])
    y, x = np.mgrid[:224, :224]
    radius = np.hypot(y - 111.5, x - 111.5)
    assert np.array_equal(done[radius < 56 + 5], square[radius < 56 + 5])
    assert not done[radius > 56 + 22].any()


@pytest.mark.parametrize("side", [224, 800])
def test_the_background_of_a_known_lesion_goes(side):
    pytest.importorskip("cv2")
    square, known = pixels(lesion(side)), np.zeros((side, side), bool)
    known[: side // 2, : side // 2] = True
    before = square.copy()
    kept = mask_around(square, known, Background(margin=0.0, fill="black"))
    assert np.array_equal(square, before)
    assert np.array_equal(kept[known], square[known])
    assert not kept[side // 2 + 2 :].any()
    assert np.array_equal(mask_around(square, np.zeros_like(known), Background()), square)


def test_a_mask_of_another_size_is_refused():
    pytest.importorskip("cv2")
    with pytest.raises(ValueError, match="The mask has the shape"):
        mask_around(pixels(lesion()), np.ones((10, 10), bool), Background())


def test_without_a_lesion_the_background_stays():
    pytest.importorskip("cv2")
    square = np.random.default_rng(3).integers(180, 184, (96, 96, 3), dtype=np.uint8)
    square[2:5, 2:5] = 20
    assert np.array_equal(clean(square, [Background()]), square)


@pytest.mark.parametrize("p", [1.0, 6.0, 20.0])
def test_a_coloured_light_is_taken_out(p):
    white = pixels(lesion()).astype(float)
    step = ShadesOfGrey(p=p)
    under_blue = np.rint(white * (0.7, 0.8, 1.0)).astype(np.uint8)
    under_red = np.rint(white * (1.0, 0.75, 0.8)).astype(np.uint8)
    assert far(under_blue, under_red) > 20
    blue, red = (clean(square, [step]).astype(float) for square in (under_blue, under_red))
    assert far(blue / blue.mean() * 100, red / red.mean() * 100) < 1.0


def test_shades_of_grey_is_the_formula_of_the_paper():
    square = np.array([[[100, 50, 200], [200, 150, 100]]], np.uint8)
    light = (((square / 255.0) ** 6).reshape(-1, 3).mean(axis=0)) ** (1 / 6)
    gain = np.sqrt((light**2).sum()) / np.sqrt(3) / light
    assert np.array_equal(clean(square, [ShadesOfGrey()]), np.rint((square * gain).clip(0, 255)).astype(np.uint8))
    grey = np.repeat(np.random.default_rng(4).integers(0, 256, (8, 8, 1), dtype=np.uint8), 3, axis=2)
    assert np.array_equal(clean(grey, [ShadesOfGrey()]), grey)


def test_steps_are_done_in_their_order():
    pytest.importorskip("cv2")
    square = pixels(hairy())
    one_way, other_way = clean(square, [Background(), Hair()]), clean(square, [Hair(), Background()])
    assert np.array_equal(one_way, clean(clean(square, [Background()]), [Hair()]))
    assert not np.array_equal(one_way, other_way)
    assert clean(square, []) is square


def test_training_and_inference_see_the_same_cleaned_square(tmp_path: Path):
    pytest.importorskip("cv2")
    hairy(300).save(tmp_path / "a.png")
    spec = PreprocessSpec(side_pixels=128, clean=list(EVERY_STEP))
    plain = preprocess(hairy(300), PreprocessSpec(side_pixels=128))
    square = preprocess(hairy(300), spec)
    assert np.array_equal(square, clean(plain, EVERY_STEP))
    assert np.array_equal(square, read_square(Row("a", str(tmp_path / "a.png"), "nv", "L"), spec))
    assert not np.array_equal(square, plain)


@pytest.fixture
def no_opencv(monkeypatch):
    """`import cv2` fails; what was found out before is forgotten, then and afterwards."""
    monkeypatch.setitem(sys.modules, "cv2", None)
    clean_opencv.check_opencv.cache_clear()
    yield
    clean_opencv.check_opencv.cache_clear()


@pytest.mark.parametrize("step", EVERY_STEP[:-1], ids=lambda step: step.step)
def test_without_opencv_a_step_says_what_to_install(no_opencv, step):
    message = rf"The cleaning step {step.step} needs an optional part: pip install 'dermalens\[clean\]'"
    with pytest.raises(MissingExtraError, match=message):
        clean(pixels(lesion(64)), [step])
    with pytest.raises(MissingExtraError, match=message):
        check_cleaning([ShadesOfGrey(), step])


def test_colour_constancy_and_plain_preprocessing_need_no_opencv(no_opencv):
    check_cleaning([ShadesOfGrey()])
    assert clean(pixels(lesion(64)), [ShadesOfGrey()]).shape == (64, 64, 3)
    assert preprocess(lesion(64), PreprocessSpec(side_pixels=32)).shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ({"step": "hairs"}, "'hairs' found using 'step' does not match any of the expected tags: 'median'"),
        ({"window": 0.1}, "Unable to extract tag using discriminator 'step'"),
        ({"step": "hair", "length": 0}, "greater than 0"),
        ({"step": "median", "window": 0.5}, "less than or equal to 0.1"),
        ({"step": "shades_of_grey", "p": 0.5}, "greater than or equal to 1"),
        ({"step": "shades_of_grey", "p": "6"}, "valid number"),
        ({"step": "background", "fill": "white"}, "'skin' or 'black'"),
        ({"step": "median", "size": 3}, "Extra inputs are not permitted"),
    ],
)
def test_an_unknown_step_or_a_parameter_out_of_range_is_refused(step, problem):
    with pytest.raises(ValidationError, match=problem):
        PreprocessSpec.model_validate({"side_pixels": 64, "clean": [step]})


def test_a_spec_without_cleaning_reads_as_before_and_one_with_it_comes_back():
    old = PreprocessSpec.model_validate_json('{"side_pixels": 224, "crop": "centre", "interpolation": "bicubic"}')
    assert old.clean == []
    spec = PreprocessSpec(side_pixels=64, clean=list(EVERY_STEP))
    assert PreprocessSpec.model_validate_json(spec.model_dump_json()) == spec


def test_a_recipe_takes_cleaning_steps_and_names_a_wrong_one():
    from dermalens.train.recipe import read_recipe

    smoke = Path(__file__).parents[2] / "recipes" / "smoke.toml"
    recipe = read_recipe(smoke, ['preprocess.clean=[{step = "hair"}, {step = "shades_of_grey", p = 4}]'])
    assert recipe.preprocess.clean == [Hair(), ShadesOfGrey(p=4)]
    with pytest.raises(RecipeError, match=r"preprocess\.clean\.0: .*'hiar'.*'hair'"):
        read_recipe(smoke, ['preprocess.clean=[{step = "hiar"}]'])
    with pytest.raises(RecipeError, match=r"preprocess\.clean\.0\.hair\.width.*given 2"):
        read_recipe(smoke, ['preprocess.clean=[{step = "hair", width = 2}]'])
