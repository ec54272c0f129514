from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from dermalens.predict.quality import assess
from dermalens.predict.quality_measures import measure, sharpness
from tests.tiny_bundle import lesion

SKIN = (205, 160, 140)


def square_of(picture):
    return np.asarray(picture.resize((64, 64)))


def drawn(side=224):
    """A brown lesion with a net of darker lines on skin with some grain, sharp."""
    random = np.random.default_rng(1)
    pixels = np.full((side, side, 3), SKIN, dtype=np.float64)
    y, x = np.mgrid[:side, :side] / side - 0.5
    inside = np.hypot(x, y) < 0.28
    pixels[inside] = (120, 75, 55)
    pixels[inside & ((np.sin(60 * x) > 0.7) | (np.sin(60 * y) > 0.7))] -= 30
    return Image.fromarray((pixels + random.normal(0, 3, (side, side, 1))).clip(0, 255).astype(np.uint8))


def hairy(count):
    picture, random = drawn(), np.random.default_rng(2)
    for start, end in random.uniform(-20, 244, (count, 2, 2)):
        ImageDraw.Draw(picture).line([tuple(start), tuple(end)], fill=(45, 32, 28), width=3)
    return picture


def covered(colour, share):
    """The picture with a part of the upper side under a translucent colour."""
    pixels = np.asarray(drawn(), dtype=np.float64).copy()
    pixels[: int(share * 224)] = 0.3 * pixels[: int(share * 224)] + 0.7 * np.array(colour)
    return Image.fromarray(pixels.astype(np.uint8))


def times(factor):
    return Image.fromarray((np.asarray(drawn(), dtype=np.float64) * factor).clip(0, 255).astype(np.uint8))


def through_a_tube():
    """The lesion in a lit field of six tenths of the width, black around it."""
    picture = np.asarray(drawn(), dtype=np.float64)
    y, x = np.mgrid[-1:1:224j, -1:1:224j]
    return Image.fromarray((picture * (np.hypot(x, y) < 0.6)[..., None] * 1.2).clip(0, 255).astype(np.uint8))


def reflecting():
    picture = drawn()
    for x in (40, 110, 180):
        for y in (50, 160):
            ImageDraw.Draw(picture).ellipse((x - 22, y - 22, x + 22, y + 22), fill=(252, 253, 252))
    return picture


def findings(picture, size=(600, 450)):
    return assess(np.asarray(picture), size).findings


def test_a_picture_with_detail_has_no_findings():
    quality = assess(square_of(lesion("nv")), (600, 450))
    assert quality.findings == ()
    assert quality.source_side_pixels == 450
    assert quality.contrast > 2


@pytest.mark.parametrize("side", [64, 96, 112, 192, 224, 299, 380])
def test_a_drawn_lesion_has_no_findings_at_any_side(side):
    assert findings(drawn(side)) == ()


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_blank_picture_cannot_be_judged(grey):
    quality = assess(np.full((64, 64, 3), grey, dtype=np.uint8), (600, 450))
    assert quality.contrast == 0
    assert "without detail" in " ".join(quality.findings)


@pytest.mark.parametrize(("size", "count"), [((63, 500), 1), ((500, 63), 1), ((64, 64), 0)])
def test_fewer_than_64_pixels_cannot_be_judged(size, count):
    assert len(assess(square_of(lesion("nv")), size).findings) == count


@pytest.mark.parametrize(
    ("picture", "found", "advice"),
    [
        (drawn().filter(ImageFilter.GaussianBlur(8)), "is blurred", "hold still"),
        (times(0.1), "too dark", "lamp"),
        (through_a_tube(), "Black covers 6", "Move closer"),
        (times(2.2), "overexposed", "Lower the exposure"),
        (reflecting(), "Reflections cover", "Wipe the lens"),
        (hairy(120), "Hair covers", "Part or trim"),
        (covered((40, 60, 150), 0.6), "strong colour covers", "Wipe the marks off"),
        (covered((90, 40, 140), 0.6), "strong colour covers", "Wipe the marks off"),
        (covered((20, 120, 60), 0.6), "strong colour covers", "Wipe the marks off"),
    ],
    ids=["blurred", "dark", "tube", "bright", "glare", "hair", "blue ink", "violet ink", "green ink"],
)
def test_a_spoilt_picture_gets_one_finding_that_says_what_to_do(picture, found, advice):
    (only,) = findings(picture)
    assert found in only
    assert advice in only


