"""The model card: what it says without a report and with one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermalens.core.bundle import Conformal, Gate, Manifest, Measured
from dermalens.core.errors import DataError
from dermalens.evaluate.card import model_card
from dermalens.evaluate.card_html import model_card_html
from dermalens.evaluate.card_report import read_judged
from dermalens.evaluate.report import report_content
from dermalens.evaluate.report_json import as_text
from dermalens.evaluate.report_names import show
from tests.evaluate.drawn_findings import SUBJECT, drawn_findings
from tests.tiny_bundle import tiny_manifest

GRAPH = {"model.onnx": b"graph"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.json"
    path.write_text(as_text(report_content(drawn_findings())))
    return path


def sections(card: str) -> list[str]:
    return [line.removeprefix("## ") for line in card.splitlines() if line.startswith("## ")]


def test_a_card_without_a_report_is_made_from_the_bundle_alone() -> None:
    card = model_card(tiny_manifest(GRAPH), "f" * 64)
    assert sections(card) == [
        *("Intended use", "Out-of-scope use", "Limits", "Figures", "Operating points", "Data and licence"),
        *("How it was made", "How to reproduce"),
    ]
    assert "f" * 64 in card
    assert "| sensitivity_95 (default) | 0.1000 | 0.950 (0.930 to 0.970) |" in card


@pytest.mark.parametrize("stored", ["half", "quarter"])
def test_the_export_is_given_with_its_options(stored: str) -> None:
    manifest = tiny_manifest(GRAPH)
    origin = manifest.provenance
    noted = {"prior_correction": 0.45, "calibration_penalty": 0.1, f"largest_change_by_{stored}_weights": 0.001}
    training = {**origin.training, **noted}
    update = {"provenance": origin.model_copy(update={"training": training}), "members": manifest.members * 2}
    card = model_card(manifest.model_copy(update=update), "f" * 64)
    assert (
        f"`dermalens export RUN RUN --out BUNDLE --side {manifest.preprocess.side_pixels} --views 1 --calibration "
        f"{manifest.calibration.method} --prior-correction 0.45 --calibration-penalty 0.1 --name {manifest.name} "
        f"--version {manifest.version} --{stored}`"
    ) in card


def test_a_bundle_that_was_never_evaluated_says_so() -> None:
    assert "Not evaluated yet" in model_card(tiny_manifest(GRAPH, metrics={}), "f" * 64)


def test_a_report_adds_classes_calibration_decisions_and_gaps(report: Path) -> None:
    card = model_card(tiny_manifest(GRAPH), SUBJECT.sha256, read_judged(report, SUBJECT.sha256))
    evaluation = drawn_findings().evaluation
    assert {"Each class", "Calibration", "Decisions on the images judged", "Gaps between groups"} <= set(sections(card))
    assert show(evaluation.per_class["mel"]["f1"]) in card
    assert show(evaluation.operating_points["sensitivity_90"].figures["ppv"]) in card
    assert f"- evaluate: `{SUBJECT.command}`" in card


def test_what_each_kind_of_bad_picture_costs_is_said(report: Path, tmp_path: Path) -> None:
    lost = [Measured(value=value, low=value - 0.1, high=value + 0.1, n=150) for value in (0.2, 0.31)]
    content = json.loads(report.read_text(encoding="utf-8"))
    content["robustness"] = {"mean_loss": lost[0].model_dump(), "loss": {"shot_noise": lost[1].model_dump()}}
    other = tmp_path / "report.json"
    other.write_text(json.dumps(content), encoding="utf-8")
    card = model_card(tiny_manifest(GRAPH), SUBJECT.sha256, read_judged(other, SUBJECT.sha256))
    assert f"| Mean loss of balanced accuracy under corruptions | {show(lost[0])} | 150 |" in card
    assert f"| Loss under shot noise | {show(lost[1])} | 150 |" in card
    assert "its losses say less of changes that it has never seen" in card


def test_the_same_report_gives_the_same_card(report: Path) -> None:
    cards = {model_card(tiny_manifest(GRAPH), SUBJECT.sha256, read_judged(report, SUBJECT.sha256)) for _ in range(2)}
    assert len(cards) == 1


def test_the_page_has_the_words_of_the_card(report: Path) -> None:
    judged = read_judged(report, SUBJECT.sha256)
    page = model_card_html(tiny_manifest(GRAPH), SUBJECT.sha256, judged)
    for title in sections(model_card(tiny_manifest(GRAPH), SUBJECT.sha256, judged)):
        assert f">{title}</h2>" in page
    assert "Knows seven colours." in page
    assert "http" not in page


def test_non_commercial_data_put_commercial_use_out_of_scope() -> None:
    bound = tiny_manifest(GRAPH).provenance.model_copy(update={"data_licence": "CC BY-NC 4.0 (inherited)"})
    assert "Commercial use" in model_card(tiny_manifest(GRAPH, provenance=bound), "f" * 64)
    assert "Commercial use" not in model_card(tiny_manifest(GRAPH), "f" * 64)


def test_a_gate_and_prediction_sets_are_described() -> None:
    refused = Measured(value=0.97, low=0.95, high=0.99, n=250)
    gate = Gate(file="gate.onnx", sha256="0" * 64, threshold=0.1, method="logistic", measured={"everyday": refused})
    sets = Conformal(coverage=0.9, thresholds=[0.1] * 7, n=[20] * 7)
    manifest: Manifest = tiny_manifest(GRAPH, gate=gate, conformal=sets)
    card = model_card(manifest, "f" * 64)
    assert "| Everyday | 0.970 (0.950 to 0.990) | 250 |" in card
    assert "Fitted so that 90 % of the images of each class" in card
    assert "| mel (melanoma) | 0.1000 | 20 |" in card


def test_the_report_of_another_bundle_is_refused(report: Path) -> None:
    with pytest.raises(DataError, match="is the report of another bundle"):
        read_judged(report, "b" * 64)


def test_a_report_that_is_not_complete_is_refused(report: Path, tmp_path: Path) -> None:
    content = json.loads(report.read_text())
    del content["evaluation"]["per_class"]
    (tmp_path / "report.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="is not a complete report .*per_class"):
        read_judged(tmp_path / "report.json", SUBJECT.sha256)
