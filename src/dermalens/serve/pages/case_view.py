"""Kept cases in the words of the page."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Final

from dermalens.core.square import centre_of
from dermalens.records.case import AGE_DECIMALS
from dermalens.records.cases import Case
from dermalens.records.feedback import Feedback
from dermalens.records.images import picture_of
from dermalens.serve.pages.i18n import Language
from dermalens.serve.pages.words import DECISIONS, FEEDBACK_KINDS, SEXES, SITES, clinical_name

SMALL_SIDE: Final = 480
"""Pixels of the square in lists and in the comparison."""


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case as lists show it. One that abstains has no class and no number."""

    id: str
    moment: str
    day: str
    """On which the picture was taken, where that was stated, or kept."""
    seen: str
    """That day, or the moment in which the case was kept."""
    decision: str
    decision_words: str
    diagnosis: str
    malignant: str
    lesion_id: str | None
    lesion: str
    note: str


@dataclass(frozen=True, slots=True)
class FeedbackView:
    """What somebody said of a case."""

    words: str
    comment: str
    moment: str
    is_replaced: bool = False
    """A histology after which there is a later one."""
    is_result: bool = False
    """The histology that counts."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The square and the outline over the kept image, in its pixels."""

    width: int
    height: int
    left: float
    upper: float
    side: float
    outline: str


def case_view(case: Case, language: Language) -> CaseView:
    """The view of a case in the language."""
    is_shown = case.decision != "abstain"
    return CaseView(
        case.id,
        language.moment(case.created),
        day := language.day(case.day),
        language.moment(case.created) if case.seen == case.created else day,
        case.decision,
        language.gettext(DECISIONS[case.decision]),
        clinical_name(case.diagnosis, language) if is_shown else "",
        language.percent(case.malignant_probability, 1) if is_shown else "–",
        case.lesion_id,
        case.lesion,
        case.note,
    )


def facts_of(case: Case, language: Language) -> list[tuple[str, str]]:
    """What is known of the patient, as far as it was stated, and what was consented to."""
    _, patient = language.gettext, case.patient
    facts = []
    if patient.age_years is not None:
        facts.append((_("Age in years"), age_words(patient.age_years, language)))
    if patient.sex != "unknown":
        facts.append((_("Sex"), _(dict(SEXES).get(patient.sex, patient.sex))))
    if patient.site:
        facts.append((_("Where on the body"), _(SITES.get(patient.site, patient.site))))
    if case.taken_on is not None:
        facts.append((_("Day of the picture"), language.day(case.taken_on)))
    return [*facts, (_("Consent"), case.consent)] if case.consent else facts


def age_words(age_years: float | None, language: Language) -> str:
    """With as many decimals as it has, to the day, as an infant's is no whole number; nothing where it is not known."""
    if age_years is None:
        return ""
    return language.number(age_years, len(f"{age_years:.{AGE_DECIMALS}f}".rstrip("0").partition(".")[2]))


def feedback_of(case: Case, language: Language) -> list[FeedbackView]:
    """What was said of the case, in the order in which it was said; of several histologies the last one counts.

    Opinions may be those of several people, and none takes the place of another.
    """
    result = next((one.id for one in reversed(case.feedback) if one.kind == "histology"), None)
    return [_said(one, language, is_result=one.id == result) for one in case.feedback]


def _said(one: Feedback, language: Language, *, is_result: bool) -> FeedbackView:
    is_replaced = one.kind == "histology" and not is_result
    words = language.gettext(dict(FEEDBACK_KINDS)[one.kind])
    if one.label:
        words = f"{words}: {clinical_name(one.label, language)}"
    if is_replaced:
        words = language.gettext("Replaced by a later one: {words}", words=words)
    return FeedbackView(words, one.comment, language.moment(one.created), is_replaced, is_result)


def frame_of(case: Case, png: bytes) -> Frame:
    """Where square and outline lie on the kept image; its size stands in the head of the PNG file."""
    width, height = struct.unpack(">II", png[16:24])
    centre = centre_of(width, height)
    left, upper, side = case.square or (centre.left, centre.upper, centre.side)
    outline = case.answer.get("outline") if case.decision != "abstain" else None
    points = " ".join(f"{x},{y}" for x, y in outline["polygon"]) if outline else ""
    return Frame(width, height, left, upper, side, points)


def square_of(case: Case, png: bytes) -> bytes:
    """The square that the model saw as a small JPEG.

    Raises:
        ImageError: the kept image has more pixels than are decoded.
    """
    frame = frame_of(case, png)
    ends = (frame.left, frame.upper, frame.left + frame.side, frame.upper + frame.side)
    left, upper, right, lower = (round(end) for end in ends)
    with picture_of(png) as whole:
        small = whole.crop((left, upper, right, lower)).convert("RGB")
    small.thumbnail((SMALL_SIDE, SMALL_SIDE), reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
