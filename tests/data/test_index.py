import os
import shutil
from pathlib import Path

import pytest

from dermalens.core.errors import DataError
from dermalens.data.index import COLUMNS, Row, read_index, write_index
from dermalens.data.split import read_split
from tests.data.conftest import save, write_csv


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


def test_images_below_the_index_are_found_there_through_whatever_links_either_was_named(tmp_path: Path) -> None:
    real, link = tmp_path / "deep" / "disk" / "data", tmp_path / "link"
    image = save(real / "images" / "a.jpg", 1)
    link.symlink_to(real)
    for target in (real / "index.csv", link / "index.csv"):
        for path in (image, link / "images" / "a.jpg"):
            write_index([Row("a", str(path), "mel", "L1")], target)
            assert "\na,images/a.jpg," in target.read_text()


def test_a_folder_of_images_that_is_itself_a_link_keeps_its_name(tmp_path: Path) -> None:
    image = save(tmp_path / "disk" / "a.jpg", 1)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "images").symlink_to(image.parent)
    write_index([Row("a", str(tmp_path / "here" / "images" / "a.jpg"), "mel", "L1")], tmp_path / "here" / "index.csv")
    assert "\na,images/a.jpg," in (tmp_path / "here" / "index.csv").read_text()


def test_an_index_written_through_a_link_takes_the_place_of_what_it_leads_to(tmp_path: Path) -> None:
    image = save(tmp_path / "images" / "a.jpg", 1)
    real, link = tmp_path / "deep" / "disk" / "real.csv", tmp_path / "index.csv"
    write_index([], real)
    link.symlink_to(real)
    rows = [Row("a", str(image), "mel", "L1")]
    write_index(rows, link)
    assert link.is_symlink()
    assert read_index(link) == read_index(real) == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "its header is empty"),
        (b"path,label\na,nv\n", "its header is path,label; needed is image_id,path,label"),
        (",".join(COLUMNS).encode() + b"\nM\xfcller,,,,,,,,,\n", "is not an index: 'utf-8' codec"),
        (",".join(COLUMNS).encode() + b"\na,b,c\n", "index.csv:2 is not a row of an index"),
        (",".join(COLUMNS).encode() + b"\na,b,nv,L,old,,,,,\n", "index.csv:2 is not a row of an index: could not"),
        (",".join(COLUMNS).encode() + b"\na,b,nv,L,inf,,,,,\n", "index.csv:2 is not a row of an index: could not"),
        (",".join(COLUMNS).encode() + b"\na,b,nv,L,,,,,valid,\n", ":2 .*: its part is 'valid'; needed is train"),
        (",".join(COLUMNS).encode() + b"\na,b,nv,L,,,,,Train,\n", ":2 .*: its part is 'Train'; needed is train"),
    ],
)
def test_a_file_that_is_no_index_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "index.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_index(tmp_path / "index.csv")


def test_an_age_that_is_not_known_may_be_nan_as_pandas_can_write_it(tmp_path: Path) -> None:
    lines = (",".join(COLUMNS), "a,a.jpg,nv,L,nan,,,,,", "b,b.jpg,nv,M,NaN,,,,,", "c,c.jpg,nv,N,45.0,,,,,")
    write_csv(tmp_path / "index.csv", lines)
    assert [row.age_years for row in read_index(tmp_path / "index.csv")] == [None, None, 45]


def test_no_index_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="dermalens data index"):
        read_index(tmp_path / "index.csv")


def test_a_folder_without_a_split_is_told_both_steps(tmp_path: Path) -> None:
    steps = f"dermalens data index {tmp_path} --out index.csv, then .*dermalens data split index.csv --out split.csv"
    with pytest.raises(DataError, match=f"{tmp_path} is a folder without split.csv.*{steps}"):
        read_index(tmp_path)
    with pytest.raises(DataError, match=r"No index at .*split\.csv\..*then a split of it: dermalens data split"):
        read_split(tmp_path / "split.csv")


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="Cannot write"):
        write_index([], tmp_path / "file" / "index.csv")


def test_an_index_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    write_index([], tmp_path / "index.csv")
    (tmp_path / "index.csv").chmod(0)
    if os.access(tmp_path / "index.csv", os.R_OK):
        pytest.skip("whoever runs this may read everything")
    with pytest.raises(DataError, match=r"Cannot read .*index\.csv: Permission denied"):
        read_index(tmp_path / "index.csv")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and cannot be read (Linux)")
def test_a_disk_error_while_an_index_is_read_is_one_line() -> None:
    with pytest.raises(DataError, match="Cannot read /proc/self/mem: Input/output error"):
        read_index(Path("/proc/self/mem"))


def test_an_index_is_written_under_a_name_that_ends_in_csv(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"index\.json given; .* Give --out a name that ends in \.csv"):
        write_index([], tmp_path / "index.json")
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_is_no_index_is_never_replaced(tmp_path: Path) -> None:
    table = tmp_path / "index.csv"
    table.write_text("path,label,doctor\na.jpg,nv,K\n")
    with pytest.raises(DataError, match="is there and is no index. Choose another name with --out"):
        write_index([], table)
    assert table.read_text() == "path,label,doctor\na.jpg,nv,K\n"
    write_index([], tmp_path / "new.csv")
    write_index([Row("a", str(tmp_path / "a.jpg"), "nv", "a")], tmp_path / "new.csv")
    assert len(read_index(tmp_path / "new.csv")) == 1


def test_an_image_without_a_lesion_is_a_lesion_of_its_own(tmp_path: Path) -> None:
    write_index(
        [Row("a", str(tmp_path / "a.jpg"), "nv", ""), Row("b", str(tmp_path / "b.jpg"), "nv", "")], tmp_path / "i.csv"
    )
    assert [row.lesion_id for row in read_index(tmp_path / "i.csv")] == ["a", "b"]
