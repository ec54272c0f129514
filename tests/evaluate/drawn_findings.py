"""Findings of made-up answers, for tests of what a report says."""

from __future__ import annotations

import numpy as np

from dermalens.core.taxonomy import CLASSES, MALIGNANT
from dermalens.data.index import Row
from dermalens.evaluate.conformal import fit_conformal
from dermalens.evaluate.evaluation import evaluate_all
from dermalens.evaluate.evaluation_types import Evaluation, EvaluationSettings
from dermalens.evaluate.findings import Findings, Subject
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.predictions import Truth
from dermalens.evaluate.subgroups import Cohort, Subgroups, dimensions_of, measure_subgroups
from tests.tiny_bundle import tiny_manifest

SUBJECT = Subject(
    name="tiny 1.0",
    sha256="a" * 64,
    images_from="split.csv, part test",
    seen="None of them was trained on.",
    command="dermalens evaluate bundle split.csv",
    limits=("Knows seven colours.",),
)


def drawn_scored(labels: list[int], seed: int = 0) -> Scored:
    """Answers that tend to the label."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(len(labels), len(CLASSES))) + 1.5 * np.eye(len(CLASSES))[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Scored(np.array(labels), probabilities, CLASSES, np.array([code in MALIGNANT for code in CLASSES]))


def drawn_evaluation(labels: list[int], *, calibrated: bool = True, prevalence: float | None = None) -> Evaluation:
    """An evaluation of them with ten draws; every image is a lesion of its own."""
    scored = drawn_scored(labels)
    truth = Truth(scored.labels, tuple(map(str, range(len(labels)))))
    settings = EvaluationSettings(
        draws=10,
        operating_points=tuple(tiny_manifest({}, members=[member()]).operating_points),
        conformal=fit_conformal(scored.probabilities, scored.labels, coverage=0.8),
        prevalence=prevalence,
    )
    return evaluate_all(scored, drawn_scored(labels, seed=1).probabilities if calibrated else None, truth, settings)


def member() -> dict[str, str]:
    return {"file": "model.onnx", "sha256": "0" * 64}


def drawn_subgroups(labels: list[int]) -> Subgroups:
    """By sex; the last group is too small to count in a gap."""
    scored, sexes = drawn_scored(labels), ("female", "male")
    rows = [Row(str(n), f"{n}.jpg", "nv", str(n), sex=sexes[n % 2]) for n in range(len(labels))]
    dimensions = {"sex": dimensions_of(rows)["sex"]}
    return measure_subgroups(Cohort(scored, [row.lesion_id for row in rows], 0.3), dimensions, draws=10)


def drawn_findings(labels: list[int] | None = None) -> Findings:
    """Findings of twelve images of each class, or of `labels`."""
    chosen = labels if labels is not None else [number for number in range(len(CLASSES)) for _ in range(12)]
    evaluation = drawn_evaluation(chosen, prevalence=None if labels else 0.03)
    return Findings(SUBJECT, evaluation, drawn_subgroups(chosen) if labels is None else None)
