import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermalens.core.errors import DataError
from dermalens.core.files import claimed, has_locks
from dermalens.data import cache
from dermalens.data.cache import Copy, Reduction, copy_reduced, reduced_bytes
from dermalens.data.index import Row, read_index, write_index
from dermalens.data.split import read_split, write_split
from tests.data.conftest import drawn_lesion, save


@pytest.fixture
def split(tmp_path: Path) -> Path:
    rows = [
        Row(
            image_id=f"i{number}",
            path=str(save(tmp_path / "raw" / f"i{number}.png", number)),
            label="nv",
            lesion_id=f"L{number}",
            age_years=40.0,
            sex="male",
            source="HAM",
            part=("train", "val", "test")[number % 3],
        )
        for number in range(6)
    ]
    write_split(rows, tmp_path / "split.csv", seed=0)
    return tmp_path / "split.csv"


def copied(split: Path, side: int = 48, quality: int = 90) -> Copy:
    return copy_reduced(read_index(split), split, split.parent / "copy", reduction=Reduction(side, quality))


def test_a_copy_takes_the_place_of_its_split(split: Path) -> None:
    copy = copied(split)
    before, after = read_split(split), read_split(copy.index)
    assert after.sha256 == before.sha256
    assert [replace(row, path="") for row in after.rows] == [replace(row, path="") for row in before.rows]
    for row in after.rows:
        with Image.open(row.path) as picture:
            assert (picture.format, picture.size) == ("JPEG", (64, 48))


def test_a_copy_shows_what_the_original_shows(split: Path) -> None:
    row = read_index(copied(split).index)[2]
    wanted = np.asarray(drawn_lesion(2).resize((64, 48), Image.Resampling.LANCZOS), dtype=float)
    assert np.abs(np.asarray(Image.open(row.path), dtype=float) - wanted).mean() < 5


def test_a_second_call_writes_no_image_again(split: Path) -> None:
    first = copied(split)
    times = {row.path: Path(row.path).stat().st_mtime_ns for row in read_index(first.index)}
    second = copied(split)
    assert (first.already_there, second.already_there, second.n_bytes) == (0, 6, first.n_bytes)
    assert {path: Path(path).stat().st_mtime_ns for path in times} == times


def test_an_interrupted_copy_goes_on(split: Path) -> None:
    rows = read_index(copied(split).index)
    Path(rows[0].path).unlink()
    Path(rows[1].path).write_bytes(b"")
    assert copied(split).already_there == 4
    assert all(Path(row.path).stat().st_size for row in rows)


def test_two_reductions_do_not_mix_in_one_folder(split: Path) -> None:
    copied(split)
    with pytest.raises(DataError, match='has a copy with {"side_pixels": 48, "quality": 90}; asked is'):
        copied(split, side=64)


def test_nothing_is_enlarged(split: Path) -> None:
    row = read_index(copied(split, side=500).index)[0]
    with Image.open(row.path) as picture:
        assert picture.size == (96, 72)


def test_a_small_jpeg_stays_as_it_is_unless_it_gets_smaller(tmp_path: Path) -> None:
    data = save(tmp_path / "a.jpg", 1, quality=75).read_bytes()
    assert reduced_bytes(data, Reduction(256, 95)) == data
    assert len(reduced_bytes(data, Reduction(256, 30))) < len(data)


def test_a_copy_carries_no_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe, born 1970"
    data = save(tmp_path / "a.jpg", 1, quality=20, exif=exif).read_bytes()
    assert b"Jane Doe" in data
    assert b"Jane Doe" not in reduced_bytes(data, Reduction(256, 95))


def test_image_ids_that_are_no_file_names_are_told_apart(split: Path) -> None:
    rows = [replace(row, image_id=f"a/{number}?") for number, row in enumerate(read_index(split))]
    write_index(rows, split.parent / "odd.csv")
    copy = copied(split.parent / "odd.csv")
    assert len({row.path for row in read_index(copy.index)}) == 6


