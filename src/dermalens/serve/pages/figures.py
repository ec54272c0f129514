"""The measured figures of a bundle as tables of the help page; what the bundle does not state is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dermalens.core.bundle import Manifest, Measured
from dermalens.serve.pages.i18n import N_, Language
from dermalens.serve.pages.words import clinical_name

NAMES: Final = MappingProxyType(
    {
        "accuracy": N_("Accuracy"),
        "balanced_accuracy": N_("Balanced accuracy (mean sensitivity of the classes)"),
        "macro_auc": N_("AUC, mean of the classes"),
        "melanoma_auc": N_("AUC, melanoma against the rest"),
        "malignant_auc": N_("AUC, malignant against benign"),
        "expected_calibration_error": N_("Expected calibration error"),
        "brier_score": N_("Brier score (0 to 2, less is better)"),
        "negative_log_likelihood": N_("Negative log-likelihood (less is better)"),
        "lesions": N_("Images of lesions"),
        "blood_smear": N_("Blood smears under the microscope"),
        "everyday": N_("Everyday photographs"),
        "bare_skin": N_("Skin without a lesion"),
        "drawn": N_("Drawings and text"),
        "drawn_unseen": N_("Drawings of kinds that were not learned"),
        "test_intersection_over_union": N_("Overlap with the outline of experts (mean)"),
        "test_median_intersection_over_union": N_("Overlap with the outline of experts (median)"),
        "test_dice": N_("Dice coefficient"),
        "test_share_poor": N_("Share of poor outlines (overlap below a half)"),
    }
)
"""Figures that have words of their own; others are shown by their name in the bundle."""


@dataclass(frozen=True, slots=True)
class FiguresTable:
    """A table: the first column are names, all others numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables_of(manifest: Manifest, language: Language) -> tuple[FiguresTable, ...]:
    """All that the bundle has figures for."""
    _ = language.gettext
    sensitivity = {
        code: manifest.metrics[f"sensitivity_{code}"]
        for code in manifest.classes
        if f"sensitivity_{code}" in manifest.metrics
    }
    overall = {name: found for name, found in manifest.metrics.items() if not name.startswith("sensitivity_")}
    outline = manifest.outline.measured if manifest.outline else {}
    tested = {name: found for name, found in outline.items() if not name.startswith("val_")}
    named = {clinical_name(code, language): found for code, found in sensitivity.items()}
    tables = (
        _figures(_("The model as a whole"), overall, language),
        _figures(_("Of the images of each class, the share that it recognises"), named, language),
        _points(manifest, language),
        _figures(
            _("Share of pictures that are let through, by kind, on validation images and held-out pictures"),
            manifest.gate.measured if manifest.gate else {},
            language,
        ),
        _figures(_("Outline of the lesion"), tested, language),
    )
    return tuple(table for table in tables if table.rows)


def shown(found: Measured, language: Language) -> str:
    """A figure with its 95 % interval."""
    if found.value is None:
        return language.gettext("not defined")
    value = language.number(found.value, 3)
    if found.low is None or found.high is None:
        return value
    low, high = language.number(found.low, 3), language.number(found.high, 3)
    return language.gettext("{value} ({low} to {high})", value=value, low=low, high=high)


def _figures(title: str, found: Mapping[str, Measured], language: Language) -> FiguresTable:
    head = (language.gettext("Figure"), language.gettext("Value (95 % interval)"), "n")
    return FiguresTable(title, head, tuple(_rows(found.items(), language)))


def _rows(found: Iterable[tuple[str, Measured]], language: Language) -> Iterable[tuple[str, ...]]:
    for name, figure in found:
        words = language.gettext(NAMES[name]) if name in NAMES else name.replace("_", " ")
        yield words, shown(figure, language), language.number(figure.n, 0)


def _points(manifest: Manifest, language: Language) -> FiguresTable:
    _ = language.gettext
    head = (_("Operating point"), _("Threshold"), _("Sensitivity"), "n", _("Specificity"), "n")
    usual = _("usual")
    rows = tuple(
        (
            f"{point.name} ({usual})" if point.name == manifest.default_operating_point else point.name,
            language.percent(point.threshold, 1),
            shown(point.sensitivity, language),
            language.number(point.sensitivity.n, 0),
            shown(point.specificity, language),
            language.number(point.specificity.n, 0),
        )
        for point in manifest.operating_points
    )
    return FiguresTable(_("Operating points, on validation images"), head, rows)
