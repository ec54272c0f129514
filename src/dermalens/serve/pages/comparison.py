"""How a lesion has changed: a table of its measures and a line of its malignant probability.

Only cases that have an answer count; one that abstains has no number that could be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dermalens.records.cases import Case
from dermalens.serve.pages.i18n import N_, Language

LEFT, RIGHT, TOP, BOTTOM = 60.0, 575.0, 14.0, 150.0
"""The area of the line in the units of the drawing in lesion.html."""

DATES: Final = 170.0
"""Height of the dates below the line."""

HALF_DATE: Final = 45.0
"""Half the width of a date below the line."""

DAYS_A_YEAR: Final = 365.25

MOST_DATES: Final = 6
"""Written below the line; more would overlap."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of all cases."""

    name: str
    values: tuple[str, ...]
    change: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the line or its axis, and what stands there."""

    x: float
    y: float
    words: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """The malignant probability over time."""

    points: str
    dots: tuple[Mark, ...]
    dates: tuple[Mark, ...]
    ticks: tuple[Mark, ...]
    words: str


Read = Callable[[Mapping[str, Any]], float | None]

MEASURES: Final[tuple[tuple[str, Read, str], ...]] = (
    (N_("Malignant probability"), lambda answer: answer["malignant_probability"], "percent"),
    (N_("Asymmetry (axes of 2)"), lambda answer: _of(answer, "asymmetry", "score"), "count"),
    (N_("Border irregularity"), lambda answer: _of(answer, "border", "irregularity"), "number"),
    (N_("Abrupt segments of 8"), lambda answer: _of(answer, "border", "abrupt_segments"), "count"),
    (N_("Colours of 6"), lambda answer: _of(answer, "colours", "count"), "count"),
    (N_("Diameter, share of the square"), lambda answer: _of(answer, "diameter"), "percent"),
    (N_("Diameter in mm"), lambda answer: _of(answer, "diameter_mm"), "length"),
)
"""What is compared: its name, where it stands in an answer, how it is written."""


def rows_of(cases: Sequence[Case], language: Language) -> tuple[Row, ...]:
    """The table; a measure that no case has is left out."""
    found = [(name, [_value(case, read) for case in cases], kind) for name, read, kind in MEASURES]
    return tuple(
        _row(name, values, kind, language) for name, values, kind in found if any(v is not None for v in values)
    )


def line_of(cases: Sequence[Case], language: Language) -> Line | None:
    """The line; None where fewer than two cases have an answer."""
    shown = [case for case in cases if case.decision != "abstain"]
    if len(shown) < 2:
        return None
    first, last = shown[0].seen, shown[-1].seen
    whole = (last - first).total_seconds()
    dots: list[Mark] = []
    dates: list[Mark] = []
    for place, case in enumerate(shown):
        share = (case.seen - first).total_seconds() / whole if whole else place / (len(shown) - 1)
        x = LEFT + (RIGHT - LEFT) * share
        dots.append(Mark(round(x, 1), _height(case.malignant_probability)))
        centre = round(min(max(x, LEFT + HALF_DATE), RIGHT - HALF_DATE), 1)
        is_named = place in (0, len(shown) - 1) or len(shown) <= MOST_DATES
        if is_named and (not dates or centre - dates[-1].x >= 2 * HALF_DATE):
            dates.append(Mark(centre, DATES, language.day(case.day)))
    ticks = tuple(Mark(LEFT, _height(share), language.percent(share)) for share in (0.0, 0.5, 1.0))
    values = ", ".join(f"{language.day(case.day)}: {language.percent(case.malignant_probability, 1)}" for case in shown)
    return Line(" ".join(f"{dot.x},{dot.y}" for dot in dots), tuple(dots), tuple(dates), ticks, values)


def warnings_of(cases: Sequence[Case], language: Language) -> list[str]:
    """What makes the numbers hard to compare."""
    answers = [case.answer for case in cases]
    found = []
    if len({answer["bundle"]["sha256"] for answer in answers}) > 1:
        found.append(language.gettext("Different models gave these answers: their numbers cannot be compared exactly."))
    if len({_stated(answer) for answer in answers}) > 1:
        found.append(
            language.gettext(
                "The share of malignant lesions was stated differently for these answers, which moves the probability "
                "by itself: its change here says nothing about the lesion."
            )
        )
    if len({case.image_sha256 for case in cases}) < len(cases):
        found.append(
            language.gettext("Some of these are the same picture: that nothing changed between them says nothing.")
        )
    if any(case.decision == "abstain" for case in cases):
        found.append(language.gettext("An image that could not be judged has no numbers here."))
    if any((answer.get("abcd") or {}).get("is_partial") for answer in answers):
        found.append(
            language.gettext("In some images the lesion goes on outside the square: their measures are of a part.")
        )
    return [*found, *_whose(cases, language)]


def _whose(cases: Sequence[Case], language: Language) -> list[str]:
    """What speaks for images of several patients, or of several lesions, under one name."""
    patients, found = [case.patient for case in cases], []
    if len({patient.sex for patient in patients} - {"unknown"}) > 1:
        found.append(
            language.gettext("Different sexes were stated for these images: they may be of different patients.")
        )
    if len({patient.site for patient in patients} - {""}) > 1:
        found.append(
            language.gettext(
                "Different places on the body were stated for these images: they may be of different lesions."
            )
        )
    if not _is_one_age(cases):
        found.append(
            language.gettext(
                "The ages that were stated do not fit the days of these images: they may be of different patients."
            )
        )
    return found


def _is_one_age(cases: Sequence[Case]) -> bool:
    """Whether one patient can have had these ages on these days, whole years or exact ones."""
    stated = [(case.day.toordinal() / DAYS_A_YEAR, case.patient.age_years) for case in cases]
    born = [day - age for day, age in stated if age is not None]
    return not born or round(max(born) - min(born), 3) < 1


def _stated(answer: Mapping[str, Any]) -> float | None:
    """The prevalence that was stated."""
    stated = answer.get("prevalence")
    return stated["malignant"] if stated else None


def _of(answer: Mapping[str, Any], *path: str) -> float | None:
    value: Any = answer.get("abcd")
    for name in path:
        value = None if value is None else value[name]
    return None if value is None else float(value)


def _value(case: Case, read: Read) -> float | None:
    return None if case.decision == "abstain" else read(case.answer)


def _row(name: str, values: list[float | None], kind: str, language: Language) -> Row:
    known = [value for value in values if value is not None]
    change = _written(known[-1] - known[0], kind, language, is_change=True) if len(known) > 1 else "–"
    cells = tuple("–" if value is None else _written(value, kind, language) for value in values)
    return Row(language.gettext(name), cells, change)


def _written(value: float, kind: str, language: Language, *, is_change: bool = False) -> str:
    decimals = {"percent": 3, "count": 0, "number": 2, "length": 1}[kind]
    size = abs(value) if is_change else value
    if kind == "percent":
        points = language.number(100 * size, 1)
        text = language.gettext("{points} points", points=points) if is_change else language.percent(value, 1)
    else:
        text = language.number(size, decimals)
    if not is_change:
        return text
    seen = round(value, decimals)
    return f"{'+' if seen > 0 else '−' if seen < 0 else '±'}{text}"


def _height(share: float) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * share, 1)
