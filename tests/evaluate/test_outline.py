from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermalens.core.errors import DataError
from dermalens.core.spec import PreprocessSpec
from dermalens.data.split import read_split
from dermalens.evaluate.outline import Drawn, choose_threshold, draw_rows, judge_outlines, overlaps_of
from tests.drawn_outlines import disc, draw_pairs


def drawn_of(*pairs: tuple[np.ndarray, np.ndarray], lesions: tuple[str, ...] = ()) -> Drawn:
    """Masks of a graph (as sure as can be) and those of people, [256, 256]."""
    belongings = [given.astype(np.float32) for given, _ in pairs]
    return Drawn(belongings, [true for _, true in pairs], lesions or tuple(str(place) for place in range(len(pairs))))


def block(columns: slice) -> np.ndarray:
    """A block of 100 rows at the middle of 256 x 256."""
    mask = np.zeros((256, 256), bool)
    mask[78:178, columns] = True
    return mask


class Darkness:
    """A fake graph: the darkness of each pixel."""

    def run(self, pixels: np.ndarray) -> np.ndarray:
        return 1 - pixels.mean(axis=3, dtype=np.float32) / 255


def test_overlap_is_intersection_over_union():
    drawn = drawn_of((block(slice(100, 200)), block(slice(150, 200))), (block(slice(50, 100)), block(slice(100, 150))))
    assert overlaps_of(drawn, 0.5).tolist() == [0.5, 0]


def test_an_outline_that_was_not_found_scores_nothing():
    assert overlaps_of(drawn_of((np.zeros((256, 256), bool), block(slice(100, 150)))), 0.5).tolist() == [0]


def test_an_image_on_which_nobody_drew_is_left_out():
    drawn = drawn_of(
        (block(slice(100, 150)), np.zeros((256, 256), bool)), (block(slice(100, 150)), block(slice(100, 150)))
    )
    assert np.isnan(overlaps_of(drawn, 0.5)[0])
    figures = judge_outlines(drawn, 0.5, draws=10)
    assert figures["intersection_over_union"].value == 1
    assert figures["intersection_over_union"].n == 1


def test_the_figures_are_those_worked_out_by_hand():
    shapes = [(block(slice(100, 200)), block(slice(100, 200 - cut))) for cut in (0, 20, 60)]  # 1, 0.8 and 0.4
    figures = judge_outlines(drawn_of(*shapes), 0.5, draws=50)
    assert figures["intersection_over_union"].value == pytest.approx((1 + 0.8 + 0.4) / 3)
    assert figures["median_intersection_over_union"].value == pytest.approx(0.8)
    assert figures["dice"].value == pytest.approx((1 + 160 / 180 + 80 / 140) / 3)
    assert figures["share_poor"].value == pytest.approx(1 / 3)
    assert all(figure.low <= figure.value <= figure.high for figure in figures.values())


def test_images_of_one_lesion_are_drawn_together():
    shapes = [(block(slice(100, 200)), block(slice(100, 200 - cut))) for cut in (0, 60)]
    apart, together = (
        judge_outlines(drawn_of(*shapes, lesions=lesions), 0.5, draws=50)["intersection_over_union"]
        for lesions in (("a", "b"), ("a", "a"))
    )
    assert (apart.low, apart.high) == (pytest.approx(0.4), 1)
    assert together.low == together.high == pytest.approx(0.7)


def test_the_threshold_with_the_best_overlap_is_chosen():
    true = disc(256, 0.3)
    values = np.where(true, 0.45, 0.05).astype(np.float32)
    assert choose_threshold(Drawn([values], [true], ("a",)), [0.02, 0.4, 0.6]) == 0.4


def test_without_any_lesion_in_a_square_no_threshold_is_chosen():
    nothing = Drawn([np.zeros((256, 256), np.float32)], [np.zeros((256, 256), bool)], ("a",))
    with pytest.raises(DataError, match="nothing can be compared"):
        choose_threshold(nothing, [0.4, 0.6])


def test_rows_are_read_asked_and_compared(tmp_path: Path):
    split, masks = draw_pairs(tmp_path, {"train": 1, "val": 3})
    counted: list[int] = []
    rows = read_split(split).part("val")
    drawn = draw_rows(Darkness(), rows, masks, PreprocessSpec(side_pixels=64), advance=counted.append)
    assert sum(counted) == 3
    assert drawn.lesions == tuple(row.lesion_id for row in rows)
    assert overlaps_of(drawn, 0.4).min() > 0.9
