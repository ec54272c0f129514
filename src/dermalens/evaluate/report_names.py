"""What figures are called, and how a figure is written in words; one place for tables, alt texts and the card."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dermalens.core.bundle import Measured
from dermalens.core.files import printable, visible
from dermalens.core.taxonomy import BINARY, DIAGNOSES

CAUTION: Final = (
    "A calibration error is above zero for a perfect model too, as every bin holds few images; in bootstrap samples it "
    "is higher still, so that its interval leans upwards."
)

NOT_DEFINED: Final = "not defined"

FIGURE_WORDS: Final = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy (mean sensitivity of the classes)",
    "binary_accuracy": "Accuracy, malignant against benign",
    "macro_auc": "Macro AUC (one against rest)",
    "weighted_auc": "Weighted AUC",
    "melanoma_auc": "Melanoma AUC",
    "malignant_auc": "Malignant AUC",
    "malignant_average_precision": "Malignant average precision",
    "malignant_partial_auc": "Malignant partial AUC above 80 % sensitivity",
    "sensitivity_at_specificity_90": "Malignant sensitivity at 90 % specificity",
    "sensitivity_at_specificity_95": "Malignant sensitivity at 95 % specificity",
    "specificity_at_sensitivity_90": "Malignant specificity at 90 % sensitivity",
    "specificity_at_sensitivity_95": "Malignant specificity at 95 % sensitivity",
    "expected_calibration_error": "Expected calibration error (15 bins)",
    "adaptive_calibration_error": "Calibration error, bins with equally many images",
    "classwise_calibration_error": "Classwise calibration error",
    "brier_score": "Brier score (0 to 2)",
    "negative_log_likelihood": "Negative log-likelihood (nats)",
    "risk_coverage_area": "Area under the risk-coverage curve",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "precision": "Precision",
    "f1": "F1",
    "auc": "AUC",
    "average_precision": "Average precision",
    "ppv": "PPV",
    "npv": "NPV",
    "referred": "Referred",
}


def figure_words(name: str) -> str:
    """The name of a figure for people; one that is not known as its key without underscores.

    >>> figure_words("macro_f1"), figure_words("sensitivity_mel"), figure_words("brier_score")
    ('Macro F1', 'Sensitivity, mel', 'Brier score (0 to 2)')
    """
    if name in FIGURE_WORDS:
        return FIGURE_WORDS[name]
    head, _, tail = name.partition("_")
    if head in ("macro", "weighted") and tail in FIGURE_WORDS:
        words = FIGURE_WORDS[tail]
        return f"{head.capitalize()} {words if words.isupper() else words.lower()}"
    stem, _, code = name.rpartition("_")
    if stem in FIGURE_WORDS and code in (*DIAGNOSES, *BINARY):
        return f"{FIGURE_WORDS[stem]}, {code}"
    return name.replace("_", " ").capitalize()


def as_given(path: Path) -> str:
    r"""A path for a report: as it was typed, but its name alone where it begins at the root of this machine.

    What a page and JSON do not take is written as an escape, such as \xff.

    >>> as_given(Path("work/split.csv"))
    'work/split.csv'
    """
    return visible(printable(path.name if path.is_absolute() else path.as_posix()))


def plain_words(name: str) -> str:
    """The name of a group, a corruption or an operating point without underscores.

    >>> plain_words("gaussian_noise"), plain_words("sensitivity_95")
    ('gaussian noise', 'sensitivity 95')
    """
    return name.replace("_", " ")


def class_words(name: str) -> str:
    """A class code as it is, `malignant` for the sum of the malignant classes."""
    return "malignant" if name == "malignant_sum" else name


def value_words(figure: Measured, decimals: int = 3) -> str:
    """The value alone.

    >>> value_words(Measured(value=None, low=None, high=None, n=0))
    'not defined'
    """
    return NOT_DEFINED if figure.value is None else f"{figure.value:.{decimals}f}"


def short_words(name: str) -> str:
    """The name of a figure without what stands in brackets.

    >>> short_words("balanced_accuracy")
    'Balanced accuracy'
    """
    return figure_words(name).partition(" (")[0]


def show(figure: Measured) -> str:
    """A figure with its interval, such as `0.812 (0.771 to 0.850)`; `not defined` when it has no value.

    >>> show(Measured(value=0.5, low=0.25, high=0.75, n=4))
    '0.500 (0.250 to 0.750)'
    """
    if figure.value is None:
        return NOT_DEFINED
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f} (no interval)"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def p_words(p: float) -> str:
    """A p value.

    >>> p_words(0.04), p_words(1e-9)
    ('0.0400', 'below 0.0001')
    """
    return "below 0.0001" if p < 1e-4 else f"{p:.4f}"


def interval_words(figure: Measured, decimals: int = 2) -> str:
    """The value with its interval, short, for a legend.

    >>> interval_words(Measured(value=0.5, low=0.25, high=0.75, n=4))
    '0.50 (0.25-0.75)'
    """
    if figure.value is None or figure.low is None or figure.high is None:
        return value_words(figure, decimals)
    return f"{figure.value:.{decimals}f} ({figure.low:.{decimals}f}-{figure.high:.{decimals}f})"
