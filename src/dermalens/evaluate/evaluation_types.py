"""What `evaluate_all` answers: every number of an evaluation as plain values, for a report to render.

Tuples of numbers are Python numbers, so that `dataclasses.asdict` (and `model_dump` of each `Measured`) gives JSON.
Undefined is None. By class means a dict with the class codes in the order of the bundle; `MALIGNANT` stands beside the
codes where the sum of the malignant classes is judged like a class against the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from dermalens.core.bundle import Conformal, Measured, OperatingPoint

MALIGNANT: Final = "malignant_sum"
"""The key of the malignant probability, the sum of the malignant classes, beside the class codes."""

Figures = dict[str, Measured]
"""By name of the figure."""


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """What an evaluation is asked for besides the answers and the truth; most of it comes from the bundle."""

    draws: int = 1000
    seed: int = 0
    operating_points: tuple[OperatingPoint, ...] = ()
    conformal: Conformal | None = None
    base_prevalence: float | None = None
    """Malignant share that the calibrated probabilities assume; None: that of the images judged."""
    prevalence: float | None = None
    """Malignant share that PPV, NPV and the second decision curve are worked out for; None: not asked."""


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How much of a class was judged."""

    images: int
    lesions: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows are the labels, columns the most probable class, both in the order of the classes."""

    counts: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[Measured, ...], ...]
    """Of the images of the row; the diagonal holds the sensitivities. n is that of the row."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve from left to right, thinned to at most `CURVE_POINTS` points; its area is that of all points."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    area: Measured
    """AUC, or average precision."""
    positives: int
    images: int


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The images whose confidence lies in one bin."""

    low: float
    high: float
    """Equal width: low <= confidence < high (the last bin holds 1 too). Equal mass: the least and the most in it."""
    confidence: float | None
    """Mean in the bin; None when it is empty."""
    accuracy: Measured
    """Share of right answers; its n is that of the bin."""


@dataclass(frozen=True, slots=True)
class CalibrationFigures:
    """How far probabilities can be taken at their word."""

    figures: Figures
    """expected_calibration_error, adaptive_calibration_error, classwise_calibration_error, brier_score,
    negative_log_likelihood."""
    bins: tuple[ReliabilityBin, ...]
    """15 of equal width."""
    equal_mass_bins: tuple[ReliabilityBin, ...]
    """At most 15 with about as many images each."""


@dataclass(frozen=True, slots=True)
class Confidence:
    """Histogram of the highest probability of right and of wrong answers."""

    edges: tuple[float, ...]
    """[bins + 1], 0 to 1."""
    right: tuple[int, ...]
    """[bins] images."""
    wrong: tuple[int, ...]
    mean_right: Measured
    mean_wrong: Measured


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Share of wrong answers among the images answered, when only the most confident `coverage` of them are."""

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    area: Measured
    """Mean risk over all coverages; 0 is perfect."""
    excess_area: Measured
    """What the area is above that of an order that puts every right answer before every wrong one."""


@dataclass(frozen=True, slots=True)
class ConformalClass:
    """Prediction sets of the images of one class."""

    threshold: float
    always: bool
    """The threshold is 0, so that the class is in every set: validation had too few images of it, or the model gives
    some of them next to nothing."""
    validation_images: int
    coverage: Measured
    """Share of the images of the class whose set holds it."""
    size: Measured
    """Mean number of classes in their sets."""


@dataclass(frozen=True, slots=True)
class ConformalJudged:
    """What the prediction sets of the bundle came to on these images."""

    wanted: float
    """The coverage that they were fitted for."""
    per_class: dict[str, ConformalClass]
    coverage: Measured
    """Over all images."""
    size: Measured
    empty: Measured
    """Share of images without any class in their set."""
    sizes: tuple[int, ...]
    """[K + 1] images with 0, 1, ... K classes in their set."""


@dataclass(frozen=True, slots=True)
class DecisionCurve:
    """Net benefit per image of referring at a threshold probability, beside referring all and none (0)."""

    prevalence: float
    """Malignant share that it holds for."""
    thresholds: tuple[float, ...]
    """0.01 to 0.30."""
    model: tuple[Measured, ...]
    treat_all: tuple[float, ...]
    treat_none: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PointJudged:
    """An operating point of the bundle on these images; referred are the images that `decide` would refer."""

    threshold: float
    figures: Figures
    """sensitivity, specificity, ppv, npv, referred (share of all images), as found on these images."""
    at_prevalence: Figures
    """ppv, npv at the stated prevalence, from sensitivity and specificity; empty when none is stated."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Every number of an evaluation of one bundle on one set of images."""

    classes: tuple[str, ...]
    malignant: tuple[str, ...]
    images: int
    lesions: int
    distribution: dict[str, ClassCount]
    """By class."""
    prevalence: float
    """Malignant share of these images."""
    settings: EvaluationSettings
    overall: Figures
    """accuracy, balanced_accuracy, binary_accuracy; macro_ and weighted_ sensitivity, specificity, precision, f1, auc,
    average_precision; malignant_auc, malignant_average_precision, malignant_partial_auc, melanoma_auc,
    sensitivity_at_specificity_90 and _95, specificity_at_sensitivity_90 and _95 (malignant); the calibration figures;
    risk_coverage_area."""
    per_class: dict[str, Figures]
    """By class: sensitivity, specificity, precision, f1, auc, average_precision."""
    confusion: Confusion
    roc: dict[str, Curve]
    """By class and `MALIGNANT`: false positive rate, sensitivity. A class without positives or negatives has none."""
    precision_recall: dict[str, Curve]
    """By class and `MALIGNANT`: recall, precision."""
    calibration: CalibrationFigures
    uncalibrated: CalibrationFigures | None
    """The same before calibration; None when only the answers are known, as in a file of predictions."""
    confidence: Confidence
    risk_coverage: RiskCoverage
    operating_points: dict[str, PointJudged] = field(default_factory=dict)
    """By name."""
    conformal: ConformalJudged | None = None
    """None when the bundle has no prediction sets."""
    decision_curve: DecisionCurve | None = None
    """At the malignant share of these images; None when they are all malignant or all benign."""
    decision_curve_at_prevalence: DecisionCurve | None = None
    """At the stated prevalence, with the probabilities shifted to it; None when none is stated."""


@dataclass(frozen=True, slots=True)
class Discordance:
    """McNemar's test of two bundles on the same images: right and wrong answers."""

    first_only: int
    """Images that the first bundle alone answers right."""
    second_only: int
    exact_p: float
    mid_p: float
    images: int


@dataclass(frozen=True, slots=True)
class Paired:
    """Two bundles on the same images: first less second."""

    differences: Figures
    """Of every figure that both have and that means the same in both, with a paired bootstrap over lesions."""
    most_probable_class: Discordance | None
    """Right is: the most probable class is the label. None for bundles with other classes."""
    malignant_or_benign: Discordance
    """Right is: the most probable class is malignant where the label is, benign where it is."""
