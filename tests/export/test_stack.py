"""An ensemble from drawn pictures to a bundle that answers: folds, resume, stack, parity, benign/malignant answers."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from typer.testing import CliRunner

from dermalens.cli.main import app
from dermalens.core.bundle import Logistic, Manifest
from dermalens.core.bundlefile import read_bundle
from dermalens.core.errors import DataError, ExportError, RecipeError, TrainingError
from dermalens.core.taxonomy import MALIGNANT
from dermalens.data.index import read_index, write_index
from dermalens.data.split import write_split
from dermalens.evaluate.judge import read_squares
from dermalens.evaluate.record import rows_of
from dermalens.export.finished import read_run
from dermalens.export.run import ExportOptions
from dermalens.export.stack import _named, check_alike, export_ensemble
from dermalens.models.heads import LesionClassifier
from dermalens.predict.classifier import load
from dermalens.predict.ensemble import combined
from dermalens.train.ensemble import train_ensemble
from dermalens.train.ensemble_recipe import EnsembleRecipe, read_any_recipe
from dermalens.train.recipe import read_recipe
from dermalens.train.run import train
from tests.drawn_lesions import draw_split

RECIPES = Path(__file__).parents[2] / "recipes"
IN_PART = {"train": 4, "val": 10, "test": 2}  # of each class; parity wants 64 validation images
CHEAP = (
    "data.workers=0",
    "preprocess.side_pixels=48",
    "preprocess.clean=[]",
    "augment.sides_pixels=[[0, 48]]",
    "trainer.epochs=1",
    "trainer.head_epochs=0",
    "trainer.batch_size=8",
    "trainer.accelerator=cpu",
    "model.weights=none",
    'members={first={model={backbone="tiny"}}, second={seed=2, model={backbone="tiny", hidden=8}}}',
)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_split(tmp_path_factory.mktemp("drawn"), IN_PART, folds=2, source="drawn")


def ensemble_of(split: Path, *changes: str) -> EnsembleRecipe:
    recipe = read_any_recipe(RECIPES / "lesionlens.toml", [f"data.split='{split}'", *CHEAP, *changes])
    assert isinstance(recipe, EnsembleRecipe)
    return recipe


def written(folder: Path) -> dict[str, int]:
    """When each file of a run was written."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def resumed(split: Path) -> tuple[Path, list[str], dict[str, int]]:
    """An ensemble stopped in the second fold of its second member and resumed; the titles and the files at the stop."""
    torch.set_num_threads(1)
    recipe, folder, titles = ensemble_of(split), split.parent / "ensemble", []

    def stop(title):
        titles.append(title)
        if title == "second, fold 1 of 0 to 1":
            raise TrainingError("stopped by the test")
        return ()

    with pytest.raises(TrainingError, match="stopped by the test"):
        train_ensemble(recipe, folder, watch=stop)
    at_stop = written(folder)
    with pytest.raises(TrainingError, match="already holds an ensemble. Continue it with --resume"):
        train_ensemble(recipe, folder)
    train_ensemble(recipe, folder, resume=True)
    return folder, titles, at_stop


@pytest.fixture(scope="module")
def bundle_folder(resumed: tuple[Path, list[str], dict[str, int]]) -> Path:
    target = resumed[0].parent / "bundle"
    result = CliRunner().invoke(app, ["export", str(resumed[0]), "--out", str(target)])
    assert result.exit_code == 0, result.output
    assert "members: first, second; combiner: logistic" in result.stdout
    return target


def manifest_of(folder: Path) -> Manifest:
    return read_bundle(folder).manifest


def test_an_ensemble_resumes_at_the_member_and_fold_it_was_in(resumed) -> None:
    folder, titles, at_stop = resumed
    assert titles == [
        "first, fold 0 of 0 to 1",
        "first, fold 1 of 0 to 1",
        "first, the whole train part",
        "second, fold 0 of 0 to 1",
        "second, fold 1 of 0 to 1",
    ]
    after = written(folder)
    assert {name: after[name] for name in at_stop if name != "ensemble.json"} == {
        name: time for name, time in at_stop.items() if name != "ensemble.json"
    }
    assert {"second/fold_1.csv", "second/best.ckpt"} <= after.keys() - at_stop.keys()


def test_each_training_image_is_predicted_once_by_a_network_that_has_not_seen_its_fold(resumed, split: Path) -> None:
    folder = resumed[0]
    rows = {row.image_id: row for row in read_index(split) if row.part == "train"}
    seen: list[str] = []
    for fold in (0, 1):
        with (folder / "first" / f"fold_{fold}.csv").open() as stream:
            table = list(csv.DictReader(stream))
        assert {rows[line["image_id"]].fold for line in table} == {fold}
        assert all((line["label"] == "malignant") == (rows[line["image_id"]].label in MALIGNANT) for line in table)
        notes = json.loads((folder / "first" / f"fold_{fold}" / "run.json").read_text())
        assert notes["train_images"] + len(table) == len(rows)
        assert notes["recipe"]["data"]["left_out"] == fold
        assert not (folder / "first" / f"fold_{fold}" / "best.ckpt").exists()
        seen += [line["image_id"] for line in table]
    assert sorted(seen) == sorted(rows)


