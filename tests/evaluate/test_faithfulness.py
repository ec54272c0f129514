"""Faithfulness of heat maps: a bundle that looks at one place, and masks worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermalens.core.errors import DataError
from dermalens.data.index import Row
from dermalens.evaluate.faithfulness import FaithfulnessSettings, faithfulness, inside, lies_inside
from dermalens.evaluate.perturbation import mean_colour
from dermalens.predict.classifier import Classifier, load
from dermalens.predict.session import Outputs
from tests.tiny_bundle import SIDE, write_tiny_bundle

SPOT = (slice(16, 32), slice(40, 56))
"""Rows and columns of the square that the session below looks at."""


class LooksAtOneSpot:
    """A session for which an image is a melanoma as far as the spot is dark; its heat map is the spot."""

    def __init__(self, heat_at: tuple[int, int]) -> None:
        self.heat_at = heat_at

    def run(self, pixels):
        logits = np.zeros((len(pixels), 7), dtype=np.float32)
        logits[:, 4] = 8 - pixels[:, SPOT[0], SPOT[1]].mean(axis=(1, 2, 3)) / 20
        heatmaps = np.zeros((len(pixels), 7, 8, 8), dtype=np.float32)
        row, column = self.heat_at
        heatmaps[:, :, row : row + 2, column : column + 2] = 1
        return Outputs(logits, np.zeros((len(pixels), 3), dtype=np.float32), heatmaps)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Six bright pictures with a dark spot, of three lesions."""
    folder = tmp_path_factory.mktemp("spots")
    rows = []
    for number in range(6):
        pixels = np.full((SIDE, SIDE, 3), 200 + number, dtype=np.uint8)
        pixels[SPOT] = 20
        Image.fromarray(pixels).save(folder / f"{number}.png")
        rows.append(Row(str(number), str(folder / f"{number}.png"), "mel", f"lesion_{number % 3}"))
    return rows


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    folder = tmp_path_factory.mktemp("bundle") / "tiny"
    write_tiny_bundle(folder)
    return load(folder)


def looking_at(loaded: Classifier, row: int, column: int) -> Classifier:
    return replace(loaded, sessions=(LooksAtOneSpot((row, column)),))


def spot_mask(_: Row) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[SPOT] = True
    return mask


def test_a_heat_map_on_what_counts_beats_a_random_one(loaded: Classifier, rows: list[Row]):
    settings = FaithfulnessSettings(baseline=mean_colour, draws=50)
    done: list[int] = []
    found = faithfulness(looking_at(loaded, 2, 5), rows, settings=settings, advance=done.append)
    assert found.deletion.value is not None
    assert found.deletion_gain.low is not None
    assert found.insertion_gain.low is not None
    assert found.deletion_gain.low > 0.1
    assert found.insertion_gain.low > 0.1
    assert found.deletion.n == 6
    assert sum(done) == 6


def test_a_heat_map_beside_what_counts_does_not(loaded: Classifier, rows: list[Row]):
    settings = FaithfulnessSettings(baseline=mean_colour, draws=50)
    found = faithfulness(looking_at(loaded, 6, 0), rows, settings=settings)
    assert found.deletion_gain.low is not None
    assert found.insertion_gain.low is not None
    assert found.deletion_gain.low < 0
    assert found.insertion_gain.low < 0


def test_gains_are_the_differences_of_the_areas_and_follow_from_the_seed(loaded: Classifier, rows: list[Row]):
    settings = FaithfulnessSettings(draws=10, steps=4)
    found = faithfulness(looking_at(loaded, 2, 5), rows, settings=settings)
    areas = [found.deletion, found.deletion_random, found.insertion, found.insertion_random]
    deletion, deletion_random, insertion, insertion_random = (area.value or math.nan for area in areas)
    assert found.deletion_gain.value == pytest.approx(deletion_random - deletion)
    assert found.insertion_gain.value == pytest.approx(insertion - insertion_random)
    assert faithfulness(looking_at(loaded, 2, 5), rows, settings=settings) == found


def test_the_share_of_the_heat_on_the_lesion_is_worked_out_by_hand():
    heat = np.array([[1, 3], [0, 4]], dtype=np.float32)
    mask = np.array([[False, True], [True, False]])
    assert lies_inside(heat, mask) == (3 / 8, 0.5, 0.0)
    assert lies_inside(heat, ~mask) == (5 / 8, 0.5, 1.0)


def test_no_heat_and_no_lesion_are_undefined():
    heat, mask = np.ones((2, 2), dtype=np.float32), np.ones((2, 2), dtype=bool)
    assert all(map(math.isnan, lies_inside(np.zeros_like(heat), mask)))
    assert all(map(math.isnan, lies_inside(heat, np.zeros_like(mask))))


def test_heat_on_the_lesion_is_told_from_heat_beside_it(loaded: Classifier, rows: list[Row]):
    settings = FaithfulnessSettings(draws=20)
    on = inside(looking_at(loaded, 2, 5), rows, spot_mask, settings=settings)
    beside = inside(looking_at(loaded, 6, 0), rows, spot_mask, settings=settings)
    assert on.lesion_share.value == pytest.approx(1 / 16)
    assert (on.pointing.value, beside.pointing.value) == (1, 0)
    assert on.mass.value is not None
    assert on.mass.value > 0.75
    assert beside.mass.value == pytest.approx(0, abs=1e-3)
    assert beside.mass_gain.value == pytest.approx(-1 / 16, abs=1e-3)
    assert on.mass.n == 6


def test_images_without_a_mask_do_not_count(loaded: Classifier, rows: list[Row]):
    def some(row: Row) -> np.ndarray:
        return spot_mask(row) if row.image_id in "12" else np.zeros((SIDE, SIDE), dtype=bool)

    found = inside(looking_at(loaded, 2, 5), rows, some, settings=FaithfulnessSettings(draws=20))
    assert (found.pointing.value, found.pointing.n) == (1, 2)


def test_no_rows_and_a_missing_image_are_refused(loaded: Classifier, tmp_path: Path):
    with pytest.raises(DataError, match="no images to explain"):
        faithfulness(loaded, [])
    with pytest.raises(DataError, match="Image gone"):
        inside(loaded, [Row("gone", str(tmp_path / "gone.png"), "nv", "a")], spot_mask)
