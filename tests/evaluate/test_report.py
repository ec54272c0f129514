"""What a report says: every number from what was found, nothing where nothing is known."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from dermalens.core.bundle import Measured
from dermalens.core.errors import DataError
from dermalens.core.taxonomy import CLASSES
from dermalens.evaluate.document import Bullets, Document, Picture, Table
from dermalens.evaluate.evaluation_types import Discordance, Paired
from dermalens.evaluate.findings import Against, Findings, bundle_figures
from dermalens.evaluate.report import make_folder, report_content, report_document
from dermalens.evaluate.report_json import FORMAT, as_text, plain, read_report
from dermalens.evaluate.report_names import show
from tests.evaluate.drawn_findings import drawn_findings


@pytest.fixture(scope="module")
def findings() -> Findings:
    return drawn_findings()


def words_of(document: Document) -> str:
    """Every word of a document."""
    blocks = [*document.opening, *(block for section in document.sections for block in section.blocks)]
    return "\n".join(map(_words, blocks))


def _words(block: object) -> str:
    if isinstance(block, Bullets):
        return "\n".join(block.items)
    if isinstance(block, Table):
        return "\n".join([block.caption, *(" | ".join(row) for row in (block.head, *block.rows))])
    return block if isinstance(block, str) else ""


def test_the_sections_are_those_that_there_is_something_for(findings: Findings) -> None:
    titles = [section.title for section in report_document(findings, {}).sections]
    assert titles == [
        *("Figures", "Classes", "Calibration", "Decisions", "Prediction sets", "Subgroups", "Limits"),
        "How to reproduce",
    ]


def test_every_table_has_a_caption_and_rows_as_wide_as_its_head(findings: Findings) -> None:
    for section in report_document(findings, {}).sections:
        for table in (block for block in section.blocks if isinstance(block, Table)):
            assert table.caption
            assert {len(row) for row in table.rows} == {len(table.head)}, table.caption


def test_figures_stand_with_their_intervals(findings: Findings) -> None:
    words, evaluation = words_of(report_document(findings, {})), findings.evaluation
    assert f"Malignant AUC | {show(evaluation.overall['malignant_auc'])} | 84" in words
    assert show(evaluation.per_class["mel"]["sensitivity"]) in words
    assert show(evaluation.operating_points["sensitivity_95"].figures["npv"]) in words
    assert show(evaluation.operating_points["sensitivity_95"].at_prevalence["npv"]) in words
    assert "At 3 % malignant lesions" in words


def test_one_class_only_is_said_and_nothing_is_made_up() -> None:
    only_moles = drawn_findings([CLASSES.index("nv")] * 8)
    words = words_of(report_document(only_moles, {}))
    assert "All images are nv: AUC, average precision" in words
    assert "All images are benign" in words
    assert "Melanoma AUC | not defined | 8" in words
    assert not re.search(r"\bnan\b", words, re.IGNORECASE)


def test_a_class_without_images_is_named() -> None:
    words = words_of(report_document(drawn_findings([0, 0, 5, 5, 4]), {}))
    assert "No image is bcc, bkl, df, vasc: means over the classes are not defined." in words


def test_a_prediction_file_has_no_calibration_before(findings: Findings) -> None:
    alone = replace(findings, evaluation=replace(findings.evaluation, uncalibrated=None))
    calibration = next(section for section in report_document(alone, {}).sections if section.title == "Calibration")
    table = next(block for block in calibration.blocks if isinstance(block, Table))
    assert table.head == ("figure", "value (95 % interval)")


def test_another_bundle_gets_a_section_with_signed_differences(findings: Findings) -> None:
    lost = Measured(value=-0.02, low=-0.05, high=0.01, n=84)
    paired = Paired({"accuracy": lost}, None, Discordance(3, 5, 0.7, 1e-9, 84))
    document = report_document(replace(findings, against=Against("other 2", "b" * 64, paired)), {})
    words = words_of(document)
    assert "Against other 2" in [section.title for section in document.sections]
    assert "Accuracy | -0.020 (-0.050 to +0.010) | 84" in words
    assert "malignant or benign | 3 | 5 | 0.7000 | below 0.0001 | 84" in words
    assert "most probable class |" not in words


def test_the_drawn_figures_stand_in_their_sections(findings: Findings) -> None:
    pictures = {name: Picture(name, "alt") for name in ("roc_curves", "subgroups_sex", "training_curves")}
    found = {
        section.title: [block.title for block in section.blocks if isinstance(block, Picture)]
        for section in report_document(findings, pictures).sections
    }
    assert found["Classes"] == ["roc_curves"]
    assert found["Subgroups"] == ["subgroups_sex"]
    assert found["Training"] == ["training_curves"]


def test_report_json_holds_everything_and_is_read_again(findings: Findings, tmp_path) -> None:
    (tmp_path / "report.json").write_text(as_text(report_content(findings)))
    content = read_report(tmp_path / "report.json")
    assert content["format"] == FORMAT
    assert "not a medical device" in content["intended_use"].lower()
    expected = findings.evaluation.overall["accuracy"]
    assert Measured.model_validate(content["evaluation"]["overall"]["accuracy"]) == expected
    assert content["evaluation"]["conformal"]["wanted"] == 0.8
    assert content["robustness"] is None


def test_undefined_figures_are_null_in_json() -> None:
    content = json.loads(as_text(report_content(drawn_findings([5, 5, 5]))))
    assert content["evaluation"]["overall"]["melanoma_auc"] == {"value": None, "low": None, "high": None, "n": 3}


def test_plain_values_are_those_of_json() -> None:
    assert plain({"a": np.float64("nan"), "b": (1, np.int64(2)), "c": np.array([0.5])}) == {
        "a": None,
        "b": [1, 2],
        "c": [0.5],
    }
    with pytest.raises(TypeError, match="complex has no place in a report"):
        plain({"a": 1j})


@pytest.mark.parametrize(
    ("content", "message"), [("{", "is not JSON"), ("[]", "not a report"), ('{"format": "x"}', "its format is 'x'")]
)
def test_another_file_is_no_report(tmp_path, content: str, message: str) -> None:
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read_report(tmp_path / "report.json")


def test_the_figures_of_a_bundle_are_the_main_ones_and_each_sensitivity(findings: Findings) -> None:
    figures = bundle_figures(findings.evaluation)
    assert {"accuracy", "macro_auc", "sensitivity_vasc"} <= set(figures)
    assert figures["sensitivity_vasc"].n == 12


def test_figures_of_an_older_report_go_and_other_files_stay(tmp_path) -> None:
    make_folder(tmp_path)
    (tmp_path / "figures" / "old.png").write_bytes(b"")
    make_folder(tmp_path)
    assert (tmp_path / "figures" / "old.png").exists()  # no report.json: the folder is somebody else's
    (tmp_path / "report.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    make_folder(tmp_path)
    assert not (tmp_path / "figures" / "old.png").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_said_at_once(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="Cannot write into .* Choose another folder with --out"):
        make_folder(tmp_path / "file")