def test_the_bundle_holds_the_members_and_their_regression(bundle_folder: Path) -> None:
    manifest = manifest_of(bundle_folder)
    assert (manifest.name, manifest.classes, manifest.malignant) == (
        "lesionlens",
        ["benign", "malignant"],
        ["malignant"],
    )
    assert [member.file for member in manifest.members] == ["first.onnx", "second.onnx"]
    assert isinstance(manifest.combiner, Logistic)
    assert manifest.combiner.n == 28
    assert manifest.calibration.n == 70
    assert manifest.provenance.training["second_train_images"] == 28
    assert manifest.provenance.recipe == "lesionlens"


def test_the_bundle_answers_with_the_regression_of_its_members(bundle_folder: Path, resumed, split: Path) -> None:
    classifier = load(bundle_folder)
    squares = read_squares(rows_of(split, "test"), classifier.manifest.preprocess)
    images = torch.from_numpy(squares.copy()).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        logits = [read_run(resumed[0] / name).classifier(images).numpy() for name in ("first", "second")]
    expected = combined(np.stack(logits), classifier.manifest.combiner)
    np.testing.assert_allclose(classifier.run(squares).logits, expected, atol=1e-3)


def test_a_benign_malignant_bundle_answers_in_the_keys_of_every_bundle(bundle_folder: Path, split: Path) -> None:
    image, maps = split.parent / "mel_test_0.png", split.parent / "maps"
    words = ["predict", str(image), "--bundle", str(bundle_folder)]
    result = CliRunner().invoke(app, [*words, "--json", "--heatmap", str(maps)])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert list(answer["probabilities"]) == ["benign", "malignant"]
    assert answer["diagnosis"] == max(answer["probabilities"], key=answer["probabilities"].get)
    assert answer["malignant_probability"] == answer["probabilities"]["malignant"]
    assert answer["decision"] in ("refer", "reassure")
    assert Path(answer["heatmap"]).is_file()
    assert any("malignant from benign only" in limit for limit in answer["limits"])
    table = CliRunner().invoke(app, words).stdout
    assert f"Looks {answer['diagnosis']} (probability {answer['probabilities'][answer['diagnosis']]:.2f})" in table
    row = next(csv.DictReader(io.StringIO(CliRunner().invoke(app, [*words, "--csv"]).stdout)))
    assert float(row["malignant"]) == answer["malignant_probability"]


