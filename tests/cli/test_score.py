"""`dermalens score`: predictions of anyone's model against the truth."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from dermalens.cli.main import Commands
from dermalens.cli.score import score
from dermalens.data.index import Row, write_index

ISIC = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC"
TRUTH = ("1,0,0,0,0,0,0", "0,1,0,0,0,0,0", "0,1,0,0,0,0,0", "0,0,1,0,0,0,0")
GIVEN = ("0.7,0.3,0,0,0,0,0", "0.2,0.8,0,0,0,0,0", "0.6,0.4,0,0,0,0,0", "0,0.5,0.5,0,0,0,0")
"""Right, right, wrong, right (of two alike the first in the order of the classes counts: bcc)."""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """predictions.csv and truth.csv in the layout of the challenge."""
    for name, lines in (("truth.csv", TRUTH), ("predictions.csv", GIVEN)):
        rows = [f"ISIC_{number},{line}" for number, line in enumerate(lines)]
        (tmp_path / name).write_text("\n".join([ISIC, *rows]) + "\n")
    return tmp_path


def run(*words: object) -> Any:
    program = typer.Typer(cls=Commands, pretty_exceptions_enable=False)
    program.command("score")(score)

    @program.command()
    def other() -> None: ...

    return CliRunner(env={"COLUMNS": "200"}).invoke(program, ["score", *map(str, words), "--draws", "20"])


def test_a_file_in_the_layout_of_the_challenge_is_scored(files: Path) -> None:
    result = run(files / "predictions.csv", files / "truth.csv", "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["accuracy"]["value"] == 0.75
    assert figures["melanoma_auc"]["value"] == 1.0
    assert figures["sensitivity_df"] == {"value": None, "low": None, "high": None, "n": 0}
    assert "No image is akiec, bkl, df, vasc: means over the classes are not defined." in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="file names are Unicode there")
def test_a_file_name_that_is_not_unicode_stands_in_the_report_as_an_escape(files: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(files)
    for name in ("predictions", "truth"):
        Path(f"{name}.csv").rename(os.fsdecode(name.encode() + b"\xe9\x07.csv"))
    given = [os.fsdecode(name + b"\xe9\x07.csv") for name in (b"predictions", b"truth")]
    result = run(*given, "--out", "out")
    assert result.exit_code == 0, result.output
    subject = json.loads(Path("out/report.json").read_text(encoding="utf-8"))["subject"]
    assert subject["command"].startswith(r"dermalens score predictions\xe9\x07.csv truth\xe9\x07.csv --out out")
    assert subject["images_from"].startswith(r"truth\xe9\x07.csv, ")


def test_one_class_only_leaves_figures_undefined_and_says_so(files: Path) -> None:
    for name, lines in (("truth.csv", TRUTH), ("predictions.csv", GIVEN)):
        rows = [f"ISIC_{number},{lines[number]}" for number in (1, 2)]
        (files / name).write_text("\n".join([ISIC, *rows]) + "\n")
    result = run(files / "predictions.csv", files / "truth.csv")
    assert result.exit_code == 0, result.output
    assert "Melanoma AUC: not defined, n = 2" in result.stdout
    assert "Accuracy: 0.500" in result.stdout
    assert "All images are nv" in result.stderr


def test_missing_images_are_refused_in_one_line(files: Path) -> None:
    rows = [f"ISIC_{number},{line}" for number, line in enumerate(GIVEN[:3])]
    (files / "predictions.csv").write_text("\n".join([ISIC, *rows]) + "\n")
    result = run(files / "predictions.csv", files / "truth.csv")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no prediction for 1 of 4 images of the truth: ISIC_3." in result.stderr


def test_a_split_is_scored_on_its_test_part_by_lesion(files: Path) -> None:
    labels = ("mel", "nv", "nv", "bcc")
    rows = [
        Row(f"ISIC_{number}", f"{number}.jpg", label, "one" if number < 2 else f"L{number}", part="test")
        for number, label in enumerate(labels)
    ]
    other = Row("ISIC_9", "9.jpg", "nv", "L9", part="train")
    write_index([*rows, other], files / "split.csv")
    result = run(files / "predictions.csv", files / "split.csv")
    assert "4 images of 3 lesions, split.csv, part test" in result.stdout


def test_confidences_are_scored_when_they_may_be_normalised(files: Path) -> None:
    text = (files / "predictions.csv").read_text().replace("0.7,0.3", "0.9,0.9")
    (files / "predictions.csv").write_text(text)
    refused = run(files / "predictions.csv", files / "truth.csv")
    assert (refused.exit_code, "give --normalise" in refused.stderr) == (2, True)
    assert run(files / "predictions.csv", files / "truth.csv", "--normalise").exit_code == 0


def test_a_report_is_written_where_it_is_asked_for(files: Path) -> None:
    result = run(files / "predictions.csv", files / "truth.csv", "--out", files / "scored", "--prevalence", "0.03")
    assert result.exit_code == 0, result.output
    content = json.loads((files / "scored/report.json").read_text())
    assert content["subject"]["name"] == "predictions.csv"
    assert content["evaluation"]["uncalibrated"] is None
    assert content["evaluation"]["operating_points"]["even"]["threshold"] == 0.5
    assert "NPV at a prevalence of 0.03" in result.stdout
    assert not (files / "scored/figures/reliability_before.png").exists()
    assert (files / "scored/figures/decision_curve_at_prevalence.svg").is_file()
    assert "Evaluation of predictions.csv" in (files / "scored/report.html").read_text()
