"""The forms of the answers for the OpenAPI document; what is sent is made of the values themselves."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dermalens.serve.typed import Typed


class _Schema(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True, frozen=True)


class Wrong(_Schema):
    """A value that cannot be used."""

    where: str
    message: str


class ProblemDetails(_Schema):
    """RFC 9457."""

    type: str
    """Stable; the page of that address explains it."""
    title: str
    status: int
    detail: str
    errors: list[Wrong] | None = None


class Answer(_Schema):
    """The answer for an image, with the keys of `dermalens predict --json`; docs/reference/answer.md explains each."""

    image: str
    diagnosis: str
    probabilities: dict[str, float]
    malignant_probability: float = Field(ge=0, le=1)
    decision: Literal["refer", "reassure", "abstain"]
    reasons: list[str]
    recommendation: str
    bundle: dict[str, str]
    limits: list[str]
    operating_point: dict[str, Any]
    quality: dict[str, Any]
    notes: list[str]
    prediction_set: dict[str, Any] | None
    prevalence: dict[str, Any] | None
    lesion_image: dict[str, Any] | None
    outline: dict[str, Any] | None
    abcd: dict[str, Any] | None
    similar: list[dict[str, Any]] | None
    similar_malignant_share: float | None
    square: list[float] | None


class Predicted(Answer):
    """The answer to a request."""

    heatmap: str | None = None
    """PNG in a data URI; absent where none was asked for or the decision is to abstain."""
    outline_picture: str | None = None
    """PNG in a data URI; absent where none was asked for or found."""
    id: str | None
    """Of the kept case; null where it was not kept."""
    kept_error: str | None = None
    """Why it could not be kept, though asked; absent otherwise."""


class PatientOut(_Schema):
    """What was said of the patient."""

    age_years: float | None
    sex: str
    site: str


class FeedbackOut(_Schema):
    """What somebody said of a case later."""

    id: str
    kind: Literal["agree", "other", "histology"]
    label: str
    comment: str
    created: datetime


class FeedbackIn(_Schema):
    """What is said of a case: agreement, another diagnosis, or what histology found."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True)

    kind: Literal["agree", "other", "histology"]
    label: Literal["", "akiec", "bcc", "bkl", "df", "mel", "nv", "vasc", "benign", "malignant"] = ""
    """A diagnosis code, or benign or malignant; needed unless it agrees, and then empty."""
    comment: Typed = ""


class CaseOut(_Schema):
    """A kept case."""

    id: str
    created: datetime
    answer: Answer
    patient: PatientOut
    lesion_id: str | None
    lesion: str
    note: str
    taken_on: date | None
    """The day on which the picture was taken, where it was stated."""
    image_sha256: str
    square: list[float] | None
    feedback: list[FeedbackOut]


class CasesOut(_Schema):
    """Kept cases, the newest first."""

    items: list[CaseOut]
    cursor: str | None
    """Give it as `cursor` for the next ones; null where there are no more."""


class JobItemOut(_Schema):
    """One image of a batch."""

    number: int
    """Its place among the images, from 0."""
    name: str
    state: Literal["waiting", "done", "failed"]
    answer: Answer | None
    error: str | None


class JobOut(_Schema):
    """A batch."""

    id: str
    created: datetime
    state: Literal["waiting", "running", "done"]
    total: int
    done: int
    failed: int
    items: list[JobItemOut]


class QualityOut(_Schema):
    """Whether a picture can be judged; no classification is given."""

    accepted: bool
    findings: list[str]
    """Why it cannot be judged and what to do; empty where it can."""
    quality: dict[str, Any]
    lesion_image: dict[str, Any] | None
    """What the gate says; null where the bundle has none."""
    notes: list[str]
    bundle: dict[str, str]
    square: list[float] | None


class MeasuredOut(_Schema):
    """A figure with its 95 % interval; null where undefined."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class OperatingPointOut(_Schema):
    """A threshold on the malignant probability."""

    name: str
    threshold: float
    sensitivity: MeasuredOut
    specificity: MeasuredOut


class ModelOut(_Schema):
    """The bundle that answers."""

    name: str
    version: str
    sha256: str
    classes: list[str]
    malignant: list[str]
    operating_points: list[OperatingPointOut]
    default_operating_point: str
    prevalence: float | None
    metrics: dict[str, MeasuredOut]
    intended_use: str
    limits: list[str]
    has_outline: bool
    has_gate: bool
    has_gallery: bool
    created: datetime | str
