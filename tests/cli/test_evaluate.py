"""`dermalens evaluate`: the folder that it writes, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from dermalens.cli.main import app
from dermalens.core.bundle import Calibration
from dermalens.core.bundlefile import read_bundle
from dermalens.core.taxonomy import CLASSES
from dermalens.data.index import Row
from dermalens.data.split import write_split
from tests.tiny_bundle import lesion, tiny_manifest, write_tiny_bundle

MISTAKEN = ("mel", "nv")
"""Looks like the first, is labelled the second."""


def drawn_split(folder: Path) -> tuple[Path, str]:
    """Two drawn lesions of each class and a mistaken one in test, one of each class in train; and its hash."""
    rows: list[Row] = []
    looks = [(code, code, part) for code in CLASSES for part in ("test", "test", "train")]
    for shown, label, part in [*looks, (*MISTAKEN, "test")]:
        path = folder / f"{len(rows)}.png"
        lesion(shown, (150 + len(rows), 150)).save(path)
        sex = ("female", "male")[len(rows) % 2]
        rows.append(Row(path.stem, str(path), label, f"L{len(rows)}", sex=sex, source="HAM10000", part=part))
    return folder / "split.csv", write_split(rows, folder / "split.csv", seed=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A split, a bundle that was trained on it, and one that takes every lesion for a naevus."""
    folder = tmp_path_factory.mktemp("evaluate")
    _, sha256 = drawn_split(folder)
    provenance = tiny_manifest({"model.onnx": b""}).provenance
    known = provenance.model_copy(update={"split_sha256": sha256, "data": ["HAM10000: drawn"]})
    stubborn = Calibration(method="vector", scale=[1e-9] * 7, shift=[0.0] * 5 + [9.0, 0.0], n=10)
    write_tiny_bundle(folder / "tiny", provenance=known)
    write_tiny_bundle(folder / "mole", name="mole", calibration=stubborn, provenance=known)
    return folder


def evaluate(folder: Path, *words: object, bundle: str = "tiny") -> Any:
    fixed = [folder / bundle, folder / "split.csv", "--out", folder / "out", "--draws", "20", "--heat-only"]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["evaluate", *map(str, [*fixed, *words])])


@pytest.fixture(scope="module")
def result(folder: Path) -> Any:
    """One whole evaluation against another bundle, recorded in the bundle."""
    return evaluate(folder, "--against", folder / "mole", "--prevalence", "0.03", "--record")


def test_the_main_figures_stand_on_standard_output(result) -> None:
    assert result.exit_code == 0, result.output
    assert "15 images of 15 lesions, split.csv, part test" in result.stdout
    assert "Accuracy: 0.933" in result.stdout
    assert "PPV at a prevalence of 0.03" in result.stdout
    assert "tiny 1.0 less mole 1.0\n  Accuracy: +0.733" in result.stdout
    assert "McNemar, most probable class: only tiny 1.0 right in 12, only mole 1.0 in 1 of 15" in result.stdout


def test_two_bundles_of_one_name_are_told_apart(folder: Path) -> None:
    write_tiny_bundle(folder / "twin", calibration=read_bundle(folder / "mole").manifest.calibration)
    found = evaluate(folder, "--against", folder / "twin", "--allow-seen", "--out", folder / "beside")
    assert found.exit_code == 0, found.output
    sha256 = read_bundle(folder / "twin").sha256
    assert f"tiny 1.0 less tiny 1.0 ({sha256[:8]})" in found.stdout


def test_a_bundle_is_held_against_the_one_of_the_package(folder: Path) -> None:
    found = evaluate(folder, "--against", "packaged", "--allow-seen", "--out", folder / "beside")
    assert found.exit_code == 0, found.output
    assert "tiny 1.0 less default " in found.stdout


def test_the_folder_holds_report_figures_and_predictions(result, folder: Path) -> None:
    names = {path.relative_to(folder / "out").as_posix() for path in (folder / "out").rglob("*") if path.is_file()}
    assert names >= {"report.html", "report.json", "predictions.csv", "predictions_isic.csv"}
    assert names >= {"figures/roc_curves.png", "figures/roc_curves.svg", "galleries/right_and_wrong.png"}
    page = (folder / "out/report.html").read_text()
    assert page.count("<svg") >= 14
    assert page.count("data:image/jpeg;base64,") == 2
    assert "Against mole 1.0" in page
    with Image.open(folder / "out/figures/confusion_counts.png") as picture:
        assert picture.width > 500


