from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from dermalens.predict.explain import colours, explain

SQUARE = np.full((64, 64, 3), 120, dtype=np.uint8)


def test_heat_is_brought_to_the_square_and_to_one():
    heat = np.zeros((8, 8), dtype=np.float32)
    heat[2, 5] = 7
    explanation = explain(heat, SQUARE, code="mel")
    assert explanation.heat.shape == (64, 64)
    assert explanation.heat.max() == 1
    assert explanation.heat.min() == 0
    row, column = np.unravel_index(explanation.heat.argmax(), (64, 64))
    assert 16 <= row < 24
    assert 40 <= column < 48


def test_negative_evidence_is_dropped():
    heat = np.full((8, 8), -3, dtype=np.float32)
    assert not explain(heat, SQUARE, code="mel").heat.any()


def test_no_heat_leaves_the_picture_as_it_is():
    explanation = explain(np.zeros((8, 8), dtype=np.float32), SQUARE, code="nv")
    assert np.array_equal(np.asarray(explanation.overlay()), SQUARE)


def test_a_heat_map_of_one_cell_is_even():
    assert explain(np.ones((1, 1), dtype=np.float32), SQUARE, code="nv").heat == pytest.approx(1)


def test_the_png_opens_and_shows_more_colour_where_it_is_hot():
    heat = np.zeros((8, 8), dtype=np.float32)
    heat[:, :4] = 1
    picture = Image.open(io.BytesIO(explain(heat, SQUARE, code="mel").png()))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (64, 64))
    changed = np.abs(np.asarray(picture).astype(int) - 120).sum(axis=2)
    assert changed[:, 0].min() > 50
    assert changed[:, -1].max() == 0


def test_lightness_grows_with_the_heat():
    steps = colours(np.linspace(0, 1, 33)[None].astype(np.float32))[0] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(steps) > 0).all()
