import shutil
from pathlib import Path

import pytest

from dermalens.core.errors import DataError
from dermalens.data.index import COLUMNS, Row, read_index, write_index
from tests.data.conftest import save


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    image = save(tmp_path / "images" / "a.jpg", 1)
    rows = [
        Row("a", str(image), "mel", "L1", 50.5, "male", 'back, "upper"', "HAM", "train", 3),
        Row("b", str(image), "nv", "L2"),
    ]
    write_index(rows, tmp_path / "index.csv")
    assert read_index(tmp_path / "index.csv") == rows


def test_an_index_moves_together_with_its_images(tmp_path: Path) -> None:
    image = save(tmp_path / "here" / "images" / "a.jpg", 1)
    write_index([Row("a", str(image), "mel", "L1")], tmp_path / "here" / "index.csv")
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert Path(read_index(tmp_path / "there" / "index.csv")[0].path).is_file()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "its header is empty"),
        (b"path,label\na,nv\n", "its header is path,label; needed is image_id,path,label"),
        (",".join(COLUMNS).encode() + b"\nM\xfcller,,,,,,,,,\n", "is not an index: 'utf-8' codec"),
        (",".join(COLUMNS).encode() + b"\na,b,c\n", "index.csv:2 is not a row of an index"),
        (",".join(COLUMNS).encode() + b"\na,b,nv,L,old,,,,,\n", "index.csv:2 is not a row of an index: could not"),
    ],
)
def test_a_file_that_is_no_index_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "index.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_index(tmp_path / "index.csv")


def test_no_index_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="dermalens data index"):
        read_index(tmp_path / "index.csv")


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="Cannot write"):
        write_index([], tmp_path / "file" / "index.csv")
