from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from dermalens.core.errors import BundleError
from dermalens.predict.outline import draw_outline, find_outline, open_outline, outline_png
from tests.drawn_outlines import disc
from tests.tiny_bundle import darkness_graph, tiny_graph


def belonging(*discs: tuple[float, tuple[float, float]]) -> np.ndarray:
    """A map of 56 x 56 that is 0.9 on discs (radius and centre in shares of the side) and 0.1 elsewhere."""
    mask = np.zeros((56, 56), bool)
    for radius, centre in discs:
        mask |= disc(56, radius, centre)
    return np.where(mask, 0.9, 0.1).astype(np.float32)


def test_a_disc_is_found_where_it_is():
    outline = find_outline(belonging((0.25, (0.5, 0.4))), side_pixels=224, threshold=0.5)
    assert outline is not None
    true = disc(224, 0.25, (0.5, 0.4))
    assert (outline.mask & true).sum() / (outline.mask | true).sum() > 0.97
    assert outline.area_share == pytest.approx(np.pi * 0.25**2, rel=0.02)
    assert (outline.polygon.min(axis=0) + outline.polygon.max(axis=0)) / 2 == pytest.approx([0.5, 0.4], abs=0.01)
    assert not outline.touches_border


def test_the_polygon_and_the_mask_agree():
    outline = find_outline(belonging((0.3, (0.45, 0.55))), side_pixels=224, threshold=0.5)
    assert outline is not None
    x, y = outline.polygon.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert area == pytest.approx(outline.area_share, rel=0.01)


def test_the_region_at_the_centre_counts_before_a_larger_one_at_the_edge():
    outline = find_outline(belonging((0.15, (0.5, 0.5)), (0.2, (1.0, 1.0))), side_pixels=224, threshold=0.5)
    assert outline is not None
    assert outline.mask[112, 112]
    assert not outline.mask[-1, -1]
    assert not outline.touches_border


def test_holes_are_filled():
    values = belonging((0.3, (0.5, 0.5)))
    values[26:30, 26:30] = 0
    outline = find_outline(values, side_pixels=224, threshold=0.5)
    assert outline is not None
    assert outline.mask[112, 112]


def test_a_lesion_that_goes_on_outside_is_said_to():
    outline = find_outline(belonging((0.4, (0.5, 0.9))), side_pixels=224, threshold=0.5)
    assert outline is not None
    assert outline.touches_border


@pytest.mark.parametrize("values", [belonging(), belonging((0.03, (0.5, 0.5)))])
def test_no_region_of_half_a_per_cent_is_no_lesion(values: np.ndarray):
    assert find_outline(values, side_pixels=224, threshold=0.5) is None


def test_a_map_that_is_all_lesion_is_the_whole_square():
    outline = find_outline(np.ones((56, 56), np.float32), side_pixels=100, threshold=0.5)
    assert outline is not None
    assert outline.area_share == 1
    assert outline.polygon.min() == 0
    assert outline.polygon.max() == 1


@pytest.mark.parametrize("side", [32, 56, 512])
def test_the_mask_has_the_side_of_the_square(side: int):
    outline = find_outline(belonging((0.3, (0.5, 0.5))), side_pixels=side, threshold=0.5)
    assert outline is not None
    assert outline.mask.shape == (side, side)
    assert outline.area_share == pytest.approx(np.pi * 0.09, rel=0.03)


def test_the_dictionary_is_json_and_keeps_the_points_within_the_square():
    outline = find_outline(belonging((0.3, (0.5, 0.5))), side_pixels=224, threshold=0.5)
    assert outline is not None
    content = json.loads(json.dumps(outline.as_dict()))
    assert set(content) == {"polygon", "area_share", "touches_border"}
    assert 8 <= len(content["polygon"]) <= 200
    assert all(0 <= number <= 1 for point in content["polygon"] for number in point)


def test_the_line_is_drawn_along_the_edge_and_nowhere_else():
    square = np.full((224, 224, 3), 128, np.uint8)
    outline = find_outline(belonging((0.25, (0.5, 0.5))), side_pixels=224, threshold=0.5)
    assert outline is not None
    drawn = np.asarray(draw_outline(square, outline))
    rows, columns = np.nonzero((drawn != 128).any(axis=2))
    radii = np.hypot(rows + 0.5 - 112, columns + 0.5 - 112)
    assert np.abs(radii - 56).max() < 5
    with Image.open(io.BytesIO(outline_png(square, outline))) as picture:
        assert np.array_equal(np.asarray(picture), drawn)
    assert (square == 128).all()


def test_a_graph_is_opened_and_asked():
    pixels = np.zeros((2, 40, 40, 3), np.uint8)
    pixels[0] = 255
    masks = open_outline(darkness_graph()).run(pixels)
    assert masks.shape == (2, 40, 40)
    assert masks.reshape(2, -1).mean(axis=1).tolist() == [0, 1]


@pytest.mark.parametrize("graph", [tiny_graph(), darkness_graph(output="belonging")])
def test_a_graph_of_something_else_is_refused(graph: bytes):
    with pytest.raises(BundleError, match=r"outline needs pixels tensor\(uint8\)"):
        open_outline(graph)


def test_a_file_that_is_no_graph_is_refused():
    with pytest.raises(BundleError, match="spare.onnx is not a graph"):
        open_outline(b"no graph", name="spare.onnx")


def test_a_mask_that_is_no_probability_is_refused():
    with pytest.raises(BundleError, match="not probabilities"):
        open_outline(darkness_graph(scale=100.0)).run(np.full((1, 8, 8, 3), 255, np.uint8))
