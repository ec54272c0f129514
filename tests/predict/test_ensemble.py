from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from dermalens.core.bundle import Logistic, View
from dermalens.predict.ensemble import combined, heat_shares, run_members, run_views, turned, turned_back
from dermalens.predict.session import Outputs

VIEWS = get_args(View)


class Corner:
    """A fake session that looks at the upper left corner only; its heat map is the red channel."""

    def __init__(self, *, step: int = 1, gain: float = 1.0) -> None:
        self.step, self.gain = step, gain

    def run(self, pixels):
        corner = pixels[:, 0, 0, :].astype(np.float32) * self.gain
        heatmaps = np.repeat(pixels[:, None, :: self.step, :: self.step, 0], 3, axis=1).astype(np.float32)
        return Outputs(corner, corner[:, :1], heatmaps * self.gain)


@pytest.fixture
def squares():
    return np.random.default_rng(3).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)


def test_a_turn_is_counter_clockwise_and_a_flip_comes_first():
    square = np.arange(4, dtype=np.uint8).reshape(1, 2, 2, 1).repeat(3, axis=3)
    assert turned(square, "turn_90")[0, :, :, 0].tolist() == [[1, 3], [0, 2]]
    assert turned(square, "flip")[0, :, :, 0].tolist() == [[1, 0], [3, 2]]
    assert turned(square, "flip_90")[0, :, :, 0].tolist() == [[0, 2], [1, 3]]


def test_the_eight_views_are_eight_different_pictures(squares):
    assert len({turned(squares, view).tobytes() for view in VIEWS}) == 8


@pytest.mark.parametrize("view", VIEWS)
def test_a_heat_map_of_a_view_is_turned_back(view, squares):
    seen = turned(squares, view).transpose(0, 3, 1, 2).astype(np.float32)
    assert np.array_equal(turned_back(seen, view), squares.transpose(0, 3, 1, 2))


def test_the_identity_alone_is_the_session_itself(squares):
    found, alone = run_views(Corner(), squares, ["identity"]), Corner().run(squares)
    assert np.array_equal(found.logits, alone.logits)
    assert np.array_equal(found.heatmaps, alone.heatmaps)


def test_logits_of_views_are_averaged(squares):
    """Over the eight views each corner comes to the upper left twice."""
    corners = squares[:, [0, 0, -1, -1], [0, -1, 0, -1]].astype(np.float32)
    assert run_views(Corner(), squares, VIEWS).logits == pytest.approx(corners.mean(axis=1), abs=1e-4)


def test_heat_maps_of_views_add_up_in_place(squares):
    found = run_views(Corner(), squares, VIEWS).heatmaps
    assert found == pytest.approx(Corner().run(squares).heatmaps, abs=1e-4)


def test_outputs_stay_float32(squares):
    outputs = run_members([Corner(), Corner(gain=2)], squares, VIEWS)
    assert {part.dtype for part in (outputs.logits, outputs.embedding, outputs.heatmaps)} == {np.dtype(np.float32)}


def test_logits_of_members_are_averaged_and_embeddings_stand_side_by_side(squares):
    outputs = run_members([Corner(), Corner(gain=3)], squares, ["identity"])
    assert outputs.logits == pytest.approx(2 * Corner().run(squares).logits)
    assert outputs.embedding.shape == (2, 2)


def test_a_member_with_large_heat_maps_does_not_drown_the_other(squares):
    once = run_members([Corner(), Corner()], squares, ["identity"]).heatmaps
    loud = run_members([Corner(), Corner(gain=1000)], squares, ["identity"]).heatmaps
    assert loud == pytest.approx(once, abs=1e-4)
    assert once.max() == pytest.approx(1)


def test_heat_maps_of_different_size_are_brought_to_the_larger(squares):
    assert run_members([Corner(step=2), Corner()], squares, ["identity"]).heatmaps.shape == (2, 3, 8, 8)


def test_a_heat_map_of_zeros_stays_one():
    black = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    assert not run_members([Corner(), Corner()], black, ["identity"]).heatmaps.any()


def of_two(first: float, second: float) -> Logistic:
    """Two members, two classes: the stacked malignant logit is first * d1 + second * d2, d the members' differences."""
    return Logistic(weights=[[0, 0, 0, 0], [-first, first, -second, second]], bias=[0, 0.25], n=10)


def test_a_stack_of_two_classes_weighs_the_differences_of_the_members_logits():
    logits = np.array([[[1.0, 3.0]], [[0.5, -0.5]]])
    assert combined(logits, of_two(2, 5)).tolist() == [[0, 2 * 2 + 5 * -1 + 0.25]]


def test_a_constant_added_to_the_logits_of_a_member_changes_no_stack():
    logits = np.random.default_rng(0).normal(size=(2, 5, 2))
    moved = logits + np.array([3.0, -7.0])[:, None, None]
    assert combined(moved, of_two(2, 5)) == pytest.approx(combined(logits, of_two(2, 5)), abs=1e-5)


def test_heat_maps_of_a_stack_count_by_what_raises_the_class():
    assert heat_shares("mean", members=4, classes=2).tolist() == [[0.25] * 4] * 2
    assert heat_shares(of_two(3, 1), members=2, classes=2) == pytest.approx(np.array([[0.75, 0.25]] * 2))
    assert heat_shares(of_two(3, -1), members=2, classes=2).tolist() == [[1, 0]] * 2
    assert heat_shares(of_two(-3, -1), members=2, classes=2).tolist() == [[0.5, 0.5]] * 2


def test_a_stack_runs_its_members_and_shows_the_map_of_the_one_that_counts(squares):
    sides = Logistic(weights=[[0.0] * 6, [0.0] * 6, [0, 0, 0, 0, 0, 2.0]], bias=[0, 0, 1], n=10)
    found = run_members([Corner(), Corner(step=2, gain=3)], squares, ["identity"], sides)
    second = Corner(step=2, gain=3).run(squares)
    assert found.logits[:, 2] == pytest.approx(1 + 2 * (second.logits[:, 2] - second.logits.mean(axis=1)), rel=1e-5)
    alone = run_members([Corner(step=2), Corner(step=2)], squares, ["identity"]).heatmaps[:, 2]
    assert found.heatmaps[:, 2, ::7, ::7] == pytest.approx(alone[:, ::3, ::3], abs=1e-4)
    assert found.heatmaps.dtype == np.float32