def test_grain_does_not_hide_that_a_picture_is_blurred():
    grain = np.random.default_rng(3).normal(0, 4, (224, 224, 3))
    blurred = np.asarray(drawn().filter(ImageFilter.GaussianBlur(8)))
    assert "is blurred" in findings((blurred + grain).clip(0, 255).astype(np.uint8))[0]


@pytest.mark.parametrize(("factor", "found"), [(0.1, "too dark"), (2.2, "overexposed")])
def test_a_picture_in_wrong_light_is_not_said_to_be_blurred_too(factor, found):
    (only,) = findings(times(factor).filter(ImageFilter.GaussianBlur(8)))
    assert found in only


@pytest.mark.parametrize("count", [0, 10])
def test_a_few_hairs_are_no_reason_to_refuse(count):
    assert findings(hairy(count)) == ()


def test_a_pen_mark_is_no_reason_to_refuse():
    assert findings(covered((90, 40, 140), 0.2)) == ()


@pytest.mark.parametrize(("share", "count"), [(0.9, 1), (1.0, 0)])
def test_a_colour_over_all_of_a_picture_is_no_mark_on_skin(share, count):
    picture = covered((0, 0, 255), share)
    assert measure(np.asarray(picture)).ink_share == pytest.approx(share, abs=0.03)
    assert len(findings(picture)) == count


def test_a_blue_cast_of_the_camera_is_no_ink():
    bluish = np.asarray(drawn(), dtype=np.float64) * (0.6, 0.85, 1.25)
    assert findings(Image.fromarray(bluish.clip(0, 255).astype(np.uint8))) == ()


def test_dark_corners_are_no_reason_to_refuse():
    pixels = np.asarray(drawn()).copy()
    y, x = np.mgrid[:224, :224] - 111.5
    pixels[np.hypot(x, y) > 112] = 0
    assert findings(pixels) == ()
    assert measure(pixels).dark_share == pytest.approx(0, abs=0.02)


def test_shares_are_those_that_were_drawn():
    half_white = np.asarray(drawn()).copy()
    half_white[:, :112] = 255
    assert measure(half_white).bright_share == pytest.approx(0.5, abs=0.01)
    assert measure(np.asarray(covered((40, 60, 150), 0.4))).ink_share == pytest.approx(0.4, abs=0.02)


def test_the_light_of_a_blue_cast_is_the_mean_of_the_brightest_pixels():
    """Written out for all pixels; the green is ink in the light of the picture, the cast is not."""
    pixels = (np.asarray(covered((20, 120, 60), 0.25), dtype=np.float64) * (0.6, 0.85, 1.25)).clip(0, 255)
    small = pixels.astype(np.uint8).reshape(112, 2, 112, 2, 3).astype(int).sum(axis=(1, 3))
    colours = ((small + 2) // 4).reshape(-1, 3)  # rounded as Pillow does
    luminance = colours @ [0.299, 0.587, 0.114]
    y, x = np.mgrid[:112, :112] - 55.5
    within = luminance[(np.hypot(y, x) <= 56).ravel()][::4]
    lamp = colours[luminance >= np.sort(within)[len(within) * 9 // 10] - 1e-3].mean(axis=0)
    red, green, blue = (colours * (lamp[0] / lamp).clip(0.5, 1)).T
    inked = (blue - red > 30) | (green - red > 25) | ((blue - green > 60) & (blue - red > -30))
    assert measure(pixels.astype(np.uint8)).ink_share == pytest.approx(inked.mean(), abs=2e-4)
    assert 0.1 < inked.mean() < 0.5


def test_sharpness_is_the_deviation_of_the_laplacian():
    luminance = np.random.default_rng(4).uniform(0, 255, (112, 112)).astype(np.float32)
    small = luminance.reshape(56, 2, 56, 2).mean(axis=(1, 3))[8:-8, 8:-8]
    laplacian = [
        4 * small[y, x] - small[y - 1, x] - small[y + 1, x] - small[y, x - 1] - small[y, x + 1]
        for y in range(1, 39)
        for x in range(1, 39)
    ]
    assert sharpness(luminance) == pytest.approx(np.std(laplacian), rel=1e-4)


def test_the_quality_of_an_answer_has_every_measure():
    content = assess(np.asarray(drawn()), (600, 450)).as_dict()
    assert list(content) == [
        "source_side_pixels",
        "contrast",
        "sharpness",
        "mean_luminance",
        "dark_share",
        "bright_share",
        "glare_share",
        "hair_share",
        "ink_share",
        "findings",
    ]
    assert content["findings"] == []
