from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermalens.core.errors import DataError
from dermalens.core.spec import PreprocessSpec
from dermalens.data.index import Row
from dermalens.transforms.rows import read_square

SPEC = PreprocessSpec(side_pixels=48)


def test_a_row_becomes_the_square_of_the_spec(tmp_path: Path) -> None:
    Image.new("RGB", (96, 72), (200, 100, 50)).save(tmp_path / "a.png")
    square = read_square(Row("a", str(tmp_path / "a.png"), "nv", "L"), SPEC)
    assert square.shape == (48, 48, 3)
    assert square.dtype == np.dtype(np.uint8)
    assert np.all(square == (200, 100, 50))


@pytest.mark.parametrize("content", [None, b"", b"text", b"\xff\xd8\xff\xe0 cut off"])
def test_an_image_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(DataError, match=r"^Image IMG_7 \(.*a\.jpg\): "):
        read_square(Row("IMG_7", str(tmp_path / "a.jpg"), "nv", "L"), SPEC)
