"""The figures by which groups of images and corrupted images are compared, for many draws at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from dermalens.core.bundle import Measured
from dermalens.evaluate import confusion, metrics
from dermalens.evaluate.bootstrap import Drawn, Samples, Weights, divided, measured, over_draws
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.points import referred

NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "accuracy": ("image",),
    "balanced_accuracy": ("image",),
    "malignant_auc": ("malignant", "benign"),
    "melanoma_auc": ("melanoma", "other"),
    "sensitivity": ("malignant",),
    "specificity": ("benign",),
}
"""Every figure, and the kinds of image without which it is undefined; see `kinds_of`."""


def kinds_of(scored: Scored) -> dict[str, int]:
    """How many images there are of each kind that a figure may need."""
    is_melanoma = scored.labels == scored.classes.index("mel") if "mel" in scored.classes else np.zeros(0, np.bool_)
    images, malignant, melanomas = len(scored.labels), int(scored.is_malignant.sum()), int(is_melanoma.sum())
    return {
        "image": images,
        "malignant": malignant,
        "benign": images - malignant,
        "melanoma": melanomas,
        "other": images - melanomas,
    }


def figures_drawn(scored: Scored, threshold: float, weights: Weights) -> dict[str, Drawn]:
    """Every figure of `NEEDS` [draws]; sensitivity and specificity are those of referring at a threshold.

    Balanced accuracy is the mean sensitivity of the classes that have an image, in each draw: few groups have all.
    """
    malignant, chosen = scored.is_malignant, referred(scored, threshold)
    of_classes = confusion.sensitivities(metrics.confusions_of(scored, weights))
    return {
        "accuracy": metrics.accuracy.drawn(scored, weights),
        "balanced_accuracy": divided(np.nansum(of_classes, axis=1), np.sum(~np.isnan(of_classes), axis=1)),
        "malignant_auc": metrics.malignant_auc.drawn(scored, weights),
        "melanoma_auc": metrics.melanoma_auc.drawn(scored, weights),
        "sensitivity": divided(weights @ (chosen & malignant), weights @ malignant),
        "specificity": divided(weights @ (~chosen & ~malignant), weights @ ~malignant),
    }


def figures_of(scored: Scored, threshold: float, samples: Samples) -> dict[str, Drawn]:
    """The same of all rows of `samples` [1 + draws]: of the images as they are, then of every draw."""
    return over_draws(lambda weights: figures_drawn(scored, threshold, weights), samples)


def with_intervals(drawn: Mapping[str, Drawn], kinds: Mapping[str, int]) -> dict[str, Measured]:
    """Figures [1 + draws] with their intervals; n is the number of images of `kinds_of` behind each."""
    return {name: measured(values, kinds[_behind(name)]) for name, values in drawn.items()}


def _behind(name: str) -> str:
    """The kind of image that a figure rests on: its one kind, or all where it sets two against each other."""
    kind, *others = NEEDS[name]
    return "image" if others else kind
