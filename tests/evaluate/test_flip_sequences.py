"""Sequences of small changes: what each step does to a picture."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from dermalens.core.errors import DataError
from dermalens.evaluate import flip_sequences
from dermalens.evaluate.flip_sequences import PERTURBATIONS, SHIFT, STEPS, sequence


def pattern(side: int = 100) -> np.ndarray:
    """A smooth picture without any symmetry."""
    y, x = np.mgrid[:side, :side] / side
    planes = (100 + 80 * x, 90 + 70 * y * x, 120 + 60 * np.sin(4 * x + 2 * y))
    return np.stack(planes, axis=-1).astype(np.uint8)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_sequence_begins_with_the_square_and_moves_away_in_small_steps(name: str) -> None:
    frames = sequence(pattern(), name).astype(float)
    assert frames.shape == (STEPS + 1, 100, 100, 3)
    assert np.array_equal(frames[0], pattern())
    away = [np.abs(frame - frames[0]).mean() for frame in frames]
    steps = [np.abs(after - before).mean() for before, after in pairwise(frames)]
    assert away == sorted(away)
    assert min(steps) > 0
    assert max(steps) < 4  # grey levels: hardly to be seen


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_step_zero_is_the_square_itself(name: str) -> None:
    assert np.array_equal(PERTURBATIONS[name](pattern(), 0), pattern())


def test_a_translation_moves_to_the_right_by_its_share_of_the_side() -> None:
    pixels = pattern(200)
    moved = flip_sequences.shifted(pixels, 4)  # four pixels
    assert SHIFT * 200 == 1
    assert np.array_equal(moved[:, 4:], pixels[:, :-4])


def test_a_rotation_turns_counter_clockwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flip_sequences, "TURN_DEGREES", 90.0)
    difference = flip_sequences.turned(pattern(), 1).astype(int) - np.rot90(pattern()).astype(int)
    assert np.abs(difference).max() <= 1


def test_a_zoom_enlarges_about_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flip_sequences, "ZOOM", 2.0)
    zoomed = flip_sequences.zoomed(pattern(), 1).reshape(50, 2, 50, 2, 3).mean(axis=(1, 3))
    assert np.abs(zoomed - pattern()[25:75, 25:75]).max() < 3


def test_brightness_grows_in_light_by_a_small_share_of_a_stop() -> None:
    grey = np.full((8, 8, 3), 188, dtype=np.uint8)  # half the light
    assert flip_sequences.brightened(grey, STEPS)[0, 0, 0] == pytest.approx(188 * 2 ** (STEPS * 0.04 / 2.4), abs=2)


def test_a_perturbation_that_there_is_not_is_refused() -> None:
    with pytest.raises(DataError, match="'tilt' is unknown; choose among rotation, translation, brightness, zoom"):
        sequence(pattern(), "tilt")
