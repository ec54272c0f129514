"""Every figure of an evaluation, in the order of the report."""

from __future__ import annotations

from dermalens.evaluate import figures_calibration as calibration
from dermalens.evaluate import figures_classes as classes
from dermalens.evaluate import figures_decisions as decisions
from dermalens.evaluate import figures_groups as groups
from dermalens.evaluate.evaluation_types import Evaluation
from dermalens.evaluate.figure_style import Drawn, drawing
from dermalens.evaluate.findings import Findings

_DRAW_CLASSES = (
    classes.class_distribution,
    classes.confusion_counts,
    classes.confusion_shares,
    classes.per_class_bars,
    classes.roc_curves,
    classes.precision_recall_curves,
)


def figures_of(findings: Findings) -> list[Drawn]:
    """The figures that there are numbers for."""
    evaluation = findings.evaluation
    with drawing():
        return [
            *(draw(evaluation) for draw in _DRAW_CLASSES),
            *_calibration(evaluation),
            *_sets(evaluation),
            *_benefit(evaluation),
            *(groups.subgroups(findings.subgroups) if findings.subgroups else []),
            *([groups.robustness(findings.robustness)] if findings.robustness else []),
            *([groups.faithfulness(findings.faithfulness)] if findings.faithfulness else []),
            *([decisions.training_curves(findings.history)] if findings.history else []),
        ]


def _calibration(evaluation: Evaluation) -> list[Drawn]:
    before = evaluation.uncalibrated
    first = (
        [calibration.reliability(before, name="reliability_before", title="Reliability before calibration")]
        if before
        else []
    )
    title = "Reliability after calibration" if before else "Reliability"
    return [
        *first,
        calibration.reliability(evaluation.calibration, name="reliability_after", title=title),
        calibration.confidence(evaluation.confidence),
        calibration.risk_coverage(evaluation.risk_coverage),
    ]


def _sets(evaluation: Evaluation) -> list[Drawn]:
    found = evaluation.conformal
    return [calibration.set_sizes(found), calibration.set_coverage(evaluation, found)] if found else []


def _benefit(evaluation: Evaluation) -> list[Drawn]:
    curves = {
        "decision_curve": ("Decision curve on these images", evaluation.decision_curve),
        "decision_curve_at_prevalence": ("Decision curve at the prevalence", evaluation.decision_curve_at_prevalence),
    }
    return [
        decisions.decision_curve(curve, name=name, title=title)
        for name, (title, curve) in curves.items()
        if curve is not None
    ]
