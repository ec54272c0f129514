"""A split as class folders and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dermalens.core.errors import DataError
from dermalens.core.files import claimed, has_locks
from dermalens.data import folders as folders_module
from dermalens.data.folders import lay_out_split, thin_classes
from dermalens.data.index import Row, read_index, write_index
from dermalens.data.sources import read_source
from dermalens.data.split import read_split, split_rows, write_split
from tests.data.conftest import save

Run = Callable[..., Any]


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """24 images of twelve lesions of two classes, two images a lesion; one is a PNG in an odd folder."""
    rows = []
    for number in range(24):
        label = ("mel", "nv")[number // 12]
        path = save(tmp_path / "photos" / f"IMG {number}" / ("a.PNG" if number == 3 else "a.jpg"), number)
        rows.append(Row(f"IMG {number}" if number else "img/0", str(path), label, f"L{number // 2}", age_years=40.0))
    shares = {"train": 0.5, "val": 0.25, "test": 0.25}
    write_split(split_rows(rows, shares=shares, seed=1), tmp_path / "split.csv", seed=1)
    return tmp_path / "split.csv"


def keyed(rows) -> set[Row]:
    return {replace(row, path="") for row in rows}


def test_a_split_lies_in_folders_of_part_and_class(run: Run, split: Path, tmp_path: Path) -> None:
    result = run("folders", split, "--out", tmp_path / "laid")
    assert f"24 images linked to {tmp_path / 'laid'}" in result.stdout
    found = [path for path in (tmp_path / "laid").rglob("*") if path.suffix in (".jpg", ".png")]
    parts = {row.image_id: (row.part, row.label) for row in read_split(split).rows}
    assert sorted(path.relative_to(tmp_path / "laid").parts[:2] for path in found) == sorted(parts.values())
    assert all(path.is_symlink() and not path.readlink().is_absolute() for path in found)
    before = {Path(row.path).resolve() for row in read_split(split).rows}
    assert {path.resolve() for path in found} == before


@pytest.mark.parametrize("copy", [False, True])
def test_folders_come_back_with_lesions_and_hash(run: Run, split: Path, tmp_path: Path, copy: bool) -> None:
    laid = tmp_path / "laid"
    rows = lay_out_split(split, laid, copy=copy)
    original = read_split(split)
    assert keyed(rows) == keyed(original.rows)
    assert read_split(laid).sha256 == original.sha256 == json.loads((laid / "split.json").read_text())["sha256"]
    run("index", laid, "--out", tmp_path / "again.csv")
    assert keyed(read_index(tmp_path / "again.csv")) == keyed(original.rows)
    run("split", tmp_path / "again.csv", "--keep-parts", "--out", tmp_path / "kept.csv")
    assert read_split(tmp_path / "kept.csv").sha256 == original.sha256
    assert all(Path(row.path).is_relative_to(laid) for row in read_split(laid).rows)
    assert any(Path(row.path).is_symlink() for row in rows) is not copy


def test_copies_are_the_bytes_and_outlive_the_originals(split: Path, tmp_path: Path) -> None:
    contents = {row.image_id: Path(row.path).read_bytes() for row in read_split(split).rows}
    rows = lay_out_split(split, tmp_path / "laid", copy=True)
    (tmp_path / "photos").rename(tmp_path / "gone")
    assert {row.image_id: Path(row.path).read_bytes() for row in rows} == contents


def test_every_data_command_takes_the_folders_for_the_split(run: Run, split: Path, tmp_path: Path) -> None:
    laid = tmp_path / "laid"
    run("folders", split, "--out", laid)
    assert json.loads(run("audit", laid, "--json").stdout)["lesions"] == 12
    run("cache", laid, "--out", tmp_path / "copy", "--side", 48)
    assert read_split(tmp_path / "copy").sha256 == read_split(split).sha256
    run("split", laid, "--out", tmp_path / "new.csv", "--seed", 5)
    assert len(read_split(tmp_path / "new.csv").rows) == 24
    run("folders", laid, "--out", tmp_path / "twice")
    assert read_split(tmp_path / "twice").sha256 == read_split(split).sha256


def test_folders_move_together_with_the_images(split: Path, tmp_path: Path) -> None:
    lay_out_split(split, tmp_path / "laid")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("photos", "laid"):
        (tmp_path / name).rename(moved / name)
    for row in read_split(moved / "laid").rows:
        with Image.open(row.path) as image:
            assert image.size == (96, 72)


def test_folders_without_the_split_are_read_as_ever(split: Path, tmp_path: Path) -> None:
    lay_out_split(split, tmp_path / "laid")
    (tmp_path / "laid" / "split.csv").unlink()
    rows = read_source(tmp_path / "laid").rows
    assert len(rows) == 24
    assert {row.lesion_id for row in rows} == {row.image_id for row in rows}


def test_a_foreign_table_beside_the_folders_is_passed_over(split: Path, tmp_path: Path) -> None:
    lay_out_split(split, tmp_path / "laid")
    (tmp_path / "laid" / "split.csv").write_text("file,fold\na.jpg,1\n")
    assert len(read_source(tmp_path / "laid").rows) == 24


def test_an_image_that_was_added_or_moved_by_hand_is_named(split: Path, tmp_path: Path) -> None:
    laid = tmp_path / "laid"
    lay_out_split(split, laid)
    save(laid / "train" / "nv" / "new.jpg", 99)
    with pytest.raises(DataError, match=r"1 image\(s\) lie where split\.csv has none.*train/nv/new\.jpg.*delete split"):
        read_source(laid)
    (laid / "train" / "nv" / "new.jpg").unlink()
    one = next((laid / "train" / "mel").iterdir())
    one.rename(laid / "train" / "nv" / one.name)
    with pytest.raises(DataError, match=rf"train/nv/{one.name}"):
        read_source(laid)


def test_a_label_that_was_changed_in_the_table_alone_is_named(split: Path, tmp_path: Path) -> None:
    lay_out_split(split, tmp_path / "laid")
    rows = read_index(tmp_path / "laid")
    write_index([replace(rows[0], label="df"), *rows[1:]], tmp_path / "laid" / "split.csv")
    with pytest.raises(DataError, match=f"another class: {rows[0].image_id}"):
        read_source(tmp_path / "laid")
    with pytest.raises(DataError, match="changed after it was split"):
        read_split(tmp_path / "laid")


def test_an_existing_folder_is_not_touched(split: Path, tmp_path: Path) -> None:
    (tmp_path / "laid").mkdir()
    (tmp_path / "laid" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="laid exists already; nothing in it is touched.*--out"):
        lay_out_split(split, tmp_path / "laid")
    assert (tmp_path / "laid" / "notes.txt").read_text() == "mine"
    with pytest.raises(DataError, match="exists already"):
        lay_out_split(split, split)


def test_an_empty_folder_is_filled(split: Path, tmp_path: Path) -> None:
    (tmp_path / "laid").mkdir()
    assert len(lay_out_split(split, tmp_path / "laid")) == 24


def test_the_current_directory_is_not_replaced(split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(DataError, match="here is where you are and cannot be replaced"):
        lay_out_split(split, Path())
    assert list(Path.cwd().iterdir()) == []


def test_missing_images_are_named_and_nothing_is_left(split: Path, tmp_path: Path) -> None:
    gone = sorted(read_split(split).rows, key=lambda row: row.image_id)[:2]
    for row in gone:
        Path(row.path).unlink()
    with pytest.raises(DataError, match=r"2 image\(s\) of the split are missing: IMG \d+, IMG \d+\. Bring them back"):
        lay_out_split(split, tmp_path / "laid")
    assert [path.name for path in tmp_path.iterdir() if "laid" in path.name] == []


def test_an_image_that_no_file_can_be_called_is_missing(split: Path, tmp_path: Path) -> None:
    first, *others = read_split(split).rows
    write_index([replace(first, path=str(tmp_path / ("a" * 300 + ".jpg"))), *others], tmp_path / "long.csv")
    with pytest.raises(DataError, match=r"1 image\(s\) of the split are missing"):
        lay_out_split(tmp_path / "long.csv", tmp_path / "laid")


def test_two_images_of_one_file_name_are_refused(split: Path, tmp_path: Path) -> None:
    rows = [row for row in read_split(split).rows if row.part == "train" and row.label == "nv"]
    named = [replace(row, image_id=name) for row, name in zip(rows, ("Mole", "mole"), strict=False)]
    write_index(named, tmp_path / "same.csv")
    with pytest.raises(DataError, match=r"1 image\(s\) would have the file name of another: mole.*image_id of its own"):
        lay_out_split(tmp_path / "same.csv", tmp_path / "laid")


@pytest.mark.parametrize("label", ["../mel", "mel/nv", ""])
def test_a_label_that_leads_out_of_the_folder_is_refused(split: Path, tmp_path: Path, label: str) -> None:
    write_index([replace(row, label=label) for row in read_split(split).rows], tmp_path / "odd.csv")
    with pytest.raises(DataError, match="cannot name a folder"):
        lay_out_split(tmp_path / "odd.csv", tmp_path / "laid")


def test_a_leaking_split_is_refused(split: Path, tmp_path: Path) -> None:
    rows = [replace(row, lesion_id="L") for row in read_split(split).rows]
    write_index(rows, tmp_path / "leaking.csv")
    with pytest.raises(DataError, match="1 lesion is in more than one of train, val, test: L"):
        lay_out_split(tmp_path / "leaking.csv", tmp_path / "laid")
    assert not (tmp_path / "laid").exists()


def test_where_there_are_no_links_the_copy_is_offered(
    split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", no_links)
    with pytest.raises(DataError, match="Links cannot be made.*privilege.*--copy"):
        lay_out_split(split, tmp_path / "laid")
    assert not (tmp_path / "laid").exists()
    assert len(lay_out_split(split, tmp_path / "laid", copy=True)) == 24


def test_an_interrupted_run_leaves_nothing_and_the_next_one_clears_what_a_kill_left(
    split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folders_module, "_link", stop)
        with pytest.raises(KeyboardInterrupt):
            lay_out_split(split, tmp_path / "laid")
    assert [path.name for path in tmp_path.iterdir() if "laid" in path.name] == []
    save(tmp_path / ".laid.partial" / "train" / "nv" / "half.jpg", 1)
    lay_out_split(split, tmp_path / "laid")
    assert not (tmp_path / "laid" / "train" / "nv" / "half.jpg").exists()
    assert [path.name for path in tmp_path.iterdir() if "laid" in path.name] == ["laid"]


@pytest.mark.skipif(not has_locks(), reason="who is at work is told by a lock")
def test_a_folder_that_another_command_is_making_is_left_alone(split: Path, tmp_path: Path) -> None:
    half = save(tmp_path / ".laid.partial" / "half.jpg", 1)
    with claimed(half.parent) as is_ours:
        assert is_ours
        with pytest.raises(DataError, match="is being made by another command"):
            lay_out_split(split, tmp_path / "laid")
    assert half.is_file()
    lay_out_split(split, tmp_path / "laid")
    assert not half.parent.exists()


def test_a_full_disk_is_said(split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match="Cannot write to .*laid: No space left on device"):
        lay_out_split(split, tmp_path / "laid", copy=True)
    assert not (tmp_path / "laid").exists()


def test_classes_with_fewer_than_two_lesions_in_a_part_are_named(run: Run, split: Path, tmp_path: Path) -> None:
    rows = list(read_split(split).rows)
    assert thin_classes([row for row in rows if row.part == "train"]) == []
    one = next(row for row in rows if (row.part, row.label) == ("val", "mel"))
    kept = [row for row in rows if row.lesion_id == one.lesion_id or (row.part, row.label) != ("val", "mel")]
    kept = [row for row in kept if (row.part, row.label) != ("test", "nv")]
    thin = thin_classes(kept)
    assert f"mel in val (1 lesion: {one.lesion_id})" in thin
    assert "nv in test (none)" in thin
    write_index(kept, tmp_path / "thin.csv")
    said = run("folders", tmp_path / "thin.csv", "--out", tmp_path / "laid").stderr
    assert "Fewer than two lesions: " in said
    assert f"mel in val (1 lesion: {one.lesion_id})" in said
