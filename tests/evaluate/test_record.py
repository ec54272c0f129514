from pathlib import Path

import pytest

from dermalens.core.errors import DataError
from dermalens.data.index import Row, write_index
from dermalens.evaluate.record import rows_of


def index_of(folder: Path, *parts: str, lesion: str = "") -> Path:
    rows = [
        Row(f"i{number}", str(folder / f"i{number}.jpg"), "nv", lesion or f"L{number}", part=part)
        for number, part in enumerate(parts)
    ]
    write_index(rows, folder / "index.csv")
    return folder / "index.csv"


def test_all_takes_an_index_without_parts_and_a_part_takes_a_split(tmp_path: Path) -> None:
    assert [row.image_id for row in rows_of(index_of(tmp_path, "", ""), "all")] == ["i0", "i1"]
    assert [row.image_id for row in rows_of(index_of(tmp_path, "train", "test"), "test")] == ["i1"]


@pytest.mark.parametrize("part", ["all", "test"])
def test_a_lesion_on_two_sides_is_refused_whatever_part_is_judged(tmp_path: Path, part: str) -> None:
    with pytest.raises(DataError, match="1 lesion is in both train and test: L"):
        rows_of(index_of(tmp_path, "train", "test", lesion="L"), part)


def test_an_unknown_part_and_one_without_images_are_refused(tmp_path: Path) -> None:
    index = index_of(tmp_path, "train", "test")
    with pytest.raises(DataError, match="--part training is unknown; choose train, val, test or all"):
        rows_of(index, "training")
    with pytest.raises(DataError, match="has no images in the part val"):
        rows_of(index, "val")
