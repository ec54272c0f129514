"""Two bundles on the same images: the difference of each figure, and McNemar's test of their right answers."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from dermalens.core.bundle import Measured
from dermalens.core.errors import DataError
from dermalens.evaluate.all_figures import figures_drawn, images_behind
from dermalens.evaluate.bootstrap import Drawn, Samples, Weights, lesion_samples, measured, over_draws
from dermalens.evaluate.evaluation_types import Discordance, Paired
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.predictions import Truth

_MALIGNANT_FIGURES: Final = ("malignant_", "sensitivity_at_", "specificity_at_", "binary_accuracy")
"""How the figures begin that mean the same for bundles with other classes."""


def compare(first: Scored, second: Scored, truth: Truth, *, draws: int = 1000, seed: int = 0) -> Paired:
    """First less second, with lesions drawn once for both; of bundles with other classes the malignant figures only.

    Raises:
        DataError: the images are not the same.
    """
    _check_same_images(first, second, truth)
    same_classes = first.classes == second.classes
    binary = [scored.malignant[scored.given] == scored.is_malignant for scored in (first, second)]
    most_probable = [scored.given == scored.labels for scored in (first, second)]
    return Paired(
        differences=_differences(first, second, lesion_samples(truth, draws=draws, seed=seed)),
        most_probable_class=discordance(*most_probable) if same_classes else None,
        malignant_or_benign=discordance(*binary),
    )


def discordance(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Discordance:
    """McNemar's exact conditional and mid-p test of two sets of right answers to the same images.

    M. W. Fagerland, S. Lydersen, P. Laake, The McNemar test for binary matched-pairs data, BMC Medical Research
    Methodology 13:91 (2013), equations 1 and 2 of the supplement. Images count as independent, which several images
    of one lesion are not; the intervals of the differences have lesions as their unit.
    """
    alone = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    exact, mid = mcnemar(*alone)
    return Discordance(first_only=alone[0], second_only=alone[1], exact_p=exact, mid_p=mid, images=len(first))


def mcnemar(first_only: int, second_only: int) -> tuple[float, float]:
    """Two-sided exact conditional p and mid-p of the images that one of two alone has right; 1 without any."""
    fewer, both = min(first_only, second_only), first_only + second_only
    if not both:
        return 1.0, 1.0
    density = float(binom.pmf(fewer, both, 0.5))
    if first_only == second_only:
        return 1.0, 1 - density / 2
    exact = 2 * float(binom.cdf(fewer, both, 0.5))
    return exact, exact - density


def _differences(first: Scored, second: Scored, samples: Samples) -> dict[str, Measured]:
    def drawn(weights: Weights) -> dict[str, Drawn]:
        left, right = figures_drawn(first, weights), figures_drawn(second, weights)
        if first.classes != second.classes:
            left = {name: values for name, values in left.items() if name.startswith(_MALIGNANT_FIGURES)}
        return {name: values - right[name] for name, values in left.items()}

    counts = images_behind(first)
    found = over_draws(drawn, samples)
    return {name: measured(values, counts.get(name, len(first.labels))) for name, values in found.items()}


def _check_same_images(first: Scored, second: Scored, truth: Truth) -> None:
    if not len(first.labels) == len(second.labels) == len(truth.lesions):
        raise DataError(
            f"Two bundles are compared on the same images; {len(first.labels)} and {len(second.labels)} were given."
        )
    apart = int(np.sum(first.is_malignant != second.is_malignant))
    if apart:
        raise DataError(
            f"Two bundles are compared on the same images in the same order; {apart} are malignant for one bundle and "
            "benign for the other."
        )
