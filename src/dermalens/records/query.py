"""The search among kept cases: filters and the cursor."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, or_, select

from dermalens.records.case import Case
from dermalens.records.errors import BadCursor, BadValue
from dermalens.records.tables import CaseRow, LesionRow

MAX_LIMIT: Final = 500
"""Cases in one answer."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases; None leaves a filter out."""

    since: date | None = None
    """The first day, UTC unless it is for a reader."""
    until: date | None = None
    """The last day, itself included."""
    decision: str | None = None
    label: str | None = None
    """Code of the most probable class."""
    lesion: str | None = None
    """The id of a lesion."""
    text: str | None = None
    """Words, or parts of them, that all stand in the note or the lesion's name, in any order and case of letters."""
    after: str | None = None
    """The cursor of the answer before."""
    limit: int = 50
    is_for_reader: bool = False
    """As a page shows it: days are those of this machine's clock, and an answer that abstains has no class."""


@dataclass(frozen=True, slots=True)
class Found:
    """One answer of the search."""

    cases: tuple[Case, ...]
    """The newest first."""
    cursor: str | None
    """Where the next answer begins; None: there are no more."""


def select_cases(owner: str, wanted: Wanted) -> Select[CaseRow]:
    """The newest first, one more than the limit, so that it shows whether more follow.

    Raises:
        BadValue: the limit is out of bounds, or the last day is before the first.
        BadCursor: the cursor is none.
    """
    if not 1 <= wanted.limit <= MAX_LIMIT:
        raise BadValue(f"The limit is {wanted.limit}; needed is 1 to {MAX_LIMIT}.")
    if wanted.since and wanted.until and wanted.since > wanted.until:
        raise BadValue(f"The first day, {wanted.since}, is after the last one, {wanted.until}. Exchange them.")
    filters = [CaseRow.owner == owner, *_filters(wanted), *_after(wanted.after)]
    order = (CaseRow.created.desc(), CaseRow.id.desc())
    return select(CaseRow).where(*filters).order_by(*order).limit(wanted.limit + 1)


def cursor_at(row: CaseRow) -> str:
    """The place just behind a row; it tells a reader nothing but a time and an id."""
    return base64.urlsafe_b64encode(f"{row.created.isoformat()}|{row.id}".encode()).decode()


def _filters(wanted: Wanted) -> list[ColumnElement[bool]]:
    filters: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        filters.append(CaseRow.created >= _midnight(wanted.since, wanted))
    if wanted.until is not None and wanted.until < date.max:
        filters.append(CaseRow.created < _midnight(wanted.until + timedelta(days=1), wanted))
    if wanted.decision is not None:
        filters.append(CaseRow.decision == _plain(wanted.decision))
    if wanted.label is not None:
        filters.append(CaseRow.diagnosis == _plain(wanted.label))
        if wanted.is_for_reader:
            filters.append(CaseRow.decision != "abstain")
    if wanted.lesion is not None:
        filters.append(CaseRow.lesion_id == _plain(wanted.lesion))
    filters += [_says(word) for word in _plain(wanted.text or "").split()]
    return filters


def _says(word: str) -> ColumnElement[bool]:
    named = CaseRow.lesion.has(LesionRow.name.icontains(word, autoescape=True))
    return or_(CaseRow.note.icontains(word, autoescape=True), named)


def _after(cursor: str | None) -> list[ColumnElement[bool]]:
    if cursor is None:
        return []
    try:
        created, _, case_id = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii").partition("|")
        at = datetime.fromisoformat(created)
    except ValueError as error:
        raise BadCursor(_BAD_CURSOR) from error
    if at.utcoffset() != timedelta(0) or len(case_id) != 32 or not case_id.isalnum():
        raise BadCursor(_BAD_CURSOR)
    return [or_(CaseRow.created < at, and_(CaseRow.created == at, CaseRow.id < case_id))]


_BAD_CURSOR: Final = "The cursor is none that this record gave out. Take it from the answer before, or leave it out."


def _midnight(day: date, wanted: Wanted) -> datetime:
    if wanted.is_for_reader and date.min < day < date.max:  # whose local time may be in no year
        return datetime.combine(day, time()).astimezone(UTC)
    return datetime.combine(day, time(), UTC)


def _plain(text: str) -> str:
    """Without what PostgreSQL takes in no text; what is left matches as little."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode()
