"""Every figure of an evaluation for many draws at once: of each class, their means, of malignant against benign."""

from __future__ import annotations

from typing import Final

import numpy as np

from dermalens.core.bundle import Measured
from dermalens.evaluate import calibration_figures, confusion, f_scores, metrics, ranking, selective
from dermalens.evaluate.bootstrap import Drawn, Samples, Weights, lesion_samples, measured, over_draws
from dermalens.evaluate.confusion import OfClasses
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.predictions import Truth

PER_CLASS: Final = ("sensitivity", "specificity", "precision", "f1", "auc", "average_precision")
"""The figures of each class against the rest."""

LEAST_SENSITIVITY: Final = 0.8
"""Of the partial area under the ROC curve."""

LEVELS: Final = {"90": 0.90, "95": 0.95}
"""Of sensitivity and of specificity, at which the other is told."""


def figure_of(name: str, code: str) -> str:
    """The name of a figure of one class among all figures, such as `sensitivity_mel`."""
    return f"{name}_{code}"


def measure_all(scored: Scored, truth: Truth, *, draws: int = 1000, seed: int = 0) -> dict[str, Measured]:
    """Every figure of `figures_drawn`, with intervals from `draws` lesion bootstraps."""
    return measure_on(scored, lesion_samples(truth, draws=draws, seed=seed))


def measure_on(scored: Scored, samples: Samples) -> dict[str, Measured]:
    """The same on samples that are at hand."""
    found = over_draws(lambda weights: figures_drawn(scored, weights), samples)
    counts = images_behind(scored)
    return {name: measured(drawn, counts.get(name, len(scored.labels))) for name, drawn in found.items()}


def figures_drawn(scored: Scored, weights: Weights) -> dict[str, Drawn]:
    """Every figure by its name, [draws] each: of all images, then of each class (`sensitivity_mel` and so on)."""
    of_class = per_class_drawn(scored, weights)
    overall = {
        "accuracy": metrics.accuracy.drawn(scored, weights),
        "balanced_accuracy": metrics.balanced_accuracy.drawn(scored, weights),
        "binary_accuracy": f_scores.binary_accuracy.drawn(scored, weights),
        **_averages(scored, weights, of_class),
        **_malignant(scored, weights),
        "melanoma_auc": metrics.melanoma_auc.drawn(scored, weights),
        **calibration_figures.calibration_drawn(scored.labels, scored.probabilities, weights),
        "risk_coverage_area": selective.area(selective.ranks(scored, weights)),
    }
    single = {
        figure_of(name, code): of_class[name][:, number]
        for number, code in enumerate(scored.classes)
        for name in PER_CLASS
    }
    return overall | single


def per_class_drawn(scored: Scored, weights: Weights) -> dict[str, OfClasses]:
    """The figures of `PER_CLASS` by name, [draws, K] each."""
    found = metrics.confusions_of(scored, weights)
    ranks = [metrics.class_ranks(scored, number, weights) for number in range(len(scored.classes))]
    return {
        "sensitivity": confusion.sensitivities(found),
        "specificity": confusion.specificities(found),
        "precision": confusion.precisions(found),
        "f1": confusion.f1_scores(found),
        "auc": np.stack([ranking.area(one) for one in ranks], axis=1),
        "average_precision": np.stack([ranking.average_precision(one) for one in ranks], axis=1),
    }


def images_behind(scored: Scored) -> dict[str, int]:
    """The images behind each figure that does not rest on all of them."""
    counts: dict[str, int] = {}
    for number, code in enumerate(scored.classes):
        of_class = int(np.sum(scored.labels == number))
        counts[figure_of("sensitivity", code)] = counts[figure_of("f1", code)] = of_class
        counts[figure_of("specificity", code)] = len(scored.labels) - of_class
        counts[figure_of("precision", code)] = int(np.sum(scored.given == number))
    malignant = int(np.sum(scored.is_malignant))
    for level in LEVELS:
        counts[f"sensitivity_at_specificity_{level}"] = malignant
        counts[f"specificity_at_sensitivity_{level}"] = len(scored.labels) - malignant
    return counts


def _averages(scored: Scored, weights: Weights, of_class: dict[str, OfClasses]) -> dict[str, Drawn]:
    images = confusion.images(metrics.confusions_of(scored, weights))
    macro = {f"macro_{name}": confusion.macro(values) for name, values in of_class.items()}
    return macro | {f"weighted_{name}": confusion.weighted(values, images) for name, values in of_class.items()}


def _malignant(scored: Scored, weights: Weights) -> dict[str, Drawn]:
    """Of the sum of the malignant classes."""
    ranks = metrics.malignant_ranks(scored, weights)
    levels = {
        **{f"sensitivity_at_specificity_{name}": ranking.sensitivity_at(ranks, LEVELS[name]) for name in LEVELS},
        **{f"specificity_at_sensitivity_{name}": ranking.specificity_at(ranks, LEVELS[name]) for name in LEVELS},
    }
    return {
        "malignant_auc": ranking.area(ranks),
        "malignant_average_precision": ranking.average_precision(ranks),
        "malignant_partial_auc": ranking.partial_area(ranks, LEAST_SENSITIVITY),
        **levels,
    }
