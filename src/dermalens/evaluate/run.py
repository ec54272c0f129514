"""An evaluation from start to end: read, check, judge, write. What `dermalens evaluate` and `dermalens score` do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dermalens.core.bundlefile import check_replaceable
from dermalens.core.errors import DataError
from dermalens.core.prevalence import check_prevalence
from dermalens.data.index import Row
from dermalens.data.split import split_sha256
from dermalens.evaluate.evaluation_types import EvaluationSettings
from dermalens.evaluate.findings import Findings, Subject, bundle_figures
from dermalens.evaluate.findings_beside import Asked, Bar
from dermalens.evaluate.findings_of import find, find_scored
from dermalens.evaluate.predictions_file import Answers, read_predictions, write_isic, write_ours
from dermalens.evaluate.record import read_own_split, record_figures, rows_of
from dermalens.evaluate.report import make_folder, write_report
from dermalens.evaluate.report_names import as_given
from dermalens.evaluate.seen import check_unseen
from dermalens.evaluate.truth_file import default_part, matched, read_truth
from dermalens.predict.classifier import DEFAULT_BUNDLE, Classifier, load

PREDICTIONS, PREDICTIONS_ISIC, GALLERIES = "predictions.csv", "predictions_isic.csv", "galleries"


@dataclass(frozen=True, slots=True)
class Order:
    """An evaluation of a bundle as it was ordered."""

    bundle: Path | None
    """None is the one of the package."""
    index: Path
    out: Path
    command: str
    part: str = "test"
    against: Path | None = None
    """A second bundle."""
    asked: Asked = field(default_factory=Asked)
    allow_seen: bool = False
    record: bool = False
    """Write the figures into the bundle."""


@dataclass(frozen=True, slots=True)
class ScoreOrder:
    """A scoring of a prediction file as it was ordered."""

    predictions: Path
    truth: Path
    command: str
    part: str | None = None
    out: Path | None = None
    """None writes no folder."""
    normalise: bool = False
    settings: EvaluationSettings = field(default_factory=EvaluationSettings)


def run_evaluation(order: Order, bar: Bar) -> Findings:
    """Judge a bundle and write its folder.

    Raises:
        DermaLensError: whatever of the order cannot be met: a bundle that is none, an unknown part, images that the
            bundle learned from, a folder that cannot be written to.
    """
    if order.record and order.part != "test":
        raise DataError(f"--record takes the test part only; --part {order.part} was given.")
    if order.asked.prevalence is not None:
        check_prevalence(order.asked.prevalence)
    classifier, rows = load(order.bundle), rows_of(order.index, order.part)
    others = [load(order.against)] if order.against else []
    if any(other.bundle.sha256 == classifier.bundle.sha256 for other in others):
        raise DataError("--against names the bundle itself (same SHA-256). Name another one.")
    if order.record:
        read_own_split(classifier.bundle, order.index)
        check_replaceable(order.bundle or DEFAULT_BUNDLE)
    seen = [
        check_unseen(one.manifest, order.index, rows, part=order.part, allow_seen=order.allow_seen)
        for one in (classifier, *others)
    ]
    make_folder(order.out)
    asked = replace(order.asked, galleries=order.out / GALLERIES, against=others[0] if others else None)
    findings, answers = find(classifier, rows, _subject(classifier, order, seen[0]), asked, bar)
    if findings.against and findings.against.name == findings.subject.name:
        named = f"{findings.against.name} ({findings.against.sha256[:8]})"
        findings = replace(findings, against=replace(findings.against, name=named))
    _write_predictions(answers, order.out)
    try:
        if order.record:
            findings = _recorded(findings, classifier, order)
    finally:  # a bundle that cannot be written must not cost the report
        write_report(findings, order.out)
    return findings


def _subject(classifier: Classifier, order: Order, seen: str) -> Subject:
    manifest = classifier.manifest
    return Subject(
        name=f"{manifest.name} {manifest.version}",
        sha256=classifier.bundle.sha256,
        images_from=f"{as_given(order.index)}, part {order.part}",
        seen=seen,
        command=order.command,
        split_sha256=_split_sha256(order.index),
        limits=tuple(manifest.limits),
    )


def _split_sha256(index: Path) -> str:
    rows = rows_of(index, "all")
    return split_sha256(rows) if any(row.part for row in rows) else ""


def _recorded(findings: Findings, classifier: Classifier, order: Order) -> Findings:
    """The same about the bundle with its new figures, whose hash is another."""
    folder = order.bundle or DEFAULT_BUNDLE
    bundle = record_figures(folder, classifier.bundle, bundle_figures(findings.evaluation), order.index)
    return replace(findings, subject=replace(findings.subject, sha256=bundle.sha256))


def _write_predictions(answers: Answers, folder: Path) -> None:
    try:
        write_ours(answers, folder / PREDICTIONS)
        write_isic(answers, folder / PREDICTIONS_ISIC)
    except OSError as error:
        raise DataError(f"Cannot write into {folder}: {error.strerror}. Choose another folder with --out.") from error


def run_scoring(order: ScoreOrder) -> Findings:
    """Score a prediction file, and write its folder where one is asked for.

    Raises:
        DermaLensError: predictions and truth that do not fit together, or a folder that cannot be written to.
    """
    if order.settings.prevalence is not None:
        check_prevalence(order.settings.prevalence)
    predictions = read_predictions(order.predictions, normalise=order.normalise)
    rows = read_truth(order.truth, order.part)
    found, truth = matched(predictions, rows)
    findings = find_scored(found, truth, rows, _file_subject(order, rows), order.settings)
    if order.out:
        make_folder(order.out)
        write_report(findings, order.out)
    return findings


def _file_subject(order: ScoreOrder, rows: Sequence[Row]) -> Subject:
    part = order.part or (default_part(order.truth) if any(row.part for row in rows) else "all")
    return Subject(
        name=as_given(Path(order.predictions.name)),
        sha256="",
        images_from=f"{as_given(order.truth)}, part {part}",
        seen="A prediction file says nothing of what its model learned from.",
        command=order.command,
    )