def test_the_report_says_what_was_typed_and_nothing_of_this_machine(result, folder: Path) -> None:
    content = json.loads((folder / "out/report.json").read_text())
    assert content["subject"]["command"].startswith("dermalens evaluate tiny split.csv --out out --against mole")
    assert "The test part of the split that the bundle was trained on" in content["subject"]["seen"]
    assert str(folder) not in (folder / "out/report.json").read_text()
    assert str(folder) not in (folder / "out/report.html").read_text()


def test_predictions_name_the_one_that_is_mistaken(result, folder: Path) -> None:
    with (folder / "out/predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["given"], row["label"]) for row in rows if row["given"] != row["label"]] == [MISTAKEN]
    assert {row["decision"] for row in rows if row["label"] == "mel"} == {"refer"}
    header = (folder / "out/predictions_isic.csv").read_text().splitlines()[0]
    assert header == "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC"


def test_the_recorded_figures_are_those_of_the_report(result, folder: Path) -> None:
    bundle = read_bundle(folder / "tiny")
    content = json.loads((folder / "out/report.json").read_text())
    assert bundle.manifest.metrics["accuracy"].model_dump() == content["evaluation"]["overall"]["accuracy"]
    assert content["subject"]["sha256"] == bundle.sha256


def test_a_folder_named_packaged_is_not_the_bundle_of_the_package(folder: Path, tmp_path: Path, monkeypatch) -> None:
    copytree(folder / "mole", tmp_path / "packaged")
    monkeypatch.chdir(tmp_path)
    cards = [CliRunner().invoke(app, ["card", *words]).stdout for words in (["./packaged"], ["packaged"], [])]
    assert cards[0] == CliRunner().invoke(app, ["card", str(folder / "mole")]).stdout
    assert cards[1] == cards[2] != cards[0]


def test_the_card_takes_the_report_of_its_bundle_and_of_no_other(result, folder: Path) -> None:
    report = str(folder / "out/report.json")
    card = CliRunner().invoke(app, ["card", str(folder / "tiny"), "--report", report])
    assert card.exit_code == 0, card.output
    assert "## Each class" in card.stdout
    other = CliRunner().invoke(app, ["card", str(folder / "mole"), "--report", report])
    assert (other.exit_code, "is the report of another bundle" in other.stderr) == (2, True)


def test_scoring_the_written_predictions_gives_the_same_figures(result, folder: Path) -> None:
    from dermalens.evaluate.evaluation_types import EvaluationSettings
    from dermalens.evaluate.run import ScoreOrder, run_scoring

    content = json.loads((folder / "out/report.json").read_text())["evaluation"]["overall"]
    for name in ("predictions.csv", "predictions_isic.csv"):
        order = ScoreOrder(folder / "out" / name, folder / "split.csv", "", settings=EvaluationSettings(draws=20))
        found = run_scoring(order).evaluation.overall
        assert found["negative_log_likelihood"].value == pytest.approx(content["negative_log_likelihood"]["value"])
        assert found["macro_auc"].low == pytest.approx(content["macro_auc"]["low"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--part", "train"], "part train of the bundle's own split: the bundle learned from them"),
        (["--part", "all"], "the bundle learned from most of them"),
        (["--part", "exam"], "--part exam is unknown"),
        (["--part", "train", "--record"], "--record takes the test part only"),
        (["--prevalence", "3"], "0 and 1"),
        (["--run", "nowhere"], "metrics.csv cannot be read"),
        (["--against", "nowhere"], "nowhere does not exist"),
        (["--against", "MOLE"], "--against names the bundle itself"),
    ],
)
def test_what_cannot_be_judged_is_refused_at_once(folder: Path, words: list[str], message: str) -> None:
    given = [folder / "mole" if word == "MOLE" else word for word in words]
    refused = evaluate(folder, *given, bundle="mole")
    assert (refused.exit_code, message in refused.stderr) == (2, True), refused.stderr


def test_a_bundle_folder_that_could_not_be_written_anew_is_said_before_anything_is_worked_out(folder: Path) -> None:
    (folder / "mole" / "card.md").write_text("mine")
    try:
        refused = evaluate(folder, "--record", bundle="mole")
    finally:
        (folder / "mole" / "card.md").unlink()
    assert (refused.exit_code, "holds what no bundle does: card.md" in refused.stderr) == (2, True), refused.stderr


def test_a_folder_that_cannot_be_written_to_is_said_before_anything_is_worked_out(folder: Path) -> None:
    refused = evaluate(folder, "--out", folder / "split.csv", bundle="mole")
    assert (refused.exit_code, "Choose another folder with --out" in refused.stderr) == (2, True)
