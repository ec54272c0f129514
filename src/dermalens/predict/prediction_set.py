"""The prediction set: the classes that an image may have, at a coverage that validation images vouch for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dermalens.core.bundle import Manifest


@dataclass(frozen=True, slots=True)
class PredictionSet:
    """Of the images of each class, a share of `coverage` or more get a set that holds that class."""

    coverage: float
    classes: tuple[str, ...]
    """Codes in the order of the bundle; none, some or all."""

    def as_dict(self) -> dict[str, Any]:
        """The key `prediction_set` of an answer."""
        return {"coverage": self.coverage, "classes": list(self.classes)}


def prediction_set(shown: Mapping[str, float], manifest: Manifest) -> PredictionSet | None:
    """The set for the probabilities of an answer by class code; None for a bundle without conformal thresholds.

    The probabilities are those of the bundle's own prevalence, for which the thresholds were fitted.
    """
    conformal = manifest.conformal
    if conformal is None:
        return None
    needed = zip(manifest.classes, conformal.thresholds, strict=True)
    return PredictionSet(conformal.coverage, tuple(code for code, threshold in needed if shown[code] >= threshold))
