"""The square that the model sees: centred, symmetric, antialiased."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from dermalens.core.errors import ImageError
from dermalens.core.image import open_upright
from dermalens.core.spec import PreprocessSpec
from dermalens.core.square import centre_of
from dermalens.transforms.preprocess import preprocess

SPEC = PreprocessSpec(side_pixels=64)


def noise(width: int, height: int) -> Image.Image:
    """Values that bicubic overshoot does not clip: clipping between the two passes depends on their order."""
    return Image.fromarray(np.random.default_rng(7).integers(80, 176, (height, width, 3), dtype=np.uint8))


def lesion(width: int, height: int) -> Image.Image:
    """A dark disc with hairs and fine noise: what reduction must not alias."""
    y, x = np.mgrid[:height, :width]
    radius = np.hypot(x - width / 2, y - height / 2) / height
    grey = np.where(radius < 0.25, 80.0, 200.0) - 90 * ((x + 2 * y) % 211 < 6)
    grain = np.random.default_rng(7).normal(0, 6, (height, width))
    return Image.fromarray((grey + grain).clip(0, 255).astype(np.uint8)).convert("RGB")


def test_square_is_an_array_that_the_caller_may_change():
    square = preprocess(noise(100, 80), SPEC)
    assert square.shape == (64, 64, 3)
    assert square.dtype == np.dtype("uint8")
    assert square.flags.c_contiguous
    assert square.flags.writeable


def test_centre_square_of_a_frame_leaves_out_both_ends():
    frame = Image.new("RGB", (600, 450), "red")
    frame.paste((10, 20, 30), (75, 0, 525, 450))
    inner = preprocess(frame, SPEC)[:, 2:-2]  # the filter looks two pixels beyond the cut
    assert np.unique(inner.reshape(-1, 3), axis=0).tolist() == [[10, 20, 30]]


def test_even_difference_is_cut_on_whole_pixels():
    frame = noise(96, 64)
    assert np.array_equal(preprocess(frame, SPEC), np.asarray(frame)[:, 16:80])


@pytest.mark.parametrize("size", [(101, 80), (80, 101), (100, 81), (151, 150), (90, 67)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_square_of_a_mirrored_or_turned_picture_is_the_mirrored_or_turned_square(size, interpolation):
    spec = PreprocessSpec(side_pixels=64, interpolation=interpolation)
    picture = noise(*size)
    square = Image.fromarray(preprocess(picture, spec))
    for turn in Image.Transpose:
        turned_first = preprocess(picture.transpose(turn), spec).astype(int)
        assert np.abs(turned_first - np.asarray(square.transpose(turn))).max() <= 1, turn


def test_box_is_taken_instead_of_the_centre():
    frame = noise(200, 100)
    assert np.array_equal(preprocess(frame, SPEC, box=(10, 20, 74, 84)), np.asarray(frame)[20:84, 10:74])
    assert np.array_equal(preprocess(frame, SPEC, box=centre_of(200, 100).box), preprocess(frame, SPEC))


@pytest.mark.parametrize("box", [(-1, 0, 63, 64), (150, 50, 214, 114), (0, 0, 64, 32), (10, 10, 10, 10)])
def test_box_that_is_no_square_within_the_picture_is_refused(box):
    with pytest.raises(ImageError, match=r"needed is a square within the 200 x 100 picture\. Choose it anew"):
        preprocess(noise(200, 100), SPEC, box=box)


def test_checkerboard_is_averaged_and_not_aliased():
    y, x = np.mgrid[:512, :512]
    board = Image.fromarray((((x + y) % 2) * 255).astype(np.uint8)).convert("RGB")
    inner = preprocess(board, SPEC)[2:-2, 2:-2].astype(int)
    assert np.abs(inner - 128).max() <= 2


@pytest.mark.parametrize(
    ("width", "height", "reduction"), [(1600, 1200, 8), (1000, 756, 4), (1000, 750, 2), (801, 600, 1)]
)
def test_reduced_decode_agrees_with_the_full_decode(width, height, reduction):
    stream = io.BytesIO()
    lesion(width, height).save(stream, "JPEG", quality=92)
    full = Image.open(io.BytesIO(stream.getvalue())).convert("RGB")
    reduced = open_upright(stream.getvalue(), wanted_side_pixels=64)
    assert reduced.size == (width // reduction, height // reduction)
    difference = np.abs(preprocess(reduced, SPEC).astype(int) - preprocess(full, SPEC))
    assert difference.mean() < 0.5
    assert difference.max() <= 4
