"""The figures of a gate: a logistic regression on the direction of the embedding, scaled on validation images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from dermalens.core.bundle import Measured
from dermalens.core.errors import DataError

Embeddings = NDArray[np.float64]  # [N, D]
Scores = NDArray[np.float64]  # [N], 0 to 1

ACCEPTED: Final = 0.99
"""Share of the validation lesion images that the threshold accepts; one percent above what is asked of new ones."""
STRENGTH: Final = 0.01
"""Inverse regularisation, scikit-learn's C, on standardised features."""
LEAST_IMAGES: Final = 20
"""Of each side: fewer say nothing."""
LEAST_LENGTH: Final = 1e-6
"""Of an embedding; one of zeros has no direction."""


@dataclass(frozen=True, slots=True)
class FittedGate:
    """The figures of a gate; `scores` is what its graph computes."""

    weights: NDArray[np.float64]
    """[D], for embeddings of length one."""
    bias: float

    def evidence(self, embeddings: Embeddings) -> Scores:
        """How far each of [N, D] lies on the side of lesion images; any number, [N]."""
        return np.asarray(directions(embeddings) @ self.weights + self.bias)

    def scores(self, embeddings: Embeddings) -> Scores:
        """0 to 1, [N], higher for what is more like a lesion image."""
        return np.asarray(expit(self.evidence(embeddings)))


def directions(embeddings: Embeddings) -> Embeddings:
    """The embeddings at length one: what raises all activities alike says nothing."""
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.asarray(embeddings / np.maximum(lengths, LEAST_LENGTH))


def fit(lesions: Embeddings, others: Embeddings) -> FittedGate:
    """A logistic regression of lesion images against other pictures; both sides count alike.

    Raises:
        DataError: too few of either.
    """
    _check_enough(len(lesions), "lesion images for fitting")
    _check_enough(len(others), "pictures without a lesion for fitting")
    x, is_lesion = directions(np.concatenate([lesions, others])), np.arange(len(lesions) + len(others)) < len(lesions)
    centre, deviation = x.mean(axis=0), x.std(axis=0)
    scale = np.maximum(deviation, max(float(np.median(deviation)) / 10, 1e-9))  # a unit that never fires stays quiet
    model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000).fit((x - centre) / scale, is_lesion)
    weights = model.coef_[0] / scale
    return FittedGate(weights, float(model.intercept_[0] - centre @ weights))


def on_common_scale(gate: FittedGate, lesions: Embeddings) -> FittedGate:
    """The gate with its evidence 0 where `ACCEPTED` of validation lesion images are above, and 1 at their median.

    So scores of different bundles are alike: about 0.5 at the threshold, 0.73 for a usual lesion image.

    Raises:
        DataError: too few of them.
    """
    _check_enough(len(lesions), "validation lesion images")
    mark, middle = np.quantile(gate.evidence(lesions), [1 - ACCEPTED, 0.5])
    spread = max(float(middle - mark), 1e-6)
    return FittedGate(gate.weights / spread, (gate.bias - float(mark)) / spread)


def threshold_for(scores: Scores) -> float:
    """The score, rounded down to the six decimals that are judged, at or above which `ACCEPTED` of `scores` lie."""
    return float(np.floor(np.quantile(scores, 1 - ACCEPTED, method="lower") * 1e6) / 1e6)


def accepted_share(accepted: NDArray[np.bool_]) -> Measured:
    """The share that is true, with Wilson's 95 % interval.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22:209, 1927.
    """
    n = len(accepted)
    if not n:
        return Measured(value=None, low=None, high=None, n=0)
    share, z = float(np.mean(accepted)), 1.959964
    middle, half = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = (float(np.clip(bound / (1 + z**2 / n), 0, 1)) for bound in (middle - half, middle + half))
    return Measured(value=share, low=low, high=high, n=n)


def _check_enough(count: int, what: str) -> None:
    if count < LEAST_IMAGES:
        raise DataError(f"The gate has {count} {what}; at least {LEAST_IMAGES} are needed.")
