"""The bundle: a folder with all that is needed to answer for one image, and nothing else.

`bundle.json` is the `Manifest` below; each ONNX graph is named in it with its SHA-256. Training writes a bundle,
inference reads it, and the two meet nowhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dermalens.core.errors import name_some
from dermalens.core.spec import PreprocessSpec
from dermalens.core.taxonomy import BINARY, CLASSES, malignant_of, needed_order

FORMAT_VERSION: Final = 3
"""What is written: raised when a bundle of the new form cannot be read by older code. 2 has the stack (`Logistic`),
3 the gate, the outline, the prediction sets and the prevalence, all of which may be missing."""

MANIFEST_NAME = "bundle.json"

FOLD: Final = "fold"
"""Key of `Provenance.training`: the fold that was held out in the place of the val part."""

FOLDS_SHA256: Final = "folds_sha256"
"""Key of `Provenance.training` beside `FOLD`: what the folds are known by."""

VERSION: Final = "[A-Za-z0-9._+-]+"
"""Pattern of the version of a bundle, which stands in file names, tables and on terminals."""

PRIOR_CORRECTION: Final = "prior_correction"
"""Key of `Provenance.training`: the part of the log prior that the calibration takes away."""

CALIBRATION_PENALTY: Final = "calibration_penalty"
"""Key of `Provenance.training` of a bundle with vector scaling: how strongly its classes were drawn together."""

HALF_WEIGHTS_CHANGE: Final = "largest_change_by_half_weights"
"""Key of `Provenance.training` in a bundle with 16-bit weights: by how much they change a class probability before
calibration, at most, on the images of the parity check."""

QUARTER_WEIGHTS_CHANGE: Final = "largest_change_by_quarter_weights"
"""The same of a bundle with 8-bit weights."""

ROUNDING_CHANGES: Final = MappingProxyType({16: HALF_WEIGHTS_CHANGE, 8: QUARTER_WEIGHTS_CHANGE})
"""Both by the bits of a weight."""

View = Literal["identity", "flip", "turn_90", "turn_180", "turn_270", "flip_90", "flip_180", "flip_270"]
"""A dihedral view: `turn_X` rotates counter-clockwise by X degrees; `flip` mirrors left to right, then turns."""

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Measured(_Part):
    """A figure with its 95 % interval and the number of images behind it; None stands for undefined."""

    value: float | None
    low: float | None
    high: float | None
    n: int = Field(ge=0)


class GraphFile(_Part):
    """An ONNX file of the bundle's folder."""

    file: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\.onnx$")
    sha256: Sha256


class Member(GraphFile):
    """One classifier: `pixels` uint8 [N, S, S, 3] in; `logits`, `embedding`, `heatmaps` float32 out."""


class Gate(GraphFile):
    """Tells dermatoscopic images of a lesion from other pictures, before any diagnosis.

    `embedding` float32 [N, D] of the bundle in; `score` float32 [N] out, higher for what is more like a lesion image.
    """

    threshold: float
    """Accepted are scores at or above it; chosen on validation images."""
    method: str
    """How the score is made, in a sentence."""
    measured: dict[str, Measured]
    """Share of held-out pictures accepted, by kind."""


class Outline(GraphFile):
    """Draws the outline of the lesion: `pixels` uint8 [N, S, S, 3] in; `mask` float32 [N, s, s] out, a probability."""

    threshold: float = Field(ge=0, le=1)
    """A pixel at or above it belongs to the lesion; chosen on validation images."""
    measured: dict[str, Measured]
    """On the test part, such as `intersection_over_union`."""


class Conformal(_Part):
    """Prediction sets: class k is in the set when its probability is at least `thresholds[k]`.

    Class-conditional split conformal prediction on validation lesions. V. Vovk, Conditional validity of inductive
    conformal predictors, ACML 2012.
    """

    coverage: float = Field(gt=0, lt=1)
    """Share of the images of each class whose set is to hold that class."""
    thresholds: list[float]
    """[K]; 0 for a class with too few validation images to say, or that the model hardly sees: it is in every set."""
    n: list[int]
    """[K] validation images of each class."""


class Logistic(_Part):
    """A stacked logistic regression over the members: logits = weights @ x + bias.

    x [M * K] are the logits of member 1, then of member 2 and so on, those of each member less their mean (a constant
    added to all logits of a softmax says nothing). Fitted on out-of-fold predictions of the train part.
    D. H. Wolpert, Stacked generalization, Neural Networks 5, 241 (1992).
    """

    kind: Literal["logistic"] = "logistic"
    weights: list[list[float]]
    """[K][M * K], for K classes and M members."""
    bias: list[float]
    """[K]."""
    n: int = Field(ge=0)
    """Training images that it was fitted on, each predicted by networks that had not seen its lesion."""


Combiner = Literal["mean"] | Logistic
"""The members' logits are averaged, or a regression is made of them."""


