"""Every number of an evaluation, from the answers of a bundle and the truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from dermalens.core.bundle import Measured
from dermalens.core.prevalence import check_prevalence
from dermalens.evaluate import ranking
from dermalens.evaluate.all_figures import PER_CLASS, figure_of, measure_on
from dermalens.evaluate.bootstrap import Drawn, Samples, Weights, divided, lesion_samples, measured, over_draws
from dermalens.evaluate.calibration_figures import judge_calibration
from dermalens.evaluate.conformal import judge_conformal
from dermalens.evaluate.decision_curve import decision_curve, decision_curve_at
from dermalens.evaluate.evaluation_types import (
    MALIGNANT,
    ClassCount,
    Confusion,
    Curve,
    DecisionCurve,
    Evaluation,
    EvaluationSettings,
    Figures,
)
from dermalens.evaluate.metrics import Scored, confusions_of
from dermalens.evaluate.points import judge_point
from dermalens.evaluate.predictions import Probabilities, Truth
from dermalens.evaluate.selective import judge_confidence, judge_risk_coverage

DEFAULTS: Final = EvaluationSettings()


def evaluate_all(
    scored: Scored, uncalibrated: Probabilities | None, truth: Truth, settings: EvaluationSettings = DEFAULTS
) -> Evaluation:
    """Judge the answers; `uncalibrated` is the softmax of the logits [images, K], where they are known.

    Raises:
        DermaLensError: a prevalence that is not between 0 and 1.
    """
    if settings.prevalence is not None:
        check_prevalence(settings.prevalence)
    samples = lesion_samples(truth, draws=settings.draws, seed=settings.seed)
    figures = measure_on(scored, samples)
    per_class = {code: {name: figures.pop(figure_of(name, code)) for name in PER_CLASS} for code in scored.classes}
    return Evaluation(
        classes=scored.classes,
        malignant=tuple(code for code, is_so in zip(scored.classes, scored.malignant, strict=True) if is_so),
        images=len(scored.labels),
        lesions=len(set(truth.lesions)),
        distribution=_distribution(scored, truth),
        prevalence=float(np.mean(scored.is_malignant)),
        settings=settings,
        overall=figures,
        per_class=per_class,
        confusion=_confusion(scored, samples),
        roc=_roc(scored, figures, per_class),
        precision_recall=_precision_recall(scored, figures, per_class),
        calibration=judge_calibration(scored.labels, scored.probabilities, samples),
        uncalibrated=None if uncalibrated is None else judge_calibration(scored.labels, uncalibrated, samples),
        confidence=judge_confidence(scored, samples),
        risk_coverage=judge_risk_coverage(scored, samples),
        operating_points={
            point.name: judge_point(scored, point.threshold, samples, settings.prevalence)
            for point in settings.operating_points
        },
        conformal=judge_conformal(scored, settings.conformal, samples) if settings.conformal else None,
        decision_curve=decision_curve(scored, samples),
        decision_curve_at_prevalence=_curve_at_prevalence(scored, samples, settings),
    )


def _distribution(scored: Scored, truth: Truth) -> dict[str, ClassCount]:
    lesions = np.array(truth.lesions)
    chosen = [scored.labels == number for number in range(len(scored.classes))]
    return {
        code: ClassCount(images=int(of_class.sum()), lesions=len(set(lesions[of_class].tolist())))
        for code, of_class in zip(scored.classes, chosen, strict=True)
    }


def _confusion(scored: Scored, samples: Samples) -> Confusion:
    counts = confusions_of(scored, np.ones((1, len(scored.labels))))[0].astype(int)

    def shares(weights: Weights) -> dict[str, Drawn]:
        found = confusions_of(scored, weights)
        return {"shares": divided(found, found.sum(axis=2, keepdims=True))}

    drawn = over_draws(shares, samples)["shares"]
    return Confusion(
        counts=tuple(tuple(row) for row in counts.tolist()),
        shares=tuple(
            tuple(measured(cell, int(counts[row].sum())) for cell in drawn[:, row].T) for row in range(len(counts))
        ),
    )


def _roc(scored: Scored, figures: Figures, per_class: dict[str, Figures]) -> dict[str, Curve]:
    areas = {code: of_class["auc"] for code, of_class in per_class.items()}
    return _curves(scored, {**areas, MALIGNANT: figures["malignant_auc"]}, ranking.roc_points)


def _precision_recall(scored: Scored, figures: Figures, per_class: dict[str, Figures]) -> dict[str, Curve]:
    areas = {code: of_class["average_precision"] for code, of_class in per_class.items()}
    return _curves(
        scored, {**areas, MALIGNANT: figures["malignant_average_precision"]}, ranking.precision_recall_points
    )


def _curves(
    scored: Scored,
    areas: Figures,
    points: Callable[[ranking.Flags, ranking.Score], tuple[ranking.Points, ranking.Points]],
) -> dict[str, Curve]:
    """The curves that are defined."""
    columns = {code: (scored.labels == n, scored.probabilities[:, n]) for n, code in enumerate(scored.classes)}
    columns[MALIGNANT] = scored.is_malignant, scored.malignant_probability
    return {
        name: _curve(points(positive, score), int(positive.sum()), areas[name])
        for name, (positive, score) in columns.items()
        if positive.any() and not positive.all()
    }


def _curve(points: tuple[ranking.Points, ranking.Points], positives: int, area: Measured) -> Curve:
    x, y = points
    return Curve(tuple(x.tolist()), tuple(y.tolist()), area, positives, area.n)


def _curve_at_prevalence(scored: Scored, samples: Samples, settings: EvaluationSettings) -> DecisionCurve | None:
    share = float(np.mean(scored.is_malignant))
    if settings.prevalence is None or share in (0, 1):
        return None
    return decision_curve_at(scored, samples, base=settings.base_prevalence or share, wanted=settings.prevalence)
