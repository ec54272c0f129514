"""What follows from the most probable class alone, for many draws at once: confusions and the shares in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dermalens.evaluate.bootstrap import Drawn, Weights, divided
from dermalens.evaluate.predictions import Labels

Confusions = NDArray[np.float64]  # [draws, K, K], weight of the images of the row's class that are given the column's
OfClasses = NDArray[np.float64]  # [draws, K], a figure of each class; NaN where undefined


def confusions(labels: Labels, given: Labels, classes: int, weights: Weights) -> Confusions:
    """Count every pair of label and class given."""
    pairs = np.eye(classes * classes)[labels * classes + given]
    return np.asarray((weights @ pairs).reshape(-1, classes, classes))


def images(found: Confusions) -> OfClasses:
    """Images of each class."""
    return np.asarray(found.sum(axis=2))


def right(found: Confusions) -> OfClasses:
    """Images of each class that are given it."""
    return np.diagonal(found, axis1=1, axis2=2)


def accuracies(found: Confusions) -> Drawn:
    """Share of images that are given their class [draws]."""
    return divided(right(found).sum(axis=1), images(found).sum(axis=1))


def sensitivities(found: Confusions) -> OfClasses:
    """Share of the images of a class that are given it; NaN for a class without an image."""
    return divided(right(found), images(found))


def specificities(found: Confusions) -> OfClasses:
    """Share of the images of other classes that are not given the class; NaN when there are no others."""
    others = images(found).sum(axis=1, keepdims=True) - images(found)
    return 1 - divided(found.sum(axis=1) - right(found), others)


def precisions(found: Confusions) -> OfClasses:
    """Share of those given a class that are of it; NaN for a class that is never given."""
    return divided(right(found), found.sum(axis=1))


def f1_scores(found: Confusions) -> OfClasses:
    """Harmonic mean of precision and sensitivity, 0 when none is right; NaN for a class without an image."""
    of_class = images(found)
    return divided(2 * right(found), np.where(of_class > 0, found.sum(axis=1) + of_class, 0))


def macro(values: OfClasses) -> Drawn:
    """Mean over the classes [draws], as scikit-learn's `average="macro"`; NaN when it is undefined for one."""
    return np.asarray(np.mean(values, axis=1))


def weighted(values: OfClasses, of_class: OfClasses) -> Drawn:
    """Mean over the classes by their images [draws], as `average="weighted"`; classes without one do not count."""
    terms = np.where(of_class > 0, values * of_class, 0)
    return divided(np.sum(terms, axis=1), of_class.sum(axis=1))
