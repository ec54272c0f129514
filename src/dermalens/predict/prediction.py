"""The answer for one image; `as_dict` is what every surface sends (docs/reference/answer.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermalens.core.bundle import Manifest, OperatingPoint
from dermalens.core.bundlefile import Bundle
from dermalens.core.decision import Decision, Verdict, by_code, decide, malignant_probability, most_probable
from dermalens.core.decision import Probabilities as ProbabilityArray
from dermalens.core.square import Square
from dermalens.core.statements import NO_ANSWER
from dermalens.predict.abcd import Measures
from dermalens.predict.drawing import Drawing, PlacedOutline
from dermalens.predict.explain import Explanation
from dermalens.predict.gate import LesionImage
from dermalens.predict.prediction_set import PredictionSet, prediction_set
from dermalens.predict.prevalence import Prevalence, at_prevalence
from dermalens.predict.quality import Quality
from dermalens.predict.similar import DECIMALS, Similar, malignant_share

Embedded = NDArray[np.float32]  # [D], before any reduction


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
    lesion_image: LesionImage | None = None
    """What the gate says; None where the bundle has none."""
    outline: PlacedOutline | None = None
    """None where none was asked for or found."""
    abcd: Measures | None = None
    """The measures of the outlined lesion; None without an outline."""
    similar: tuple[Similar, ...] | None = None
    """The nearest cases of the gallery, the nearest first; None where no gallery was given."""
    square: Square | None = None
    """What the model saw, where it was chosen; None is the centre square."""
    is_shown_anyway: bool = False
    """It abstains, and the caller asked for class, probabilities and all else anyway."""
    explanation: Explanation | None = field(default=None, repr=False, compare=False)
    """The heat map, when it was asked for."""
    drawing: Drawing | None = field(default=None, repr=False, compare=False)
    """The outline over the square, with the mask, when the outline was asked for and found."""
    embedding: Embedded | None = field(default=None, repr=False, compare=False)
    """What the network made of the square, for the search of similar cases."""

    @property
    def diagnosis(self) -> str:
        """Code of the most probable class; a name from HAM10000, not a physician's finding."""
        return most_probable(self.probabilities)

    @property
    def is_shown(self) -> bool:
        """Whether a surface for people shows class and probabilities: not where it abstains, unless asked to anyway."""
        return self.decision != "abstain" or self.is_shown_anyway

    @property
    def warning(self) -> str | None:
        """Where it abstains, the sentence that stands beside class and probabilities wherever they are shown."""
        return NO_ANSWER if self.decision == "abstain" else None

    @property
    def all_notes(self) -> tuple[str, ...]:
        """The notes with the warning, where there is one, as the last."""
        return (*self.notes, self.warning) if self.warning else self.notes

    @property
    def similar_malignant_share(self) -> float | None:
        """Share of the similar cases that are malignant; None where no gallery was given."""
        share = None if self.similar is None else malignant_share(self.similar)
        return None if share is None else round(share, DECIMALS)

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
            "quality": self.quality.as_dict(),
            "notes": list(self.all_notes),
            "prediction_set": self.prediction_set.as_dict() if self.prediction_set else None,
            "prevalence": self.prevalence.as_dict() if self.prevalence else None,
            "lesion_image": self.lesion_image.as_dict() if self.lesion_image else None,
            "outline": self.outline.as_dict() if self.outline else None,
            "abcd": self.abcd.as_dict() if self.abcd else None,
            "similar": None if self.similar is None else [one.as_dict() for one in self.similar],
            "similar_malignant_share": self.similar_malignant_share,
            "square": self.square.as_list() if self.square else None,
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of an image besides the model's output."""

    image: str
    quality: Quality
    notes: tuple[str, ...]
    lesion_image: LesionImage | None = None
    square: Square | None = None
    """None is the centre square."""

    @property
    def findings(self) -> tuple[str, ...]:
        """Why the picture cannot be judged; empty where it can."""
        return (*self.quality.findings, *(self.lesion_image.refusal if self.lesion_image else ()))


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
    decision: Decision = decide(shown, manifest.malignant, point, seen.findings)
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
        lesion_image=seen.lesion_image,
        square=seen.square,
    )


def _name(manifest: Manifest, sha256: str) -> BundleName:
    return BundleName(manifest.name, manifest.version, sha256)
