"""From a bundle or a prediction file to everything that a report shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from scipy.special import softmax

from dermalens.core.bundle import Manifest, Measured, OperatingPoint
from dermalens.data.index import Row
from dermalens.evaluate import findings_beside as beside
from dermalens.evaluate.evaluation import evaluate_all
from dermalens.evaluate.evaluation_types import EvaluationSettings
from dermalens.evaluate.figures_decisions import read_history
from dermalens.evaluate.findings import Findings, Subject
from dermalens.evaluate.findings_beside import Asked, Bar, Clock
from dermalens.evaluate.gallery import Judged
from dermalens.evaluate.judge import logits_of, scored
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.points import referred
from dermalens.evaluate.predictions import Truth, truth_of
from dermalens.evaluate.predictions_file import Answers
from dermalens.evaluate.subgroups import Cohort, dimensions_of
from dermalens.predict.classifier import Classifier

_NOT_KNOWN: Final = Measured(value=None, low=None, high=None, n=0)
EVEN: Final = OperatingPoint(name="even", threshold=0.5, sensitivity=_NOT_KNOWN, specificity=_NOT_KNOWN)
"""For a prediction file, which brings no operating point."""


def find(
    classifier: Classifier, rows: Sequence[Row], subject: Subject, asked: Asked, bar: Bar
) -> tuple[Findings, Answers]:
    """Judge a bundle on `rows`: every figure, and what was asked for beside.

    Raises:
        DataError: labels that the bundle does not know, an image that cannot be read, or no log in the run folder.
        DermaLensError: a prevalence that is not between 0 and 1.
    """
    clock = Clock(bar)
    history = read_history(asked.run) if asked.run else None
    truth = truth_of(rows, classifier.manifest.classes)
    with clock.step(len(rows), "Classifying") as advance:
        logits = logits_of(classifier, rows, advance=advance)
    found = scored(classifier, logits, truth)
    with clock.step(1, "Measuring"):
        evaluation = evaluate_all(found, softmax(logits, axis=1), truth, _settings(classifier.manifest, asked))
    findings = Findings(
        subject=subject,
        evaluation=evaluation,
        subgroups=beside.subgroups_of(classifier, rows, found, asked, clock),
        robustness=beside.robustness_of(classifier, rows, asked, clock),
        faithfulness=beside.faithfulness_of(classifier, rows, asked, clock),
        inside=beside.inside_of(classifier, rows, asked, clock),
        against=beside.against_of(asked, found, truth, rows, clock),
        history=history,
        galleries=beside.galleries_of(Judged(classifier, rows, found.labels, found.probabilities), asked, clock),
        seconds=clock.seconds,
    )
    return findings, _answers(found, rows, classifier.operating_point().threshold)


def find_scored(
    found: Scored, truth: Truth, rows: Sequence[Row], subject: Subject, settings: EvaluationSettings
) -> Findings:
    """Judge probabilities that came as a file; groups are measured where the truth says something of them.

    Raises:
        DermaLensError: a prevalence that is not between 0 and 1.
    """
    cohort = Cohort(found, truth.lesions, EVEN.threshold)
    return Findings(
        subject=subject,
        evaluation=evaluate_all(found, None, truth, replace(settings, operating_points=(EVEN,))),
        subgroups=beside.grouped(cohort, dimensions_of(rows), draws=settings.draws),
    )


def _settings(manifest: Manifest, asked: Asked) -> EvaluationSettings:
    return EvaluationSettings(
        draws=asked.draws,
        operating_points=tuple(manifest.operating_points),
        conformal=manifest.conformal,
        base_prevalence=manifest.prevalence,
        prevalence=asked.prevalence,
    )


def _answers(found: Scored, rows: Sequence[Row], threshold: float) -> Answers:
    """What is written as predictions; the decision rests on the probabilities alone, as no picture is refused here."""
    return Answers(
        rows=rows,
        classes=found.classes,
        labels=found.labels,
        probabilities=found.probabilities,
        malignant_probabilities=found.malignant_probability.tolist(),
        decisions=["refer" if refers else "reassure" for refers in referred(found, threshold)],
    )