def test_images_that_cannot_be_read_are_named_and_no_index_is_written(split: Path) -> None:
    Path(read_index(split)[1].path).write_bytes(b"text")
    with pytest.raises(DataError, match=r"1 image\(s\) cannot be copied: i1 \(The file is text"):
        copied(split)
    assert not (split.parent / "copy" / "split.csv").exists()


@pytest.mark.parametrize(("side", "quality"), [(0, 90), (256, 0), (256, 101)])
def test_settings_that_make_no_sense_are_refused(side: int, quality: int) -> None:
    with pytest.raises(DataError, match="needed are"):
        Reduction(side, quality)


def test_a_copy_never_replaces_its_original(split: Path) -> None:
    with pytest.raises(DataError, match="would replace"):
        copy_reduced(read_index(split), split, split.parent, reduction=Reduction())


def test_a_file_in_the_place_of_the_folder_asks_for_another_and_a_full_disk_for_room(
    split: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (split.parent / "copy").write_bytes(b"a file")
    with pytest.raises(DataError, match=r"copy: File exists\. Choose another folder with --out\.$"):
        copied(split)
    (split.parent / "copy").unlink()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache, "write_whole", full)
    with pytest.raises(DataError, match=r"No space left on device\. Make room, then run the same again\.$"):
        copied(split)


def test_a_copy_into_a_linked_folder_can_be_carried_away(split: Path, tmp_path: Path) -> None:
    (tmp_path / "deep" / "disk").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "disk")
    copy_reduced(read_index(split), split, tmp_path / "link", reduction=Reduction(48, 90))
    shutil.move(tmp_path / "deep" / "disk", tmp_path / "carried")
    (tmp_path / "link").unlink()
    assert all(Path(row.path).is_file() for row in read_index(tmp_path / "carried" / "split.csv"))


def test_a_copy_of_a_split_behind_a_link_has_its_note(split: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "named.csv"
    link.parent.mkdir()
    link.symlink_to(split)
    copy = copy_reduced(read_index(link), link, tmp_path / "copy", reduction=Reduction(48, 90))
    assert copy.index.with_suffix(".json").read_bytes() == split.with_suffix(".json").read_bytes()


@pytest.mark.skipif(not has_locks(), reason="needs locks, which Windows has not")
def test_two_copies_into_one_folder_at_once_are_refused(split: Path) -> None:
    (split.parent / "copy").mkdir()
    with (
        claimed(split.parent / "copy"),
        pytest.raises(DataError, match="copy is being written by another command. Wait for it or choose another --out"),
    ):
        copied(split)
    assert copied(split).images == 6


def test_a_split_with_a_lesion_on_two_sides_is_not_copied(split: Path) -> None:
    rows = [replace(row, lesion_id="L") for row in read_index(split)]
    with pytest.raises(DataError, match="1 lesion is in more than one of train, val, test: L"):
        copy_reduced(rows, split, split.parent / "copy", reduction=Reduction())
    assert not (split.parent / "copy").exists()


def test_two_data_sets_that_call_their_images_alike_stay_apart(split: Path, tmp_path: Path) -> None:
    first = read_index(copied(split).index)
    rows = [replace(row, path=str(save(tmp_path / "other" / f"{row.image_id}.png", 50))) for row in read_index(split)]
    write_split(rows, tmp_path / "other.csv", seed=0)
    second = read_index(
        copy_reduced(rows, tmp_path / "other.csv", tmp_path / "copy", reduction=Reduction(48, 90)).index
    )
    assert {row.image_id for row in first} == {row.image_id for row in second}
    assert not {row.path for row in first} & {row.path for row in second}


def test_an_original_that_was_changed_is_copied_again(split: Path) -> None:
    before = Path(read_index(copied(split).index)[0].path).read_bytes()
    original = save(Path(read_index(split)[0].path), 77)
    os.utime(original, (1, 1))
    copy = copied(split)
    assert copy.already_there == 5
    assert Path(read_index(copy.index)[0].path).read_bytes() != before
