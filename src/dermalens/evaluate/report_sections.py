"""The sections of a report on classes, calibration and decisions. Each takes what was found and the drawn figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from dermalens.core.bundle import Measured
from dermalens.core.decision import describe
from dermalens.evaluate.document import Block, Picture, Section, Table
from dermalens.evaluate.evaluation_types import ConformalJudged, Evaluation
from dermalens.evaluate.report_names import CAUTION, figure_words, plain_words, show

Pictures = Mapping[str, Picture]
"""Drawn figures by name."""

FIGURE_HEAD: Final = ("figure", "value (95 % interval)", "n")
_HEADLINE: Final = ("accuracy", "balanced_accuracy", "binary_accuracy", "macro_auc", "weighted_auc", "melanoma_auc")
_MALIGNANT: Final = (
    "malignant_auc",
    "malignant_average_precision",
    "malignant_partial_auc",
    "sensitivity_at_specificity_90",
    "sensitivity_at_specificity_95",
    "specificity_at_sensitivity_90",
    "specificity_at_sensitivity_95",
)
_CALIBRATION: Final = (
    "expected_calibration_error",
    "adaptive_calibration_error",
    "classwise_calibration_error",
    "brier_score",
    "negative_log_likelihood",
)
_REFERRED: Final = (
    "An image is referred when its malignant probability reaches the threshold or a malignant class comes first. The "
    "thresholds of a bundle were chosen on its validation images; that of a prediction file is 0.5."
)
_OF_CLASS: Final = ("sensitivity", "specificity", "precision", "f1", "auc", "average_precision")


def figure_table(caption: str, figures: Mapping[str, Measured], names: Sequence[str]) -> Table:
    """A line for each of the `names` that there is a figure for."""
    rows = [(figure_words(name), show(figures[name]), str(figures[name].n)) for name in names if name in figures]
    return Table(caption, FIGURE_HEAD, tuple(rows))


def chosen(pictures: Pictures, *names: str) -> tuple[Picture, ...]:
    """Those of the figures that were drawn."""
    return tuple(pictures[name] for name in names if name in pictures)


def overall(evaluation: Evaluation) -> Section:
    """Figures over all images."""
    blocks: list[Block] = [
        _in_words(evaluation),
        *warnings(evaluation),
        figure_table("Over all images", evaluation.overall, _HEADLINE),
        _averages(evaluation),
        figure_table("Malignant against benign, by the sum of the malignant classes", evaluation.overall, _MALIGNANT),
        (
            "The partial AUC is the area below the ROC curve and above 80 % sensitivity: 0.02 by chance, 0.2 at best. "
            "Sensitivity at a specificity, and the reverse, are at the best threshold of these very images."
        ),
    ]
    return Section("Figures", tuple(blocks))


def _in_words(evaluation: Evaluation) -> str:
    return (
        f"{evaluation.images:,} images of {evaluation.lesions:,} lesions; {100 * evaluation.prevalence:.1f} % of the "
        f"images are malignant ({' + '.join(evaluation.malignant)}). Each interval holds 95 % of "
        f"{evaluation.settings.draws:,} bootstrap draws of lesions, each with all its images."
    )


def warnings(evaluation: Evaluation) -> list[str]:
    """What cannot be said from these images."""
    present = [code for code, count in evaluation.distribution.items() if count.images]
    absent = [code for code in evaluation.classes if code not in present]
    lines = []
    if len(present) == 1:
        lines.append(
            f"All images are {present[0]}: AUC, average precision, specificity or sensitivity against the rest and "
            "means over the classes are not defined."
        )
    elif absent:
        lines.append(f"No image is {', '.join(absent)}: means over the classes are not defined.")
    if evaluation.prevalence in (0, 1):
        kind = "malignant" if evaluation.prevalence else "benign"
        lines.append(f"All images are {kind}: figures of malignant against benign are not defined.")
    return lines


def _averages(evaluation: Evaluation) -> Table:
    def line(name: str) -> tuple[str, ...]:
        pair = (evaluation.overall.get(f"{kind}_{name}") for kind in ("macro", "weighted"))
        return (figure_words(name), *("" if figure is None else show(figure) for figure in pair))

    return Table(
        "Means over the classes: macro counts every class alike, weighted by its images",
        ("figure", "macro", "weighted"),
        tuple(map(line, _OF_CLASS)),
    )


def classes(evaluation: Evaluation, pictures: Pictures) -> Section:
    """Every class against the rest."""
    rows = tuple(
        (describe(code), str(evaluation.distribution[code].images), *(show(figures[name]) for name in _OF_CLASS))
        for code, figures in evaluation.per_class.items()
    )
    table = Table(
        "Each class against the rest (95 % interval)", ("class", "images", *(map(figure_words, _OF_CLASS))), rows
    )
    names = (
        "class_distribution",
        "per_class",
        "confusion_counts",
        "confusion_shares",
        "roc_curves",
        "precision_recall_curves",
    )
    return Section("Classes", (table, *chosen(pictures, *names)))


def calibration(evaluation: Evaluation, pictures: Pictures) -> Section:
    """Whether probabilities can be taken at their word."""
    after, before = evaluation.calibration.figures, evaluation.uncalibrated
    head = ("figure", "before", "after") if before else ("figure", "value (95 % interval)")
    rows = tuple(
        (figure_words(name), *([show(before.figures[name])] if before else []), show(after[name]))
        for name in _CALIBRATION
        if name in after
    )
    words = "before and after the calibration of the bundle" if before else "of the probabilities as they were given"
    names = ("reliability_before", "reliability_after", "confidence")
    return Section(
        "Calibration",
        (
            Table(f"Calibration {words} (95 % interval); lower is better", head, rows),
            CAUTION,
            *chosen(pictures, *names),
        ),
    )


def decisions(evaluation: Evaluation, pictures: Pictures) -> Section:
    """Operating points, net benefit and selective answers."""
    blocks: list[Block] = []
    if evaluation.operating_points:
        blocks.append(_REFERRED)
        blocks += _points(evaluation)
    if evaluation.decision_curve:
        blocks.append(
            "Net benefit counts found malignant images less needless referrals, a needless referral weighing as much "
            "as the odds of the threshold say. A bundle is of use where its curve is above the other two."
        )
    names = ("decision_curve", "decision_curve_at_prevalence", "risk_coverage")
    return Section("Decisions", (*blocks, *chosen(pictures, *names)))


_POINT: Final = ("sensitivity", "specificity", "ppv", "npv", "referred")


def _points(evaluation: Evaluation) -> list[Table]:
    points, prevalence = evaluation.operating_points, evaluation.settings.prevalence
    rows = tuple(
        (plain_words(name), f"{point.threshold:.4f}", *(show(point.figures[figure]) for figure in _POINT))
        for name, point in points.items()
    )
    head = ("operating point", "threshold", *map(figure_words, _POINT))
    tables = [Table("Operating points on these images (95 % interval)", head, rows)]
    if prevalence is not None:
        shifted = tuple(
            (plain_words(name), show(point.at_prevalence["ppv"]), show(point.at_prevalence["npv"]))
            for name, point in points.items()
        )
        caption = f"At {100 * prevalence:g} % malignant lesions, worked out from sensitivity and specificity"
        tables.append(Table(caption, ("operating point", "PPV", "NPV"), shifted))
    return tables


def prediction_sets(evaluation: Evaluation, pictures: Pictures) -> Section | None:
    """Coverage and size of the prediction sets; None for a bundle without them."""
    found = evaluation.conformal
    if found is None:
        return None
    rows = tuple(
        (
            describe(code) + (" (in every set)" if of_class.always else ""),
            f"{of_class.threshold:.4f}",
            str(of_class.validation_images),
            show(of_class.coverage),
            show(of_class.size),
        )
        for code, of_class in found.per_class.items()
    )
    head = ("class", "threshold", "validation images", "coverage", "mean size")
    return Section(
        "Prediction sets",
        (
            _sets_in_words(found),
            Table("Prediction sets by class (95 % interval)", head, rows),
            *chosen(pictures, "conformal_coverage", "conformal_set_sizes"),
        ),
    )


def _sets_in_words(found: ConformalJudged) -> str:
    return (
        "A class is in the set of an image when its probability reaches the threshold of the class, fitted on "
        f"validation images so that {100 * found.wanted:g} % of the images of every class have it in their set. Over "
        f"all images {show(found.coverage)} of the sets hold the class, they name {show(found.size)} classes on "
        f"average, and {show(found.empty)} are empty."
    )
