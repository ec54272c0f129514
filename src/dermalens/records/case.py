"""The values of a case: what comes in, what is kept, what was said of it later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from dermalens.core.taxonomy import LABELS
from dermalens.records.errors import BadValue
from dermalens.records.tables import CaseRow, FeedbackRow
from dermalens.records.texts import MAX_TEXT, tidy, tidy_line

SEXES: Final = ("male", "female", "unknown")

FEEDBACK: Final = ("agree", "other", "histology")
"""Agrees with the classification; takes it for another diagnosis; what the tissue showed."""

AGE_DECIMALS: Final = 3
"""Of an age in years that count; the third is a third of a day. A page shows no more, and sends back what it showed."""

_MAX_AGE: Final = 130

_FIRST_DAY: Final = date(1900, 1, 1)
"""There are no colour pictures from before."""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is known of the patient; no name and no date of birth."""

    age_years: float | None = None
    sex: str = "unknown"
    """male, female or unknown."""
    site: str = ""
    """Where on the body."""


@dataclass(frozen=True, slots=True)
class NewCase:
    """What is to be kept."""

    answer: dict[str, Any]
    """`Prediction.as_dict()`."""
    image: bytes
    """The file as it came; only its pixels are kept."""
    embedding: bytes
    """float32, as the network made it."""
    consent: str
    """The sentence that was ticked."""
    patient: Patient = Patient()
    lesion: str = ""
    """The name that the user gives to the lesion, such as "P17 left forearm 1"; empty for none."""
    note: str = ""
    square: tuple[float, float, float] | None = None
    """Left, upper, side in pixels of the upright original; None is the centre square."""
    taken_on: date | None = None
    """The day on which the picture was taken; None where nobody said."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody said of a case later."""

    id: str
    kind: str
    """agree, other or histology."""
    label: str
    """A diagnosis code; empty for agree."""
    comment: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """A kept case. Times are aware and UTC."""

    id: str
    owner: str
    created: datetime
    answer: dict[str, Any]
    patient: Patient
    lesion_id: str | None
    lesion: str
    note: str
    image_sha256: str
    square: tuple[float, float, float] | None
    feedback: tuple[Feedback, ...]
    consent: str = ""
    taken_on: date | None = None
    """The day on which the picture was taken, where it was stated."""

    @property
    def day(self) -> date:
        """On which the picture was taken, where that was stated, or kept, by this machine's clock."""
        return self.taken_on or self.created.astimezone().date()

    @property
    def seen(self) -> datetime:
        """When the lesion looked like this, for an order in time.

        The moment in which the case was kept; noon by this machine's clock where another day was stated.
        """
        kept = self.created.astimezone()
        if self.day == kept.date():
            return self.created
        return datetime.combine(self.day, time(12), kept.tzinfo).astimezone(UTC)

    @property
    def decision(self) -> str:
        """refer, reassure or abstain."""
        return str(self.answer["decision"])

    @property
    def diagnosis(self) -> str:
        """Code of the most probable class."""
        return str(self.answer["diagnosis"])

    @property
    def malignant_probability(self) -> float:
        """Calibrated, 0 to 1."""
        return float(self.answer["malignant_probability"])


@dataclass(frozen=True, slots=True)
class Lesion:
    """A named lesion and how many cases it has."""

    id: str
    name: str
    count: int


def case_of(row: CaseRow) -> Case:
    """The value of a row; read within its session."""
    left_upper_side = None if row.square is None else (row.square[0], row.square[1], row.square[2])
    return Case(
        id=row.id,
        owner=row.owner,
        created=row.created,
        answer=row.answer,
        patient=Patient(row.age_years, row.sex, row.site),
        lesion_id=row.lesion_id,
        lesion=row.lesion.name if row.lesion else "",
        note=row.note,
        image_sha256=row.image_sha256,
        square=left_upper_side,
        feedback=tuple(_feedback_of(one) for one in row.feedback),
        consent=row.consent.sentence,
        taken_on=row.taken_on,
    )


def tidy_patient(patient: Patient) -> Patient:
    """The patient as it is stored.

    Raises:
        BadValue: the age is out of bounds, the sex is unknown to the table, or the site is too long.
    """
    age = patient.age_years
    if age is not None and not 0 <= age <= _MAX_AGE:
        raise BadValue(f"The age is {age:g} years; needed is 0 to {_MAX_AGE}, or none.")
    if patient.sex not in SEXES:
        raise BadValue(f"The sex is {patient.sex[:40]!r}; needed is one of {', '.join(SEXES)}.")
    return Patient(age, patient.sex, tidy_line(patient.site, "site"))


def is_same_age(age_years: float | None, other: float | None) -> bool:
    """Whether two ages are one, as far as a page shows them.

    >>> is_same_age(54.37260273972603, 54.373), is_same_age(54.3, 54.4), is_same_age(None, 0)
    (True, False, False)
    """
    if age_years is None or other is None:
        return age_years is other
    return round(age_years, AGE_DECIMALS) == round(other, AGE_DECIMALS)


def tidy_day(day: date | None) -> date | None:
    """The day of a picture as it is stored.

    Raises:
        BadValue: it lies in the future, wherever on Earth it was written, or before there were such pictures.
    """
    if day is not None and not _FIRST_DAY <= day <= last_day():
        raise BadValue(f"The picture's day is {day.isoformat()}; needed is one from 1900 until today, or none.")
    return day


def last_day() -> date:
    """The last day on which a picture can have been taken: today, wherever on Earth."""
    return datetime.now(UTC).date() + timedelta(days=1)


def tidy_feedback(kind: str, label: str, comment: str) -> tuple[str, str, str]:
    """Feedback as it is stored.

    Raises:
        BadValue: the kind is unknown, or the label does not go with it.
    """
    if kind not in FEEDBACK:
        raise BadValue(f"The feedback is {kind[:40]!r}; needed is one of {', '.join(FEEDBACK)}.")
    if kind == "agree" and label:
        raise BadValue("Feedback that agrees has no diagnosis of its own. Leave it out, or choose other or histology.")
    if kind != "agree" and label not in LABELS:
        raise BadValue(f"The diagnosis is {label[:40]!r}; needed is one of {', '.join(LABELS)}.")
    return kind, label, tidy(comment, "comment", most=MAX_TEXT)


def _feedback_of(row: FeedbackRow) -> Feedback:
    return Feedback(row.id, row.kind, row.label, row.comment, row.created)
