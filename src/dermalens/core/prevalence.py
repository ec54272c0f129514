"""What answers come to in a population with another share of malignant lesions than the one judged.

A part of a data set has more malignant lesions than a practice sees; calibrated probabilities, PPV and NPV hold for
the share that they were made with. Everything here assumes that lesions of a class look alike in both populations and
that the mix of diagnoses within malignant, and within benign, is the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dermalens.core.errors import DermaLensError

Shares = NDArray[np.float64]  # any shape, 0 to 1


def shift_to_prevalence(malignant_probability: ArrayLike, base: float, wanted: float) -> Shares:
    """Malignant probabilities that assume the malignant share `base`, for a population with the share `wanted`.

    The odds are multiplied by those of `wanted` over those of `base`. M. Saerens et al., Adjusting the outputs of a
    classifier to new a priori probabilities, Neural Computation 14, 21 (2002), equation 4. The order stays as it is.

    Raises:
        DermaLensError: a share that is not between 0 and 1.

    >>> float(shift_to_prevalence(0.5, base=0.2, wanted=0.2)), round(float(shift_to_prevalence(0.5, 0.2, 0.03)), 3)
    (0.5, 0.11)
    """
    malignant, benign = _factors(base, wanted)
    probability = np.asarray(malignant_probability, dtype=np.float64)
    return np.asarray(probability * malignant / (probability * malignant + (1 - probability) * benign))


def shift_classes(probabilities: Shares, malignant: NDArray[np.bool_], base: float, wanted: float) -> Shares:
    """The same for the probabilities of all classes [..., K], of which `malignant` [K] are; they sum to one again.

    The sum of the malignant ones is then what `shift_to_prevalence` makes of their sum.

    Raises:
        DermaLensError: a share that is not between 0 and 1.
    """
    factors = np.where(malignant, *_factors(base, wanted))
    scaled = probabilities * factors
    return np.asarray(scaled / scaled.sum(axis=-1, keepdims=True))


def predictive_values(sensitivity: ArrayLike, specificity: ArrayLike, prevalence: ArrayLike) -> tuple[Shares, Shares]:
    """PPV and NPV at a malignant share, by the theorem of Bayes; NaN where nothing would be referred, or all.

    D. G. Altman, J. M. Bland, Diagnostic tests 2: predictive values, BMJ 309, 102 (1994).

    >>> ppv, npv = predictive_values(0.9, 0.8, 0.03)
    >>> round(float(ppv), 3), round(float(npv), 3)
    (0.122, 0.996)
    """
    found, spared, share = (np.asarray(value, dtype=np.float64) for value in (sensitivity, specificity, prevalence))
    right, false_alarm = found * share, (1 - spared) * (1 - share)
    cleared, missed = spared * (1 - share), (1 - found) * share
    return _divided(right, right + false_alarm), _divided(cleared, cleared + missed)


def check_prevalence(prevalence: float) -> None:
    """Refuse what is not a share.

    Raises:
        DermaLensError: it is not between 0 and 1.
    """
    if not 0 < prevalence < 1:
        raise DermaLensError(f"A prevalence is a share between 0 and 1, such as 0.03 for 3 %; {prevalence} was given.")


def _factors(base: float, wanted: float) -> tuple[float, float]:
    """What malignant and benign probabilities are multiplied by before they are brought to the sum of one."""
    check_prevalence(base)
    check_prevalence(wanted)
    return wanted / base, (1 - wanted) / (1 - base)


def _divided(part: Shares, whole: Shares) -> Shares:
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0))