def test_a_benign_malignant_bundle_is_judged_on_the_seven_diagnoses(
    bundle_folder: Path, split: Path, tmp_path: Path
) -> None:
    words = ["evaluate", str(bundle_folder), str(split), "--record", "--json", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["melanoma_auc"]["value"] is None
    assert (figures["sensitivity_malignant"]["n"], figures["sensitivity_benign"]["n"]) == (6, 8)
    assert figures["malignant_auc"] == figures["macro_auc"]
    card = CliRunner().invoke(app, ["card", str(bundle_folder)]).stdout
    assert "- members: first, second; a logistic regression of their logits, fitted on 28 out-of-fold" in card


def test_runs_that_were_trained_alone_are_averaged(resumed, tmp_path: Path) -> None:
    runs = [str(resumed[0] / name) for name in ("first", "second")]
    without = CliRunner().invoke(app, ["export", *runs])
    assert (without.exit_code, "say where" in without.stderr) == (2, True)
    result = CliRunner().invoke(app, ["export", *runs, "--out", str(tmp_path / "mean"), "--name", "both"])
    assert result.exit_code == 0, result.output
    manifest = manifest_of(tmp_path / "mean")
    assert (manifest.combiner, manifest.name) == ("mean", "both")
    assert manifest.provenance.recipe == "lesionlens_first + lesionlens_second"


def test_runs_with_other_classes_another_split_or_side_are_refused_and_named(
    resumed, split: Path, tmp_path: Path
) -> None:
    smoke = [f"data.split='{split}'", "data.workers=0", "trainer.epochs=1", "data.fold=0"]
    train(read_recipe(RECIPES / "smoke.toml", smoke), tmp_path / "seven")
    runs = [str(resumed[0] / "first"), str(tmp_path / "seven")]
    result = CliRunner().invoke(app, ["export", *runs, "--out", str(tmp_path / "bundle")])
    assert result.exit_code == 2
    assert "smoke has the classes akiec bcc bkl df mel nv vasc, lesionlens_first benign malignant" in result.stderr
    assert "smoke has the held-out part fold 0 of the folds" in result.stderr
    assert not (tmp_path / "bundle").exists()
    held_out = {"here": read_run(tmp_path / "seven")}
    there = replace(held_out["here"], notes={**held_out["here"].notes, "folds_sha256": "f" * 64})
    with pytest.raises(ExportError, match="there has the held-out part fold 0 of the folds ffffffffffff, here"):
        check_alike({**held_out, "there": there})
    first = read_run(resumed[0] / "first")
    notes = tmp_path / "seven" / "run.json"
    notes.write_text(notes.read_text().replace(first.notes["split_sha256"], "0" * 64))
    with pytest.raises(ExportError, match="smoke has the split 000000000000, lesionlens_first"):
        check_alike({"lesionlens_first": first, "smoke": read_run(tmp_path / "seven")})


def test_runs_of_alike_names_are_all_in_the_mean(resumed) -> None:
    run = read_run(resumed[0] / "first")
    named = [replace(run, recipe=run.recipe.model_copy(update={"name": name})) for name in ("a", "a", "a_2", "a")]
    assert list(_named(named)) == ["a", "a_2", "a_2_2", "a_3"]


def test_an_ensemble_that_is_not_complete_is_not_exported(resumed, tmp_path: Path) -> None:
    source = resumed[0]
    for name in ("ensemble.json", "first/run.json", "first/best.ckpt", "second/run.json", "second/best.ckpt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((source / name).read_bytes())
    with pytest.raises(TrainingError, match="the ensemble is not complete. Go on with --resume"):
        export_ensemble(tmp_path, tmp_path / "bundle", ExportOptions())


def test_a_stack_on_a_split_without_folds_says_how_to_get_them(split: Path, tmp_path: Path) -> None:
    write_split([replace(row, fold=None) for row in read_index(split)], tmp_path / "plain.csv", seed=0)
    with pytest.raises(DataError, match="has no folds, which a stack needs .*data split INDEX --folds 5"):
        train_ensemble(ensemble_of(tmp_path / "plain.csv"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_ensemble_resumed_with_another_recipe_is_refused(resumed, split: Path) -> None:
    with pytest.raises(TrainingError, match=r"members.first.optimizer.lr \(was 0.0001, is 0.1\)"):
        train_ensemble(ensemble_of(split, "optimizer.lr=0.1"), resumed[0], resume=True)


def titles_until(last: str, recipe: EnsembleRecipe, folder: Path, *, resume: bool = False) -> list[str]:
    """Train until the run with the title `last` would begin; the titles so far."""
    titles: list[str] = []

    def stop(title):
        titles.append(title)
        if title == last:
            raise TrainingError("stopped by the test")
        return ()

    with pytest.raises(TrainingError, match="^stopped by the test$"):
        train_ensemble(recipe, folder, resume=resume, watch=stop)
    return titles


FIRST_RUN = "first, fold 0 of 0 to 1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.backbone=tinny", "Member second: members.second.model.backbone 'tinny' is unknown"),
        ("model.weights=/no/such", "Member second: No weights at /no/such"),
        ('model.frozen=["nope"]', "Member second: members.second.model.frozen: no layer is called nope"),
    ],
)
def test_a_member_that_cannot_be_built_is_refused_before_the_first_epoch(
    split: Path, tmp_path: Path, change: str, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        train_ensemble(ensemble_of(split, f"members.second.{change}"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_side_that_a_member_cannot_take_is_refused_before_the_first_epoch(split: Path, tmp_path: Path) -> None:
    small = ("members.second.model.backbone=cnn_150", "members.second.augment.sides_pixels=[[0, 32]]")
    with pytest.raises(RecipeError, match=r"Member second: cnn_150 .* Raise members\.second\.augment\.sides_pixels\."):
        train_ensemble(ensemble_of(split, *small), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_gpu_that_is_not_there_is_missed_before_the_first_epoch(split: Path, tmp_path: Path) -> None:
    if torch.accelerator.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(TrainingError, match=r"Member second: .*set members\.second\.trainer\.accelerator=\"cpu\""):
        train_ensemble(ensemble_of(split, "members.second.trainer.accelerator=gpu"), tmp_path / "run")


def extra_index(split: Path, target: Path, lesion: str, fold: int | None) -> Path:
    known = next(row for row in read_index(split) if row.part == "train" and row.fold == 0)
    lesion_id = lesion or known.lesion_id
    write_index([replace(known, image_id="extra", lesion_id=lesion_id, part="", fold=fold)], target)
    return target


def test_the_extra_images_of_every_member_are_checked_against_the_folds(split: Path, tmp_path: Path) -> None:
    source = extra_index(split, tmp_path / "extra.csv", "", None)
    with pytest.raises(DataError, match="lesion"):
        train_ensemble(ensemble_of(split, f"members.second.data.extra=['{source}']"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_folds_are_those_of_the_split_not_of_extra_images(split: Path, tmp_path: Path) -> None:
    source = extra_index(split, tmp_path / "extra.csv", "another", 7)
    recipe = ensemble_of(split, f"data.extra=['{source}']")
    assert titles_until(FIRST_RUN, recipe, tmp_path / "run") == [FIRST_RUN]
    assert json.loads((tmp_path / "run" / "ensemble.json").read_text())["folds"] == [0, 1]


def test_a_stack_refuses_start_weights_that_may_know_the_fold_left_out(split: Path, tmp_path: Path) -> None:
    source, state = tmp_path / "best.ckpt", LesionClassifier("tiny", classes=2, weights="none").state_dict()
    torch.save({"state_dict": {f"network.{name}": value for name, value in state.items()}}, source)
    changes = (f"members.first.model.weights='{source}'",)
    with pytest.raises(RecipeError, match=r"Member first: members.first.model.weights .*best.ckpt comes from a run"):
        train_ensemble(ensemble_of(split, *changes), tmp_path / "run")
    mean = ensemble_of(split, *changes, "stack.combiner=mean")
    assert titles_until("first, the whole train part", mean, tmp_path / "run") == ["first, the whole train part"]


def test_a_stack_refuses_a_teacher_that_may_know_the_fold_left_out(split: Path, tmp_path: Path) -> None:
    recipe = ensemble_of(split, f"members.first.teacher.runs=['{tmp_path / 'gone'}']")
    with pytest.raises(RecipeError, match=r"Member first: members\.first\.teacher\.runs .*gone may have learned the"):
        train_ensemble(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_a_run_of_a_mean_has_learned_is_asked_before_the_first_epoch(split: Path, tmp_path: Path) -> None:
    state = LesionClassifier("tiny", classes=7, weights="none").state_dict()
    torch.save(state, tmp_path / "best.ckpt")
    (tmp_path / "run.json").write_text('{"recipe": {}}')
    changes = (f"members.second.model.weights='{tmp_path / 'best.ckpt'}'", "stack.combiner=mean")
    with pytest.raises(TrainingError, match=r"Member second: .*run\.json does not say what the run has learned from"):
        train_ensemble(ensemble_of(split, *changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_member_that_has_not_begun_may_be_corrected(split: Path, tmp_path: Path) -> None:
    folder, changed = tmp_path / "run", "members.first.trainer.batch_size=4"
    titles_until(FIRST_RUN, ensemble_of(split), folder)
    assert titles_until(FIRST_RUN, ensemble_of(split, changed), folder, resume=True) == [FIRST_RUN]
    (folder / "first" / "fold_0").mkdir(parents=True)
    (folder / "first" / "fold_0" / "last.ckpt").touch()
    with pytest.raises(TrainingError, match=r"members.first.trainer.batch_size \(was 4, is 8\)"):
        train_ensemble(ensemble_of(split), folder, resume=True)
    other = ensemble_of(split, changed, "members.second.trainer.batch_size=4")
    assert titles_until(FIRST_RUN, other, folder, resume=True) == [FIRST_RUN]


class OutOfMemory(Callback):
    def on_train_start(self, *_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_member_that_is_too_large_is_named_with_its_key_and_goes_on_smaller(split: Path, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"^Member first: .*Try members\.first\.trainer\.batch_size=4 with members\."
    ):
        train_ensemble(ensemble_of(split), tmp_path / "run", watch=lambda _: [OutOfMemory()])
    smaller = ensemble_of(split, "members.first.trainer.batch_size=4")
    titles_until("first, fold 1 of 0 to 1", smaller, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "first" / "fold_0.csv").is_file()


def test_a_fold_whose_predictions_are_gone_is_trained_again(resumed, split: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(resumed[0], folder)
    table, other = folder / "first" / "fold_0.csv", folder / "first" / "fold_1" / "run.json"
    former, untouched = table.read_text(), other.stat().st_mtime_ns
    table.unlink()
    train_ensemble(ensemble_of(split), folder, resume=True)
    assert [line.split(",")[0] for line in table.read_text().splitlines()] == [
        line.split(",")[0] for line in former.splitlines()
    ]
    assert other.stat().st_mtime_ns == untouched


def test_a_regression_is_not_exported_at_another_side(split: Path, tmp_path: Path) -> None:
    titles_until(FIRST_RUN, ensemble_of(split), tmp_path / "run")
    with pytest.raises(ExportError, match="--side 64 given; the regression of .* is fitted on logits at 48 pixels"):
        export_ensemble(tmp_path / "run", tmp_path / "bundle", ExportOptions(side_pixels=64))
    with pytest.raises(ExportError, match="holds no trained run"):
        export_ensemble(tmp_path / "run", tmp_path / "bundle", ExportOptions(side_pixels=48))
