"""The report of an evaluation: report.json, report.html and the figures, in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dermalens import __version__
from dermalens.core.errors import DataError
from dermalens.core.files import write_whole
from dermalens.core.statements import INTENDED_USE
from dermalens.evaluate import report_beside as beside
from dermalens.evaluate import report_sections as sections
from dermalens.evaluate.document import Block, Bullets, Document, Picture, Section
from dermalens.evaluate.document_html import DISCLAIMER, to_html
from dermalens.evaluate.figure_style import save
from dermalens.evaluate.figures import figures_of
from dermalens.evaluate.findings import Findings
from dermalens.evaluate.report_json import FORMAT, Plain, as_text, plain

REPORT_JSON: Final = "report.json"
REPORT_HTML: Final = "report.html"
FIGURES: Final = "figures"


def make_folder(folder: Path) -> None:
    """Make the folder of a report, before anything is worked out; figures of an older report in it go.

    Raises:
        DataError: it cannot be made.
    """
    try:
        (folder / FIGURES).mkdir(parents=True, exist_ok=True)
        if (folder / REPORT_JSON).is_file():
            for old in [*(folder / FIGURES).glob("*.png"), *(folder / FIGURES).glob("*.svg")]:
                old.unlink()
    except OSError as error:
        raise _cannot_write(folder, error) from error


def write_report(findings: Findings, folder: Path) -> None:
    """Write report.json, report.html and the figures into a folder that `make_folder` has made.

    Raises:
        DataError: the folder cannot be written to.
    """
    try:
        pictures = {
            drawn.name: Picture(drawn.title, drawn.alt, save(drawn, folder / FIGURES)) for drawn in figures_of(findings)
        }
        page = to_html(report_document(findings, pictures))
        write_whole(folder / REPORT_JSON, as_text(report_content(findings)).encode())
        write_whole(folder / REPORT_HTML, page.encode())
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(folder: Path, error: OSError) -> DataError:
    return DataError(f"Cannot write into {folder}: {error.strerror}. Choose another folder with --out.")


def report_content(findings: Findings) -> Plain:
    """What report.json holds: everything but the pictures, undefined as None."""
    found: Plain = plain(findings)
    return {
        "format": FORMAT,
        "dermalens": __version__,
        "intended_use": INTENDED_USE,
        **{name: value for name, value in found.items() if name != "galleries"},
    }


def report_document(findings: Findings, pictures: sections.Pictures) -> Document:
    """The page, section by section."""
    evaluation = findings.evaluation
    parts: list[Section | None] = [
        sections.overall(evaluation),
        sections.classes(evaluation, pictures),
        sections.calibration(evaluation, pictures),
        sections.decisions(evaluation, pictures),
        sections.prediction_sets(evaluation, pictures),
        beside.subgroups(findings.subgroups, pictures) if findings.subgroups else None,
        beside.robustness(findings.robustness, pictures) if findings.robustness else None,
        beside.against(findings.against, findings.subject.name) if findings.against else None,
        beside.explanation(findings, pictures),
        beside.learning(pictures),
        _limits(findings),
        beside.reproduction(findings),
    ]
    title = f"Evaluation of {findings.subject.name}"
    return Document(title, _opening(findings), tuple(part for part in parts if part))


def _opening(findings: Findings) -> tuple[Block, ...]:
    subject = findings.subject
    names = ("balanced_accuracy", "malignant_auc", "melanoma_auc", "expected_calibration_error")
    summary = sections.figure_table("In short", findings.evaluation.overall, names)
    return DISCLAIMER, f"On {subject.images_from}. {subject.seen}", summary


def _limits(findings: Findings) -> Section | None:
    limits = findings.subject.limits
    return Section("Limits", (Bullets(limits),)) if limits else None
