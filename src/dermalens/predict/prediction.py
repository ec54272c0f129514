"""The answer for one image; `as_dict` is what every surface sends (docs/reference/answer.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dermalens.core.bundle import Manifest, OperatingPoint
from dermalens.core.bundlefile import Bundle
from dermalens.core.decision import Decision, Verdict, by_code, decide, malignant_probability, most_probable
from dermalens.core.decision import Probabilities as ProbabilityArray
from dermalens.predict.explain import Explanation
from dermalens.predict.prediction_set import PredictionSet, prediction_set
from dermalens.predict.prevalence import Prevalence, at_prevalence
from dermalens.predict.quality import Quality


@dataclass(frozen=True, slots=True)
class BundleName:
    """Which bundle gave the answer."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one image. Probabilities are rounded to six decimals; the decision follows from these."""

    image: str
    """The path as it was given; `-`, `<bytes>`, `<image>` or `<array>` for what has none."""
    probabilities: dict[str, float]
    """Calibrated, by class code in the order of the bundle."""
    malignant_probability: float
    decision: Verdict
    reasons: tuple[str, ...]
    """Sentences in plain words."""
    recommendation: str
    """The next step."""
    bundle: BundleName
    limits: tuple[str, ...]
    """Sentences; show them with every answer."""
    operating_point: OperatingPoint
    quality: Quality
    prediction_set: PredictionSet | None = None
    """None where the bundle has none."""
    prevalence: Prevalence | None = None
    """None where the caller stated none; then the probabilities assume that of the bundle's validation images."""
    notes: tuple[str, ...] = ()
    """What was done to the picture on the way in, such as "The file is an animation; its first frame was used"."""
    explanation: Explanation | None = field(default=None, repr=False, compare=False)
    """The heat map, when it was asked for."""

    @property
    def diagnosis(self) -> str:
        """Code of the most probable class; a name from HAM10000, not a physician's finding."""
        return most_probable(self.probabilities)

    def as_dict(self) -> dict[str, Any]:
        """The answer in the JSON keys that are fixed; later versions add keys and change none."""
        point = self.operating_point
        return {
            "image": self.image,
            "diagnosis": self.diagnosis,
            "probabilities": dict(self.probabilities),
            "malignant_probability": self.malignant_probability,
            "decision": self.decision,
            "reasons": list(self.reasons),
            "recommendation": self.recommendation,
            "bundle": {"name": self.bundle.name, "version": self.bundle.version, "sha256": self.bundle.sha256},
            "limits": list(self.limits),
            "operating_point": {
                "name": point.name,
                "threshold": point.threshold,
                "sensitivity": point.sensitivity.value,
                "specificity": point.specificity.value,
            },
            "quality": {
                "source_side_pixels": self.quality.source_side_pixels,
                "contrast": self.quality.contrast,
                "findings": list(self.quality.findings),
            },
            "notes": list(self.notes),
            "prediction_set": self.prediction_set.as_dict() if self.prediction_set else None,
            "prevalence": self.prevalence.as_dict() if self.prevalence else None,
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of an image besides the model's output."""

    image: str
    quality: Quality
    notes: tuple[str, ...]


def answer(
    probabilities: ProbabilityArray, seen: Seen, bundle: Bundle, point: OperatingPoint, prevalence: float | None = None
) -> Prediction:
    """Put the answer together from the calibrated probabilities [K] of one image.

    Raises:
        DermaLensError: as `at_prevalence`.
    """
    manifest = bundle.manifest
    stated = None
    own = by_code(probabilities, manifest.classes)
    if prevalence is not None:
        probabilities, point, stated = at_prevalence(probabilities, point, manifest, prevalence)
    shown = by_code(probabilities, manifest.classes)
    decision: Decision = decide(shown, manifest.malignant, point, seen.quality.findings)
    return Prediction(
        image=seen.image,
        probabilities=shown,
        malignant_probability=malignant_probability(shown, manifest.malignant),
        decision=decision.verdict,
        reasons=decision.reasons,
        recommendation=decision.recommendation,
        bundle=_name(manifest, bundle.sha256),
        limits=tuple(manifest.limits),
        operating_point=point,
        quality=seen.quality,
        prediction_set=prediction_set(own, manifest),
        prevalence=stated,
        notes=seen.notes,
    )


def _name(manifest: Manifest, sha256: str) -> BundleName:
    return BundleName(manifest.name, manifest.version, sha256)