class Calibration(_Part):
    """probabilities = softmax(scale * logits + shift), per class; fitted on validation lesions only."""

    method: Literal["none", "temperature", "vector"]
    scale: list[Annotated[float, Field(gt=0)]]
    """At most 0 would take the least likely class for the most likely, or all for alike."""
    shift: list[float]
    n: int = Field(ge=0)
    """Validation images that it was fitted on."""


class OperatingPoint(_Part):
    """A threshold on the malignant probability, chosen on validation data for a sensitivity."""

    name: str = Field(pattern="^[a-z0-9_]+$")
    threshold: float = Field(ge=0, le=1)
    sensitivity: Measured
    specificity: Measured


class Provenance(_Part):
    """Where the bundle comes from."""

    recipe: str
    code_version: str
    split_sha256: Sha256
    data: list[str]
    """Data sets and their citations."""
    data_licence: str
    created: str
    """UTC, ISO 8601."""
    training: dict[str, str | int | float]
    """Device, seconds, epochs, images and so on, as the run wrote them."""

    @property
    def recipes(self) -> list[str]:
        """Their names, apart."""
        return self.recipe.split(" + ")


class Manifest(_Part):
    """What `bundle.json` holds."""

    format_version: Literal[1, 2, 3]
    name: str = Field(pattern="^[a-z0-9_]+$")
    version: str = Field(pattern=f"^{VERSION}$")
    classes: list[str] = Field(min_length=2)
    """Class codes in the order of the logits."""
    malignant: list[str] = Field(min_length=1)
    preprocess: PreprocessSpec
    members: list[Member] = Field(min_length=1)
    combiner: Combiner
    """How the members' logits become those of the bundle."""
    views: list[View] = Field(min_length=1)
    """The logits of these views of the square are averaged (test-time augmentation)."""
    calibration: Calibration
    operating_points: list[OperatingPoint] = Field(min_length=1)
    default_operating_point: str
    gate: Gate | None = None
    """None in a bundle without one: then nothing is refused for not being a lesion."""
    outline: Outline | None = None
    conformal: Conformal | None = None
    prevalence: float | None = Field(default=None, gt=0, lt=1)
    """Malignant share that the calibrated probabilities assume, found on the validation images."""
    provenance: Provenance
    metrics: dict[str, Measured]
    """On the test part, after calibration."""
    intended_use: str
    limits: list[str] = Field(min_length=1)

    @property
    def graph_files(self) -> list[GraphFile]:
        """Every ONNX file of the bundle."""
        return [*self.members, *(part for part in (self.gate, self.outline) if part is not None)]

    @property
    def combiner_kind(self) -> str:
        """The word for it: mean or logistic."""
        return self.combiner if self.combiner == "mean" else self.combiner.kind

    @model_validator(mode="after")
    def _fits_together(self) -> Manifest:
        self._check_once()
        order = needed_order(self.classes)
        if tuple(self.classes) != order:
            raise ValueError(f"classes are in the order {' '.join(self.classes)}; needed is {' '.join(order)}")
        malignant = malignant_of(self.classes)
        if order in (CLASSES, BINARY) and set(self.malignant) != set(malignant):
            raise ValueError(f"malignant is {' '.join(self.malignant)}; needed is {' '.join(malignant)}")
        if not set(self.malignant) < set(self.classes):
            raise ValueError("malignant must name some, not all, of the classes")
        if not len(self.calibration.scale) == len(self.calibration.shift) == len(self.classes):
            raise ValueError(f"calibration needs {len(self.classes)} scales and shifts, one a class")
        self._check_combiner()
        if len({graph.file for graph in self.graph_files}) != len(self.graph_files):
            raise ValueError("two graphs have the same file name")
        if self.conformal and not len(self.conformal.thresholds) == len(self.conformal.n) == len(self.classes):
            raise ValueError(f"conformal needs {len(self.classes)} thresholds and numbers of images, one a class")
        if self.default_operating_point not in {point.name for point in self.operating_points}:
            raise ValueError(f"default_operating_point {self.default_operating_point!r} is not among operating_points")
        return self

    def _check_once(self) -> None:
        listed: dict[str, Sequence[str]] = {
            "classes": self.classes,
            "malignant": self.malignant,
            "views": self.views,
            "operating_points": [point.name for point in self.operating_points],
        }
        for key, names in listed.items():
            twice = [name for name, count in Counter(names).items() if count > 1]
            if twice:
                raise ValueError(f"{key} has {name_some(twice)} more than once; needed is each once")

    def _check_combiner(self) -> None:
        if self.combiner == "mean":
            return
        classes, inputs = len(self.classes), len(self.members) * len(self.classes)
        weights, bias = self.combiner.weights, self.combiner.bias
        if len(weights) != classes or len(bias) != classes or any(len(row) != inputs for row in weights):
            raise ValueError(
                f"combiner needs {classes} rows of {inputs} weights ({len(self.members)} members with {classes} "
                f"classes) and {classes} biases"
            )


def held_out_fold(manifest: Manifest) -> int | None:
    """The fold of its split that a bundle was calibrated on; None for the val part."""
    fold = manifest.provenance.training.get(FOLD)
    return None if fold is None else int(fold)
