"""Made images of the rarer classes, in the train part only."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dermalens.cli.main import app as main_app
from dermalens.core.errors import DataError
from dermalens.data.balance import Made, Plan, plan_balance, rows_to_balance, write_balanced
from dermalens.data.index import Row, read_index, write_index
from dermalens.data.split import read_split, split_rows, write_split
from dermalens.data.variants import Variant, draw_variant, vary
from tests.data.conftest import drawn_lesion, save

Run = Callable[..., Any]
SAME = Variant(mirrored=False, rotation_degrees=0, zoom=1, shift_x=0, shift_y=0, brightness=1, contrast=1, saturation=1)


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """Train: 8 images of nv (4 lesions), 3 of mel (2), 2 of df (2); val and test: 4 images each."""
    lesions = {
        "train": {"nv": [2, 2, 2, 2], "mel": [2, 1], "df": [1, 1]},
        "val": {"nv": [1, 1], "mel": [1, 1]},
        "test": {"nv": [1, 1], "mel": [1, 1]},
    }
    rows: list[Row] = []
    for part, classes in lesions.items():
        for label, sizes in classes.items():
            for lesion, size in enumerate(sizes):
                for number in range(size):
                    name = f"{part}_{label}_{lesion}_{number}"
                    suffix = "png" if label == "df" else "jpg"
                    path = save(tmp_path / "photos" / f"{name}.{suffix}", len(rows))
                    rows.append(Row(name, str(path), label, f"L_{part}_{label}_{lesion}", source="drawn", part=part))
    write_split(rows, tmp_path / "split.csv", seed=0)
    return tmp_path / "split.csv"


def counted(rows) -> dict[tuple[str, str], int]:
    return dict(Counter((row.part, row.label) for row in rows))


def made_rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "made.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_every_class_of_train_gets_as_many_as_the_largest(run: Run, split: Path, tmp_path: Path) -> None:
    result = run("balance", split, "--out", tmp_path / "balanced")
    rows = read_split(tmp_path / "balanced").rows
    held_out = {(part, label): 2 for part in ("val", "test") for label in ("nv", "mel")}
    assert counted(rows) == {("train", "nv"): 8, ("train", "mel"): 8, ("train", "df"): 8, **held_out}
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["df", "2", "6", "0", "8"] in lines
    assert ["mel", "3", "5", "0", "8"] in lines
    assert ["nv", "8", "0", "0", "8"] in lines
    assert "val and test: not changed" in result.stdout
    for row in rows:
        assert Path(row.path).parent == tmp_path / "balanced" / row.part / row.label
        with Image.open(row.path) as image:
            assert image.size == (96, 72)


def test_made_images_keep_lesion_and_name_their_source(run: Run, split: Path, tmp_path: Path) -> None:
    run("balance", split, "--out", tmp_path / "balanced", "--seed", 3)
    sources = {row.image_id: row for row in read_split(split).rows}
    rows = {row.image_id: row for row in read_split(tmp_path / "balanced").rows}
    made = made_rows(tmp_path / "balanced")
    assert {record["image_id"] for record in made} == set(rows) - set(sources)
    for record in made:
        source, row = sources[record["made_from"]], rows[record["image_id"]]
        assert source.part == "train"
        assert record["lesion_id"] == source.lesion_id
        assert replace(row, image_id=source.image_id, path=source.path) == source
        assert Path(row.path).suffix == Path(source.path).suffix
    uses = Counter(record["made_from"] for record in made)
    assert {uses[f"train_df_{lesion}_0"] for lesion in range(2)} == {3}
    assert {uses[name] for name in uses if "_mel_" in name} == {1, 2}


def test_validation_and_test_images_stay_byte_for_byte(run: Run, split: Path, tmp_path: Path) -> None:
    run("balance", split, "--out", tmp_path / "balanced", "--copy")
    before = {row.image_id: row for row in read_split(split).rows if row.part != "train"}
    after = {row.image_id: row for row in read_split(tmp_path / "balanced").rows if row.part != "train"}
    assert set(before) == set(after)
    for name, row in before.items():
        assert Path(after[name].path).read_bytes() == Path(row.path).read_bytes()
        assert replace(after[name], path=row.path) == row


def test_the_same_seed_gives_the_same_bytes_and_another_others(run: Run, split: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        run("balance", split, "--out", tmp_path / name, "--seed", seed)
    made = [record["image_id"] for record in made_rows(tmp_path / "a")]
    contents = {
        name: [Path(row.path).read_bytes() for row in read_index(tmp_path / name) if row.image_id in made]
        for name in "abc"
    }
    assert contents["a"] == contents["b"]
    assert contents["a"] != contents["c"]
    assert (tmp_path / "a" / "made.csv").read_bytes() == (tmp_path / "b" / "made.csv").read_bytes()
    assert len(set(contents["a"])) == len(made)


def test_per_class_leaves_out_and_spreads_over_lesions(run: Run, split: Path, tmp_path: Path) -> None:
    found = json.loads(run("balance", split, "--out", tmp_path / "balanced", "--per-class", 4, "--json").stdout)
    assert found["train"] == {
        "df": {"kept": 2, "made": 2, "left_out": 0},
        "mel": {"kept": 3, "made": 1, "left_out": 0},
        "nv": {"kept": 4, "made": 0, "left_out": 4},
    }
    kept = [row.lesion_id for row in read_split(tmp_path / "balanced").rows if (row.part, row.label) == ("train", "nv")]
    assert len(set(kept)) == 4


def test_the_balanced_folder_is_a_split_without_leaks_and_has_the_original_test_part(
    run: Run, split: Path, tmp_path: Path
) -> None:
    run("balance", split, "--out", tmp_path / "balanced")
    audit = json.loads(run("audit", tmp_path / "balanced", "--json").stdout)
    assert (audit["leaks"], audit["images"], audit["lesions"]) == (0, 32, 16)
    run("index", tmp_path / "balanced", "--out", tmp_path / "index.csv")
    assert len(read_index(tmp_path / "index.csv")) == 32


@pytest.mark.parametrize("folds", [0, 2])
def test_made_images_are_never_divided_anew(run: Run, split: Path, tmp_path: Path, folds: int) -> None:
    run("balance", split, "--out", tmp_path / "balanced")
    indexed = run("index", tmp_path / "balanced", "--out", tmp_path / "index.csv")
    assert "11 made images, which may not judge a model: split the original" in indexed.stderr
    assert "data split" not in indexed.stderr
    run("cache", tmp_path / "balanced", "--out", tmp_path / "copy", "--side", 32)
    assert made_rows(tmp_path / "copy") == made_rows(tmp_path / "balanced")
    for source in (tmp_path / "balanced", tmp_path / "index.csv", tmp_path / "copy"):
        with pytest.raises(DataError, match="^11 made images: .*split the original"):
            run("split", source, "--out", tmp_path / "again.csv", "--folds", folds)
    (tmp_path / "copy" / "made.csv").unlink()
    with pytest.raises(DataError, match="was balanced before"):
        rows_to_balance(tmp_path / "copy")


def test_a_balanced_split_is_not_balanced_again(run: Run, split: Path, tmp_path: Path) -> None:
    run("balance", split, "--out", tmp_path / "balanced")
    with pytest.raises(DataError, match="was balanced before.*Give the split that it was made from"):
        rows_to_balance(tmp_path / "balanced")


def test_an_image_of_val_or_test_is_never_varied(split: Path, tmp_path: Path) -> None:
    rows = read_split(split).rows
    held_out = [row for row in rows if row.part == "test"][:2]
    plan = Plan(rows, tuple(Made(row, f"{row.image_id}_made1", SAME) for row in held_out), ())
    with pytest.raises(DataError, match=r"2 image\(s\) outside the train part would be varied: test_nv.*never changed"):
        write_balanced(plan, tmp_path / "balanced", seed=0)
    assert not (tmp_path / "balanced").exists()


def test_a_split_without_a_train_part_is_refused(split: Path) -> None:
    rows = [row for row in read_split(split).rows if row.part != "train"]
    with pytest.raises(DataError, match="no train part, and val and test are never changed"):
        plan_balance(rows)


def test_a_leaking_split_is_refused(split: Path, tmp_path: Path) -> None:
    rows = [
        replace(row, lesion_id=row.lesion_id.replace("train", "x").replace("test", "x")) for row in read_index(split)
    ]
    write_index(rows, tmp_path / "leaking.csv")
    result = CliRunner().invoke(
        main_app, ["data", "balance", str(tmp_path / "leaking.csv"), "--out", str(tmp_path / "balanced")]
    )
    assert result.exit_code == 2
    assert "error: 4 lesions are in both train and test: L_x_mel_0" in result.stderr
    assert not (tmp_path / "balanced").exists()


def test_folds_are_refused(rows: Callable[..., list[Row]]) -> None:
    with pytest.raises(DataError, match="has folds.*without --folds"):
        plan_balance(split_rows(rows(), folds=3))


def test_a_class_of_one_lesion_in_train_is_named(split: Path) -> None:
    rows = [row for row in read_split(split).rows if row.image_id != "train_df_1_0"]
    with pytest.raises(DataError, match=r"df in train \(1 lesion: L_train_df_0\)\. Needed are two of each class"):
        plan_balance(rows)


def test_a_class_that_val_or_test_lacks_is_said(run: Run, split: Path, tmp_path: Path) -> None:
    said = run("balance", split, "--out", tmp_path / "balanced").stderr
    assert "Fewer than two lesions: df in val (none), df in test (none)." in said


@pytest.mark.parametrize("number", [0, -4])
def test_a_number_below_one_is_refused(split: Path, number: int) -> None:
    with pytest.raises(DataError, match=f"{number} images per class given; needed is 1 or more"):
        plan_balance(read_split(split).rows, per_class=number)


def test_two_targets_at_once_are_refused(run: Run, split: Path, tmp_path: Path) -> None:
    assert run("balance", split, "--out", tmp_path / "x", "--per-class", 3, "--to-largest").exit_code == 2


def test_an_unreadable_image_is_named_and_nothing_is_left(split: Path, tmp_path: Path) -> None:
    (tmp_path / "photos" / "train_df_0_0.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")
    plan = plan_balance(read_split(split).rows)
    with pytest.raises(DataError, match=r"1 image\(s\) cannot be varied: train_df_0_0 \(.*Mend or leave out"):
        write_balanced(plan, tmp_path / "balanced", seed=0)
    assert [path.name for path in tmp_path.iterdir() if "balanced" in path.name] == []


def test_an_existing_folder_is_not_touched(run: Run, split: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="exists already"):
        run("balance", split, "--out", tmp_path / "photos")
    assert len(list((tmp_path / "photos").iterdir())) == 21


def test_an_unchanged_variant_is_the_picture() -> None:
    picture = drawn_lesion(1)
    assert np.array_equal(np.asarray(vary(picture, SAME)), np.asarray(picture))


@pytest.mark.parametrize(("degrees", "turn"), [(90, Image.Transpose.ROTATE_90), (180, Image.Transpose.ROTATE_180)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_quarter_turn_is_the_turned_picture(degrees: int, turn: Image.Transpose, mirrored: bool) -> None:
    picture = drawn_lesion(2, (80, 80))
    upright = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else picture
    varied = vary(picture, replace(SAME, rotation_degrees=degrees, mirrored=mirrored))
    difference = np.abs(np.asarray(varied, int) - np.asarray(upright.transpose(turn), int))
    assert difference.max() <= 2


def test_a_shift_moves_to_the_right_and_down() -> None:
    picture = drawn_lesion(3, (100, 100))
    varied = np.asarray(vary(picture, replace(SAME, shift_x=0.05, shift_y=0.03)))
    assert np.abs(varied[3:, 5:].astype(int) - np.asarray(picture)[:-3, :-5]).max() <= 1


def test_variants_have_no_black_corners_and_stay_near_the_picture_in_colour() -> None:
    white = Image.new("RGB", (120, 40), (200, 180, 170))
    for seed in range(20):
        varied = np.asarray(vary(white, draw_variant(np.random.default_rng(seed))))
        assert varied.shape == (40, 120, 3)
        assert varied.min() > 0.7 * 170
        assert np.ptp(varied.reshape(-1, 3), axis=0).max() == 0
