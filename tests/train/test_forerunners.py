from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dermalens.core.errors import TrainingError
from dermalens.data.index import Row, read_index, write_index
from dermalens.data.split import write_split
from dermalens.train.checkpoint import BEST
from dermalens.train.datamodule import LesionData
from dermalens.train.forerunners import check_forerunners
from dermalens.train.notes import NOTES, read_notes
from dermalens.train.recipe import Recipe, read_recipe
from dermalens.train.run import train
from tests.train.conftest import SMOKE

QUICK = ["trainer.epochs=1", "optimizer.warmup_epochs=0", "data.workers=0"]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, split_file: Path) -> Path:
    """A finished run on the drawn split, whose images are said to be of one data set."""
    folder = tmp_path_factory.mktemp("first")
    rows = [replace(row, source="HAM10000") for row in read_index(split_file)]
    write_split(rows, folder / "split.csv", seed=0)
    train(recipe_on(folder / "split.csv"), folder / "run")
    return folder


def recipe_on(split: Path, *overrides: str) -> Recipe:
    return read_recipe(SMOKE, [*QUICK, f"data.split='{split}'", *overrides])


def begun_with(run: Path) -> str:
    return f"model.weights='{run / BEST}'"


def taught_by(run: Path) -> str:
    return f"teacher.runs={json.dumps([str(run)])}"


def split_again(first: Path, folder: Path, change) -> Path:
    """The rows of the first run's split after a change of each, as another split."""
    rows = [change(row) for row in read_index(first / "split.csv")]
    write_split([row for row in rows if row], folder / "other.csv", seed=1)
    return folder / "other.csv"


def nv_0_for_the_test(row: Row) -> Row:
    """nv_0, of the train part, becomes a test image."""
    return replace(row, part="test", fold=None) if row.image_id == "nv_0" else row


def new_lesions(row: Row) -> Row:
    """Other images of the same data set."""
    return replace(row, image_id=f"new_{row.image_id}", lesion_id=f"new_{row.lesion_id}")


def named(recipe: Recipe) -> list[str]:
    return [one.run for one in check_forerunners(recipe, LesionData(recipe))]


@pytest.mark.parametrize("use", [begun_with, taught_by])
def test_what_learned_from_the_test_part_may_neither_start_nor_teach_a_run(first, tmp_path, use):
    recipe = recipe_on(split_again(first, tmp_path, nv_0_for_the_test), use(first / "run"))
    with pytest.raises(TrainingError, match=r"run has learned 1 lesion\(s\) that this run holds out: lesion_nv_0\."):
        train(recipe, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("use", [begun_with, taught_by])
def test_the_same_split_and_one_that_tests_on_other_lesions_are_taken(first, tmp_path, use):
    assert named(recipe_on(first / "split.csv", use(first / "run"))) == [str(first / "run")]
    fewer = split_again(first, tmp_path, lambda row: None if row.image_id == "nv_0" else row)
    assert named(recipe_on(fewer, use(first / "run"))) == [str(first / "run")]
    fresh = split_again(first, tmp_path, new_lesions)
    assert named(recipe_on(fresh, use(first / "run"))) == [str(first / "run")]


def test_the_image_tells_where_the_other_split_does_not_know_the_lesion(first, tmp_path):
    other = split_again(first, tmp_path, lambda row: replace(nv_0_for_the_test(row), lesion_id=row.image_id))
    with pytest.raises(TrainingError, match=r"1 lesion\(s\) that this run holds out: nv_0"):
        named(recipe_on(other, begun_with(first / "run")))


def test_a_fold_that_the_first_run_has_learned_may_not_judge_the_second(first):
    for key in ("fold", "left_out"):
        with pytest.raises(TrainingError, match=r"\d+ lesion\(s\) that this run holds out"):
            named(recipe_on(first / "split.csv", begun_with(first / "run"), f"data.{key}=0"))


def test_a_fold_that_the_first_run_left_out_may_be_judged_again(first, tmp_path):
    train(recipe_on(first / "split.csv", "data.fold=0"), tmp_path / "fold")
    assert named(recipe_on(first / "split.csv", begun_with(tmp_path / "fold"), "data.fold=0"))
    with pytest.raises(TrainingError, match=r"\d+ lesion\(s\) that this run holds out"):
        named(recipe_on(first / "split.csv", begun_with(tmp_path / "fold")))


def test_extra_images_of_the_first_run_count_as_learned(first, tmp_path):
    rows = [new_lesions(row) for row in read_index(first / "split.csv") if row.part == "val"]
    write_index([replace(row, part="") for row in rows], tmp_path / "extra.csv")
    extra = f"data.extra=['{tmp_path / 'extra.csv'}']"
    train(recipe_on(first / "split.csv", extra), tmp_path / "run")
    other = split_again(first, tmp_path, new_lesions)
    with pytest.raises(TrainingError, match=r"learned 14 lesion\(s\) that this run holds out: new_lesion_"):
        named(recipe_on(other, begun_with(tmp_path / "run")))


def moved_away(first: Path, folder: Path) -> Path:
    """The run without the split that it was trained on."""
    shutil.copytree(first / "run", folder)
    notes = (folder / NOTES).read_text()
    (folder / NOTES).write_text(notes.replace(str(first / "split.csv"), "gone.csv"))
    return folder


def test_without_the_former_split_the_data_sets_decide(first, tmp_path):
    run = moved_away(first, tmp_path / "run")
    assert named(recipe_on(first / "split.csv", begun_with(run))) == [str(run)]
    same_set = split_again(first, tmp_path, new_lesions)
    with pytest.raises(TrainingError, match=r"another split .* of HAM10000, and gone\.csv .* cannot be told\. Bring"):
        named(recipe_on(same_set, begun_with(run)))
    another_set = split_again(first, tmp_path, lambda row: replace(new_lesions(row), source="elsewhere"))
    assert named(recipe_on(another_set, begun_with(run))) == [str(run)]


def test_the_data_of_a_forerunner_are_those_of_the_run_and_of_the_run_after_it(first, tmp_path):
    fresh = split_again(first, tmp_path, lambda row: replace(new_lesions(row), source="elsewhere"))
    train(recipe_on(fresh, begun_with(first / "run")), tmp_path / "second")
    notes = read_notes(tmp_path / "second")
    assert notes["sources"] == ["HAM10000", "elsewhere"]
    assert [one["run"] for one in notes["forerunners"]] == [str(first / "run")]
    (tmp_path / "third").mkdir()
    leaking = split_again(first, tmp_path / "third", nv_0_for_the_test)
    with pytest.raises(TrainingError, match=rf"{first / 'run'} has learned 1 lesion"):
        named(recipe_on(leaking, taught_by(tmp_path / "second")))


def test_nothing_is_known_of_weights_without_a_run_beside_them(first, tmp_path):
    weights = tmp_path / "weights"
    weights.mkdir()
    shutil.copy(first / "run" / BEST, weights / BEST)
    recipe = recipe_on(split_again(first, tmp_path, nv_0_for_the_test), begun_with(weights))
    assert named(recipe) == []
    (weights / NOTES).write_text('{"of": "another program"}')
    assert named(recipe) == []
    for damaged in ('{"recipe": {}}', '{"recipe'):
        (weights / NOTES).write_text(damaged)
        with pytest.raises(TrainingError, match=r"run\.json does not say what the run has learned from\. Train it"):
            named(recipe)


def test_a_link_to_a_checkpoint_is_followed_to_its_run(first, tmp_path):
    (tmp_path / BEST).symlink_to(first / "run" / BEST)
    assert named(recipe_on(first / "split.csv", begun_with(tmp_path))) == [str(first / "run")]
