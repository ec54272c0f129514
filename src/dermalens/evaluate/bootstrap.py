"""The bootstrap over lesions: how often each image was drawn, and intervals from figures of all draws at once.

A figure that is worked out from weights, one for each image, is that of a drawn sample when the weights say how often
each image is in it. So scores are sorted once, and a thousand draws are one array.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.core.bundle import Measured
from dermalens.evaluate.predictions import Truth

Weights = NDArray[np.float64]  # [draws, images], how often each image counts
Drawn = NDArray[np.float64]  # [draws] or [draws, ...], a figure of each draw; NaN where undefined
Samples = NDArray[np.uint16]  # [1 + draws, images], as weights; the first row is ones: the images as they are

BLOCK: Final = 1 << 18
"""Weights that are worked on at once, 2 MiB: large evaluations stay small in memory, and small ones in the cache."""


def lesion_samples(truth: Truth, *, draws: int, seed: int) -> Samples:
    """How often each image is in each of `draws` samples of the lesions with replacement, each with all its images.

    Images of one lesion are not independent, so lesions are the unit (Field and Welsh, JRSS B 69:369, 2007).
    """
    names, lesion = np.unique(np.array(truth.lesions), return_inverse=True)
    random = np.random.default_rng(seed)
    samples = np.ones((1 + draws, len(lesion)), dtype=np.uint16)
    for row in samples[1:]:
        row[:] = np.bincount(random.integers(len(names), size=len(names)), minlength=len(names))[lesion]
    return samples


def lesion_draws(truth: Truth, *, draws: int, seed: int) -> list[NDArray[np.int64]]:
    """The same samples as rows: the number of each image, as often as it was drawn."""
    rows = np.arange(len(truth.lesions))
    return [np.repeat(rows, counts) for counts in lesion_samples(truth, draws=draws, seed=seed)[1:]]


def over_draws(figures: Callable[[Weights], Mapping[str, Drawn]], samples: Samples) -> dict[str, Drawn]:
    """The `figures` of all rows of `samples`, worked out in blocks of draws."""
    parts = [figures(weights) for weights in _blocks(samples)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _blocks(samples: Samples) -> Iterator[Weights]:
    size = max(1, BLOCK // samples.shape[1])
    for start in range(0, len(samples), size):
        yield samples[start : start + size].astype(np.float64)


def measured(drawn: Drawn, n: int) -> Measured:
    """A figure of all rows of `samples` [1 + draws]: that of the first, with the interval of the others."""
    return interval(drawn[1:], float(drawn[0]), n)


def interval(values: Drawn, value: float, n: int) -> Measured:
    """A figure with the 2.5 and 97.5 percentiles of its bootstrap values; None where undefined.

    A share of 0 or 1 is that in every draw, so that its interval has no width: n says how little that may mean.
    """
    if math.isnan(value):
        return Measured(value=None, low=None, high=None, n=n)
    defined = values[~np.isnan(values)]
    if not len(defined):
        return Measured(value=value, low=None, high=None, n=n)
    low, high = (float(bound) for bound in np.percentile(defined, [2.5, 97.5]))
    return Measured(value=value, low=low, high=high, n=n)


def divided(part: Drawn, whole: Drawn) -> Drawn:
    """The quotient, NaN where the whole is 0; `whole` may have fewer axes of the same draws, as numpy broadcasts."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))
