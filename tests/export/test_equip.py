from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dermalens.cli.main import app
from dermalens.core.bundle import Gate, Outline
from dermalens.core.bundlefile import read_bundle
from dermalens.core.errors import DataError
from dermalens.data.split import folds_sha256, read_split, write_split
from dermalens.evaluate.calibrate import Fitting
from dermalens.export.equip import Recalibration, equip
from dermalens.export.gate import gate_to_onnx
from dermalens.export.gate_fit import FittedGate
from dermalens.predict.classifier import load
from tests.drawn_lesions import draw_split
from tests.tiny_bundle import lesion, tiny_graph, tiny_manifest, write_tiny_bundle


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_split(tmp_path_factory.mktemp("data"), {"train": 1, "val": 4, "test": 1})


@pytest.fixture
def folder(tmp_path: Path, split: Path) -> Path:
    provenance = tiny_manifest({"model.onnx": tiny_graph()}).provenance
    own = provenance.model_copy(update={"split_sha256": read_split(split).sha256})
    write_tiny_bundle(tmp_path / "tiny", provenance=own)
    return tmp_path / "tiny"


def test_a_bundle_gets_prediction_sets_and_prevalence_and_keeps_the_rest(folder: Path, split: Path) -> None:
    before = read_bundle(folder)
    equip(folder, before, split)
    after = read_bundle(folder)
    kept = after.manifest.model_copy(update={"conformal": None, "prevalence": None})
    assert kept == before.manifest
    assert after.graphs == before.graphs
    assert after.manifest.conformal is not None
    labels = [row.label for row in read_split(split).part("val")]
    assert after.manifest.conformal.n == [labels.count(code) for code in after.manifest.classes]
    assert after.manifest.prevalence is not None
    assert 0 < after.manifest.prevalence < 1


def test_the_answer_can_then_be_asked_for_another_prevalence(folder: Path, split: Path) -> None:
    equip(folder, read_bundle(folder), split)
    answer = load(folder).predict(lesion("nv"), prevalence=0.03).as_dict()
    assert answer["prevalence"]["malignant"] == 0.03
    assert answer["prediction_set"]["coverage"] == 0.9


def test_another_split_is_refused(tmp_path: Path, split: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny")
    with pytest.raises(DataError, match=r"is not the split that the bundle was trained on .*Name its own with --split"):
        equip(tmp_path / "tiny", read_bundle(tmp_path / "tiny"), split)


def test_the_command_names_classes_with_too_few_images(folder: Path, split: Path) -> None:
    result = CliRunner().invoke(app, ["equip", str(folder), "--split", str(split), "--coverage", "0.99"])
    assert result.exit_code == 0, result.output
    assert "prediction sets at 99 % coverage" in result.output
    assert (
        "in every set, by too few images or probabilities next to nothing: akiec (4 validation images)" in result.output
    )


def test_a_coverage_that_is_not_given_stays(folder: Path, split: Path) -> None:
    for options in (["--coverage", "0.8"], []):
        result = CliRunner().invoke(app, ["equip", str(folder), "--split", str(split), *options])
        assert result.exit_code == 0, result.output
        assert "prediction sets at 80 % coverage" in result.output


def test_a_coverage_of_nothing_is_refused(folder: Path, split: Path) -> None:
    result = CliRunner().invoke(app, ["equip", str(folder), "--split", str(split), "--coverage", "0"])
    assert result.exit_code == 2
    assert "a share between 0 and 1" in result.output


def test_a_bundle_that_held_out_a_fold_gets_its_sets_from_that_fold(tmp_path: Path, split: Path) -> None:
    rows = [replace(row, fold=number % 2) for number, row in enumerate(read_split(split).rows) if row.part != "test"]
    write_split(rows, tmp_path / "folds.csv", seed=0)
    origin = tiny_manifest({"model.onnx": tiny_graph()}).provenance
    training = {**origin.training, "fold": 1, "folds_sha256": folds_sha256(rows)}
    own = origin.model_copy(update={"split_sha256": read_split(tmp_path / "folds.csv").sha256, "training": training})
    write_tiny_bundle(tmp_path / "tiny", provenance=own)
    equip(tmp_path / "tiny", read_bundle(tmp_path / "tiny"), tmp_path / "folds.csv")
    conformal = read_bundle(tmp_path / "tiny").manifest.conformal
    assert conformal is not None
    assert sum(conformal.n) == sum(row.fold == 1 for row in rows)
    write_split([replace(row, fold=0) for row in rows], tmp_path / "folds.csv", seed=0)
    with pytest.raises(DataError, match="other folds than the bundle was trained with"):
        equip(tmp_path / "tiny", read_bundle(tmp_path / "tiny"), tmp_path / "folds.csv")


def test_a_folder_that_holds_more_than_a_bundle_is_refused_before_the_work(folder: Path, split: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    result = CliRunner().invoke(app, ["equip", str(folder), "--split", str(split)])
    assert result.exit_code == 2
    assert "holds what no bundle does: notes.txt" in result.output
    assert "Classifying" not in result.output


def a_gate() -> tuple[Gate, bytes]:
    content = gate_to_onnx(FittedGate(np.array([1.0, 0.0, -1.0]), 0.2))
    sha256 = hashlib.sha256(content).hexdigest()
    return Gate(file="gate.onnx", sha256=sha256, threshold=0.5, method="drawn", measured={}), content


def test_a_gate_is_added_without_a_split_and_the_rest_stays(folder: Path) -> None:
    before, (note, content) = read_bundle(folder), a_gate()
    equip(folder, before, None, parts=[(note, content)])
    after = read_bundle(folder)
    assert after.manifest == before.manifest.model_copy(update={"gate": note})
    assert after.graphs == {**before.graphs, "gate.onnx": content}


def test_a_second_part_replaces_the_first_and_keeps_the_other_kind(folder: Path) -> None:
    gate, graph = a_gate()
    outline = Outline(file="outline.onnx", sha256=gate.sha256, threshold=0.5, measured={})
    equip(folder, read_bundle(folder), None, parts=[(gate, graph), (outline, graph)])
    moved = outline.model_copy(update={"file": "edge.onnx"})
    written = equip(folder, read_bundle(folder), None, parts=[(moved, graph)])
    assert sorted(path.name for path in folder.iterdir()) == ["bundle.json", "edge.onnx", "gate.onnx", "model.onnx"]
    assert (written.manifest.gate, written.manifest.outline) == (gate, moved)


def test_the_same_parts_give_the_same_bundle(folder: Path, split: Path) -> None:
    first = equip(folder, read_bundle(folder), split, parts=[a_gate()])
    second = equip(folder, read_bundle(folder), split, parts=[a_gate()])
    assert first.sha256 == second.sha256


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Nothing to add was named"),
        (["--split", "SPLIT", "--gate-photos", "photos"], "A gate needs --split CSV, --gate-photos DIR and --masks"),
        (["--split", "SPLIT", "--masks", "masks"], "are for the gate; give --gate-photos DIR"),
        (["--outline", "RUN", "--coverage", "0.95"], "--coverage is for prediction sets"),
        (["--split", "SPLIT", "--coverage", "2"], "--coverage 2 given; needed is a share"),
        (["--calibration", "vector"], "needs --split CSV and a new --version"),
        (["--gate-photos", "photos"], "A gate needs --split"),
        (["--split", "SPLIT", "--calibration", "vector", "--version", "1.0"], "is version 1.0 already"),
    ],
)
def test_options_that_do_not_go_together_are_refused(folder: Path, split: Path, options: list[str], said: str) -> None:
    given = [str(split) if option == "SPLIT" else option for option in options]
    result = CliRunner().invoke(app, ["equip", str(folder), *given])
    assert result.exit_code == 2
    assert said in result.output


