import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dermalens.cli.main import app as main_app
from dermalens.core.errors import DataError
from dermalens.data.index import read_index, write_index
from dermalens.data.split import read_split
from tests.data.conftest import save, write_csv

Run = Callable[..., Any]


@pytest.fixture
def indexed(run: Run, tmp_path: Path) -> Path:
    """An index of class folders, six images a class."""
    for number in range(12):
        save(tmp_path / "photos" / ("mel", "nv")[number % 2] / f"{number}.jpg", number)
    run("index", tmp_path / "photos", "--out", tmp_path / "index.csv")
    return tmp_path / "index.csv"


def test_index_counts_the_classes_and_says_what_comes_next(run: Run, kaggle: Path, tmp_path: Path) -> None:
    result = run("index", kaggle, "--out", tmp_path / "index.csv")
    assert "  mel                       2    50.0%" in result.stdout
    assert f"4 images of 3 lesions written to {tmp_path / 'index.csv'}" in result.stdout
    assert "Next: dermalens data split" in result.stderr
    assert len(read_index(tmp_path / "index.csv")) == 4


def test_index_stops_at_bad_images_and_writes_nothing(run: Run, kaggle: Path, tmp_path: Path) -> None:
    (kaggle / "HAM10000_images_part_1" / "ISIC_0000001.jpg").unlink()
    with pytest.raises(DataError, match="1 missing image: ISIC_0000001.*--skip-bad"):
        run("index", kaggle, "--out", tmp_path / "index.csv")
    assert not (tmp_path / "index.csv").exists()


def test_skip_bad_leaves_out_and_says_so(run: Run, kaggle: Path, tmp_path: Path) -> None:
    (kaggle / "HAM10000_images_part_1" / "ISIC_0000001.jpg").unlink()
    result = run("index", kaggle, "--out", tmp_path / "index.csv", "--skip-bad", "--json")
    assert "Left out 1 of 4 images: 1 missing image: ISIC_0000001." in result.stderr
    found = json.loads(result.stdout)
    assert (found["images"], found["left_out"]) == (3, 1)
    assert len(read_index(tmp_path / "index.csv")) == 3


def test_skip_bad_leaves_out_a_line_whose_file_name_is_too_long(run: Run, tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", 1)
    table = write_csv(tmp_path / "list.csv", ("path,label", "a.jpg,nv", f"{'n' * 300}.jpg,mel"))
    result = run("index", table, "--out", tmp_path / "index.csv", "--skip-bad")
    assert f"Left out 1 of 2 images: 1 missing image: {'n' * 300}." in result.stderr
    assert [row.image_id for row in read_index(tmp_path / "index.csv")] == ["a"]


def test_index_warns_when_no_lesions_are_known(run: Run, tmp_path: Path) -> None:
    save(tmp_path / "photos" / "mel" / "a.jpg", 1)
    result = run("index", tmp_path / "photos", "--out", tmp_path / "index.csv")
    assert "No lesion ids were found" in result.stderr


def test_split_writes_parts_and_its_hash(run: Run, indexed: Path, tmp_path: Path) -> None:
    result = run("split", indexed, "--out", tmp_path / "split.csv", "--shares", "50/25/25")
    split = read_split(tmp_path / "split.csv")
    assert f"SHA-256 {split.sha256}" in result.stdout
    assert {part: len(split.part(part)) for part in ("train", "val", "test")} == {"train": 6, "val": 4, "test": 2}


def test_split_as_json_names_the_hash_and_the_folds(run: Run, indexed: Path, tmp_path: Path) -> None:
    found = json.loads(run("split", indexed, "--out", tmp_path / "split.csv", "--folds", 2, "--json").stdout)
    assert found["sha256"] == read_split(tmp_path / "split.csv").sha256
    assert found["folds"] == 2


def test_split_keeps_the_parts_of_folders_only_when_asked(run: Run, tmp_path: Path) -> None:
    for number, part in enumerate(("train", "train", "val", "test")):
        save(tmp_path / "photos" / part / "nv" / f"{number}.jpg", number)
    run("index", tmp_path / "photos", "--out", tmp_path / "index.csv")
    run("split", tmp_path / "index.csv", "--out", tmp_path / "kept.csv", "--keep-parts")
    assert [row.part for row in read_split(tmp_path / "kept.csv").rows] == ["test", "train", "train", "val"]
    assert "--keep-parts keeps them" in run("split", tmp_path / "index.csv", "--out", tmp_path / "new.csv").stderr


def test_keeping_parts_and_making_folds_is_refused(run: Run, indexed: Path) -> None:
    assert run("split", indexed, "--keep-parts", "--folds", 3).exit_code == 2


def test_audit_prints_text_json_and_a_figure(run: Run, indexed: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    text = run("audit", indexed, "--figure", tmp_path / "classes.png")
    assert "12 images of 12 lesions" in text.stdout
    assert (tmp_path / "classes.png").stat().st_size > 1000
    assert json.loads(run("audit", indexed, "--json").stdout)["images"] == 12


def test_a_figure_is_a_png_and_is_called_so(indexed: Path, tmp_path: Path) -> None:
    words = ["data", "audit", str(indexed), "--figure", str(tmp_path / "f.jpg")]
    result = CliRunner(env={"COLUMNS": "400"}).invoke(main_app, words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "ends in .png" in result.stderr
    assert not (tmp_path / "f.jpg").exists()


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_audit_of_a_leaking_split_reports_and_then_refuses(indexed: Path, tmp_path: Path, form: list[str]) -> None:
    parts = ("train", "val", "test")
    rows = [replace(row, lesion_id=f"L{n // 2}", part=parts[n % 3]) for n, row in enumerate(read_index(indexed))]
    write_index(rows, tmp_path / "leaking.csv")
    result = CliRunner().invoke(main_app, ["data", "audit", str(tmp_path / "leaking.csv"), *form])
    assert result.exit_code == 2
    assert "error: 6 lesions are in more than one of train, val, test: L0, L1, L2, L3, L4 and 1 more." in result.stderr
    if form:
        assert json.loads(result.stdout)["leaking_lesions"] == ["L0", "L1", "L2", "L3", "L4", "L5"]
    else:
        assert "Lesions in more than one part or fold: 6" in result.stdout


def test_audit_takes_the_extra_images_of_a_recipe_as_train(run: Run, indexed: Path, tmp_path: Path) -> None:
    run("split", indexed, "--out", tmp_path / "split.csv", "--shares", "50/25/25")
    held_out = read_split(tmp_path / "split.csv").part("test")[0]
    save(tmp_path / "more" / "nv" / "other.jpg", int(held_out.image_id), quality=50)
    run("index", tmp_path / "more", "--out", tmp_path / "more.csv")
    found = json.loads(run("audit", tmp_path / "split.csv", "--extra", tmp_path / "more.csv", "--json").stdout)
    assert found["near_duplicates"][0]["images"] == [held_out.image_id, "other"]
    assert found["leaks"] == 1


def test_cache_says_how_large_it_is_and_what_to_use(run: Run, indexed: Path, tmp_path: Path) -> None:
    result = run("cache", indexed, "--out", tmp_path / "copy", "--side", 48)
    assert "12 images, " in result.stdout
    assert f"use {tmp_path / 'copy' / 'index.csv'} in the recipe" in result.stderr
    assert "(12 were there)" in run("cache", indexed, "--out", tmp_path / "copy", "--side", 48).stdout
