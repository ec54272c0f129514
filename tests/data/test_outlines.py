from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermalens.core.errors import DataError
from dermalens.core.spec import PreprocessSpec
from dermalens.data.index import Row
from dermalens.data.outlines import outline_files, read_outline
from dermalens.transforms.preprocess import preprocess


def row(name: str) -> Row:
    return Row(name, f"{name}.jpg", "nv", f"lesion_{name}")


def test_the_file_of_each_row_is_found_in_order(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / f"{name}_segmentation.png").touch()
    assert [file.name for file in outline_files([row("b"), row("a")], tmp_path)] == [
        "b_segmentation.png",
        "a_segmentation.png",
    ]


def test_images_without_an_outline_are_counted_and_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"7 of 7 image\(s\) have no outline .*: 0, 1, 2, 3, 4 and 2 more"):
        outline_files([row(str(number)) for number in range(7)], tmp_path)


def test_an_image_id_that_no_file_can_have_has_no_outline(tmp_path: Path):
    with pytest.raises(DataError, match=r"1 of 1 image\(s\) have no outline"):
        outline_files([row("a" * 300)], tmp_path)


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_an_outline_is_cut_as_its_image_is(tmp_path: Path, mode: str):
    mask = np.zeros((60, 90), bool)
    mask[10:40, 20:50] = True
    file = tmp_path / "a_segmentation.png"
    Image.fromarray(mask).convert(mode).save(file)
    image = Image.fromarray(np.repeat(mask[:, :, None].astype(np.uint8) * 255, 3, axis=2))
    square = preprocess(image, PreprocessSpec(side_pixels=32, interpolation="bilinear"))
    assert np.array_equal(read_outline(file, side_pixels=32), square[:, :, 0] >= 128)


def test_a_file_that_is_no_picture_is_refused(tmp_path: Path):
    file = tmp_path / "a_segmentation.png"
    file.write_text("no picture")
    with pytest.raises(DataError, match="cannot be read"):
        read_outline(file, side_pixels=32)


def test_a_mask_of_zeros_and_ones_is_that_of_black_and_white(tmp_path: Path):
    mask = np.zeros((60, 90), np.uint8)
    mask[10:40, 20:50] = 1
    for name, values in (("a", mask), ("b", 255 * mask), ("c", 7 * mask), ("d", 0 * mask)):
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    ones, whites, nothing = (read_outline(tmp_path / f"{name}.png", side_pixels=32) for name in "abd")
    assert whites.any()
    assert np.array_equal(ones, whites)
    assert not nothing.any()
    with pytest.raises(DataError, match="is 7 of 255 at its brightest"):
        read_outline(tmp_path / "c.png", side_pixels=32)
