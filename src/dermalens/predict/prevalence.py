"""The answer in a population with another share of malignant lesions than that of the bundle's validation images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dermalens.core.bundle import Manifest, OperatingPoint
from dermalens.core.decision import DECIMALS, Probabilities
from dermalens.core.errors import DermaLensError
from dermalens.core.prevalence import check_prevalence, predictive_values, shift_classes, shift_to_prevalence

LEAST, MOST = 0.0001, 0.9999
"""Shares that can be stated; beyond them a threshold of six decimals has no digits left to compare with."""


@dataclass(frozen=True, slots=True)
class Prevalence:
    """The malignant share that the caller stated, and what the operating point comes to there."""

    malignant: float
    ppv: float | None
    """Share of malignant lesions among those at or above the threshold; None where none or all would be."""
    npv: float | None
    """Share of benign lesions among those below it."""

    def as_dict(self) -> dict[str, float | None]:
        """The key `prevalence` of an answer."""
        return {"malignant": self.malignant, "ppv": self.ppv, "npv": self.npv}


def at_prevalence(
    probabilities: Probabilities, point: OperatingPoint, manifest: Manifest, wanted: float
) -> tuple[Probabilities, OperatingPoint, Prevalence]:
    """Probabilities [K] and threshold shifted to the malignant share `wanted`, and PPV and NPV there.

    Both are shifted alike, so that the threshold finds what it found: the same lesions lie above it, up to the rounding
    of both to six decimals.

    Raises:
        DermaLensError: a share that is none, or beyond `LEAST` and `MOST`, or a bundle that does not say for which
            share its probabilities were calibrated.
    """
    base = base_prevalence(manifest)
    malignant = np.array([code in manifest.malignant for code in manifest.classes])
    check_stated(wanted)
    shifted = shift_classes(probabilities, malignant, base, wanted)
    threshold = float(shift_to_prevalence(point.threshold, base, wanted))
    moved = point.model_copy(update={"threshold": round(threshold, DECIMALS)})
    return shifted, moved, Prevalence(wanted, *values_at(point, wanted))


def check_stated(wanted: float) -> None:
    """Refuse a share that no answer can be shifted to.

    Raises:
        DermaLensError: it is no share, or beyond `LEAST` and `MOST`.
    """
    check_prevalence(wanted)
    if not LEAST <= wanted <= MOST:
        raise DermaLensError(f"A prevalence of {wanted:g} cannot be used; needed is {LEAST} to {MOST}.")


def base_prevalence(manifest: Manifest) -> float:
    """The malignant share that the probabilities of a bundle assume.

    Raises:
        DermaLensError: the bundle does not say it.
    """
    if manifest.prevalence is None:
        raise DermaLensError(
            f"The bundle {manifest.name} does not say for which malignant share its probabilities were calibrated, "
            "so that they cannot be shifted to another. Add it: dermalens equip BUNDLE --split SPLIT"
        )
    return manifest.prevalence


def values_at(point: OperatingPoint, wanted: float) -> tuple[float | None, float | None]:
    """PPV and NPV of an operating point at a malignant share, from its sensitivity and specificity on validation."""
    sensitivity, specificity = point.sensitivity.value, point.specificity.value
    if sensitivity is None or specificity is None:
        return None, None
    ppv, npv = (float(value) for value in predictive_values(sensitivity, specificity, wanted))
    return (None if np.isnan(ppv) else round(ppv, DECIMALS), None if np.isnan(npv) else round(npv, DECIMALS))
