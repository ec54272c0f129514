"""F1, precision and recall over classes, from the most probable class of each image. Undefined is NaN, as elsewhere.

Macro: the mean over the classes, as scikit-learn's `average="macro"`; weighted: by the images of each class.
"""

from __future__ import annotations

import numpy as np

from dermalens.evaluate import confusion
from dermalens.evaluate.bootstrap import Drawn, Weights
from dermalens.evaluate.metrics import Figure, Scored, confusions_of


@Figure
def macro_f1(scored: Scored, weights: Weights) -> Drawn:
    """Mean F1 of the classes; NaN when a class has no image."""
    return confusion.macro(confusion.f1_scores(confusions_of(scored, weights)))


@Figure
def weighted_f1(scored: Scored, weights: Weights) -> Drawn:
    """Mean F1 of the classes, each weighted by its images."""
    found = confusions_of(scored, weights)
    return confusion.weighted(confusion.f1_scores(found), confusion.images(found))


@Figure
def macro_precision(scored: Scored, weights: Weights) -> Drawn:
    """Mean over the classes of the share of right ones among what was given that class; NaN when one is never given."""
    return confusion.macro(confusion.precisions(confusions_of(scored, weights)))


@Figure
def macro_recall(scored: Scored, weights: Weights) -> Drawn:
    """Mean sensitivity of the classes, which is the balanced accuracy under its other name; NaN as there."""
    return confusion.macro(confusion.sensitivities(confusions_of(scored, weights)))


@Figure
def binary_accuracy(scored: Scored, weights: Weights) -> Drawn:
    """Share of images whose most probable class is malignant where the label is, and benign where it is.

    A bundle with seven classes and one with two answer the same question in it.
    """
    right = scored.malignant[scored.given] == scored.is_malignant
    return np.asarray(weights @ right / weights.sum(axis=1))