def test_a_bundle_is_calibrated_anew(folder: Path, split: Path) -> None:
    before = read_bundle(folder)
    equip(folder, before, split, recalibration=Recalibration(Fitting("vector", 0.45, 0.1), "2.1"))
    after = read_bundle(folder)
    manifest = after.manifest
    assert (manifest.calibration.method, manifest.version, manifest.metrics) == ("vector", "2.1", {})
    assert manifest.calibration.n == len(read_split(split).part("val"))
    assert {"prior_correction": 0.45, "calibration_penalty": 0.1}.items() <= manifest.provenance.training.items()
    thresholds = [point.threshold for point in manifest.operating_points]
    assert thresholds != [point.threshold for point in before.manifest.operating_points]
    assert manifest.operating_points[0].sensitivity.n > 0
    assert manifest.conformal is not None
    assert after.graphs == before.graphs
    equip(folder, after, split, recalibration=Recalibration(Fitting("temperature", 0.3), "2.2"))
    training = read_bundle(folder).manifest.provenance.training
    assert training["prior_correction"] == 0.3
    assert "calibration_penalty" not in training  # that of the earlier one


def test_the_command_calibrates_anew_and_says_what_follows(folder: Path, split: Path) -> None:
    options = ("--calibration", "vector", "--prior-correction", "0.45", "--calibration-penalty", "0.1")
    result = CliRunner().invoke(app, ["equip", str(folder), "--split", str(split), *options, "--version", "2.1"])
    assert result.exit_code == 0, result.output
    assert "version 2.1, vector calibration on 28 validation images" in result.output
    assert "sensitivity_95: threshold 0." in result.output
    assert f"as the bundle has no figures now: dermalens evaluate {folder} {split} --record" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--calibration", "vector"], "a new --version"),
        (["--calibration", "temperature", "--calibration-penalty", "1", "--version", "2"], "only vector scaling"),
        (["--prior-correction", "0.3", "--version", "2"], "--prior-correction and --version given; what is to be"),
        (["--calibration", "vector", "--version", "two words"], "needed are letters, digits"),
    ],
)
def test_a_calibration_that_is_not_whole_is_refused(
    folder: Path, split: Path, options: list[str], message: str
) -> None:
    before = read_bundle(folder).sha256
    result = CliRunner().invoke(app, ["equip", str(folder), "--split", str(split), *options])
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert read_bundle(folder).sha256 == before
