"""F1, precision and recall over classes, from the most probable class of each image. Undefined is NaN, as elsewhere.

Macro: the mean over the classes, as scikit-learn's `average="macro"`; weighted: by the images of each class.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dermalens.evaluate.metrics import Scored

PerClass = NDArray[np.float64]  # [classes]


def macro_f1(scored: Scored) -> float:
    """Mean F1 of the classes; NaN when a class has no image."""
    right, predicted, images = _counts(scored)
    return float(np.mean(np.where(images > 0, _divided(2 * right, predicted + images), np.nan)))


def weighted_f1(scored: Scored) -> float:
    """Mean F1 of the classes, each weighted by its images."""
    right, predicted, images = _counts(scored)
    return float(np.nansum(_divided(2 * right, predicted + images) * images) / images.sum())


def macro_precision(scored: Scored) -> float:
    """Mean over the classes of the share of right ones among what was given that class; NaN when one is never given."""
    right, predicted, _ = _counts(scored)
    return float(np.mean(_divided(right, predicted)))


def macro_recall(scored: Scored) -> float:
    """Mean sensitivity of the classes, which is the balanced accuracy under its other name; NaN as there."""
    right, _, images = _counts(scored)
    return float(np.mean(_divided(right, images)))


def binary_accuracy(scored: Scored) -> float:
    """Share of images whose most probable class is malignant where the label is, and benign where it is.

    A bundle with seven classes and one with two answer the same question in it.
    """
    given = scored.malignant[scored.probabilities.argmax(axis=1)]
    return float(np.mean(given == scored.malignant[scored.labels]))


def _counts(scored: Scored) -> tuple[PerClass, PerClass, PerClass]:
    """For each class the images that are rightly given it, all that are given it, and all that are of it."""
    classes = scored.probabilities.shape[1]
    given = scored.probabilities.argmax(axis=1)
    chosen = (scored.labels[given == scored.labels], given, scored.labels)
    right, predicted, images = (np.bincount(labels, minlength=classes).astype(np.float64) for labels in chosen)
    return right, predicted, images


def _divided(part: PerClass, whole: PerClass) -> PerClass:
    """The quotient, NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
