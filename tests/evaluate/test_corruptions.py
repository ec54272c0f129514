"""Every corruption keeps to its contract: pure, repeatable, of the same form, and worse from severity to severity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermalens.core.errors import DataError
from dermalens.evaluate.corruptions import CORRUPTIONS, corrupt
from dermalens.evaluate.corruptions_blur import DEFOCUS, ZOOM
from dermalens.evaluate.corruptions_digital import PIXELATE
from dermalens.evaluate.corruptions_noise import GAUSSIAN, IMPULSE, SHOT, SPECKLE
from dermalens.evaluate.severity import SEVERITIES
from tests.tiny_bundle import lesion

DRAWN = Path(__file__).parents[2] / "docs/examples/drawn_irregular.jpg"


def drawn(side: int = 96) -> np.ndarray:
    with Image.open(DRAWN) as picture:
        return np.array(picture.convert("RGB").resize((side, side), box=(75, 0, 525, 450)))


def at(family: str, severity: int, pixels: np.ndarray, seed: int = 0) -> np.ndarray:
    return corrupt(pixels, family, severity, np.random.default_rng(seed))


def change(family: str, severity: int, pixels: np.ndarray, seed: int = 0) -> float:
    return float(np.abs(at(family, severity, pixels, seed).astype(float) - pixels).mean())


def test_the_families_of_the_issue_are_there() -> None:
    assert len(CORRUPTIONS) == 16


@pytest.mark.parametrize("family", CORRUPTIONS)
def test_a_corruption_changes_a_copy_and_keeps_its_form(family: str) -> None:
    pixels = drawn(97)
    before = pixels.copy()
    pixels.setflags(write=False)
    for severity in SEVERITIES:
        result = at(family, severity, pixels)
        assert (result.shape, str(result.dtype), result.flags.c_contiguous) == (pixels.shape, "uint8", True)
        assert not np.array_equal(result, pixels)
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("family", CORRUPTIONS)
def test_the_same_generator_gives_the_same_square(family: str) -> None:
    assert np.array_equal(at(family, 3, drawn(), seed=5), at(family, 3, drawn(), seed=5))


@pytest.mark.parametrize("family", CORRUPTIONS)
@pytest.mark.parametrize("seed", [0, 1])
def test_each_severity_changes_more_than_the_one_before(family: str, seed: int) -> None:
    changes = [change(family, severity, drawn(), seed) for severity in SEVERITIES]
    assert changes == sorted(changes)
    assert len(set(changes)) == len(SEVERITIES)
    assert changes[0] > 0.1
    assert changes[-1] < 110


@pytest.mark.parametrize("family", [name for name in CORRUPTIONS if name not in ("jpeg", "pixelate")])
def test_a_severity_is_about_as_strong_at_any_side(family: str) -> None:
    small, large = (np.mean([change(family, 4, drawn(side), seed) for seed in range(3)]) for side in (96, 240))
    assert 0.6 < large / small < 1.6


@pytest.mark.parametrize("family", ["shot_noise", "gaussian_noise", "motion_blur", "dark_corners", "hair", "bubbles"])
def test_another_generator_gives_another_square(family: str) -> None:
    assert not np.array_equal(at(family, 3, drawn(), seed=1), at(family, 3, drawn(), seed=2))


@pytest.mark.parametrize("severity", [0, 6, -1])
@pytest.mark.parametrize("family", ["gaussian_noise", "jpeg", "ruler"])
def test_a_severity_that_there_is_not_is_refused(family: str, severity: int) -> None:
    with pytest.raises(DataError, match=f"Severity {severity} given; .* 1 .* to 5"):
        at(family, severity, drawn())


def test_a_family_that_there_is_not_is_refused_with_the_names_of_those_there_are() -> None:
    with pytest.raises(DataError, match="'snow' is unknown; choose among gaussian_noise, .*bubbles"):
        at("snow", 1, drawn())


def grey(value: int = 128, side: int = 200) -> np.ndarray:
    return np.full((side, side, 3), value, dtype=np.uint8)


@pytest.mark.parametrize("severity", [1, 3])
def test_gaussian_and_speckle_noise_have_the_deviation_of_their_tables(severity: int) -> None:
    gaussian, speckle = (at(name, severity, grey()).std() for name in ("gaussian_noise", "speckle_noise"))
    assert gaussian == pytest.approx(255 * GAUSSIAN[severity - 1], rel=0.02)
    assert speckle == pytest.approx(128 * SPECKLE[severity - 1], rel=0.02)


def test_shot_noise_keeps_the_mean_and_has_the_variance_of_photons() -> None:
    noisy = at("shot_noise", 2, grey(100)).astype(float)
    assert noisy.mean() == pytest.approx(100, abs=0.3)
    assert noisy.std() == pytest.approx(255 * np.sqrt(100 / 255 / SHOT[1]), rel=0.02)


def test_impulse_noise_touches_its_share_of_the_values_half_black_half_white() -> None:
    noisy = at("impulse_noise", 5, grey())
    assert np.mean(noisy != 128) == pytest.approx(IMPULSE[-1], rel=0.05)
    assert np.mean(noisy == 255) == pytest.approx(np.mean(noisy == 0), rel=0.05)


@pytest.mark.parametrize("family", ["defocus_blur", "motion_blur", "zoom_blur", "contrast", "pixelate", "jpeg"])
def test_an_even_surface_stays_even_where_only_detail_is_lost(family: str) -> None:
    assert np.abs(at(family, 5, grey()).astype(int) - 128).max() <= 1


def test_defocus_spreads_an_edge_over_the_diameter_of_its_disc() -> None:
    edge = grey(0)
    edge[:, 100:] = 200
    row = at("defocus_blur", 4, edge)[100, :, 0]
    between = np.flatnonzero((row > 0) & (row < 200))
    assert between.mean() == pytest.approx(99.5)
    assert 2 * DEFOCUS[3] * 200 - 2 <= len(between) <= 2 * DEFOCUS[3] * 200 + 2


def test_zoom_blur_leaves_the_middle_and_smears_the_edge() -> None:
    pixels = grey(50)
    pixels[97:103] = 200
    pixels[:6] = 200
    blurred = at("zoom_blur", 5, pixels)[:, 100, 0]
    assert blurred[99] > 190
    assert blurred[:6].mean() < 100
    assert ZOOM[-1] > 1


def test_exposure_is_counted_in_stops_of_light() -> None:
    assert at("darker", 2, grey(188))[0, 0, 0] == pytest.approx(137, abs=1)  # half the light: 0.5 to 0.25
    assert at("brighter", 5, grey(200)).min() == 255


def test_pixelate_leaves_as_many_colours_as_it_has_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    assert len(np.unique(at("pixelate", 5, pixels).reshape(-1, 3), axis=0)) <= round(100 * PIXELATE[-1]) ** 2


def test_dark_corners_are_black_and_leave_the_middle_as_it_is() -> None:
    pixels = np.asarray(lesion("nv", (160, 160)))
    for severity in (3, 5):
        dark = at("dark_corners", severity, pixels)
        assert dark[0, 0].max() < 15
        assert dark[-1, -1].max() < 15
        assert np.array_equal(dark[70:90, 70:90], pixels[70:90, 70:90])


@pytest.mark.parametrize("family", ["hair", "ruler"])
def test_what_is_drawn_leaves_every_other_pixel_exactly_as_it_is(family: str) -> None:
    pixels = np.random.default_rng(1).integers(100, 256, (120, 120, 3), dtype=np.uint8)
    result = at(family, 1, pixels)
    touched = (result != pixels).any(axis=2)
    assert 0.001 < touched.mean() < 0.1
    assert result[touched].mean() < pixels[touched].mean()


def test_a_ruler_lies_along_the_edges_only() -> None:
    result = at("ruler", 5, grey(200))
    assert np.array_equal(result[40:-40, 40:-40], grey(200)[40:-40, 40:-40])
    assert all((edge < 60).any() for edge in (result[:6], result[-6:], result[:, :6], result[:, -6:]))


def test_bubbles_have_bright_and_dark_rims() -> None:
    result = at("bubbles", 5, grey(150)).astype(int)
    assert result.max() > 220
    assert result.min() < 130
