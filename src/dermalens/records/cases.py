"""Keep, find, change and delete cases. Each function is one transaction, with what it changed in the audit log."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from enum import Enum
from typing import Literal
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dermalens.records import audit
from dermalens.records.case import Case as Case  # noqa: PLC0414  (callers find the values beside the functions)
from dermalens.records.case import Lesion as Lesion  # noqa: PLC0414
from dermalens.records.case import NewCase as NewCase  # noqa: PLC0414
from dermalens.records.case import Patient as Patient  # noqa: PLC0414
from dermalens.records.case import case_of, is_same_age, tidy_day, tidy_patient
from dermalens.records.database import forget_deleted
from dermalens.records.errors import BadCursor as BadCursor  # noqa: PLC0414
from dermalens.records.errors import BadValue, NotKept
from dermalens.records.ids import given_or_new, is_id
from dermalens.records.images import only_pixels
from dermalens.records.newest import note_newest
from dermalens.records.query import Found as Found  # noqa: PLC0414
from dermalens.records.query import Wanted as Wanted  # noqa: PLC0414
from dermalens.records.query import cursor_at, select_cases
from dermalens.records.store import Records
from dermalens.records.tables import CaseRow, ConsentRow, LesionRow
from dermalens.records.texts import tidy, tidy_line


def keep(records: Records, owner: str, new: NewCase, *, case_id: str | None = None, png: bytes | None = None) -> Case:
    """Keep a case; it is on the disk when this returns. The same `case_id` again gives the case of the first time.

    `png` is `only_pixels(new.image)`, where that has been made already.

    The image is durable before the row is committed. Whoever deletes the last other case with the same image may have
    removed the file in between; so it is looked for again when the writers' turn has come, and written anew if it is
    gone: from then on until the commit nobody removes files.

    Raises:
        ImageError: the image cannot be decoded.
        BadValue: a text is too long, the patient's data or the day are out of bounds, or the id is another owner's.
        RecordsError: the database is away or the disk is full; then nothing was kept.
    """
    row = _row(owner, new, given_or_new(case_id, "case"))
    name = tidy_line(new.lesion, "name of the lesion")
    png = only_pixels(new.image) if png is None else png
    row.image_sha256 = records.images.put(png)
    case = _put_down(records, row, name, png)
    note_newest(records)
    return case


def _put_down(records: Records, row: CaseRow, lesion: str, png: bytes) -> Case:
    """The case of the row, or that of the same id that is there."""
    with records.writing() as session:
        known = session.get(CaseRow, row.id)
        if known is not None:
            if known.owner != row.owner:
                raise BadValue("The id of the case is taken. Leave it out.")
            return case_of(known)
        if not records.images.has(row.image_sha256):
            records.images.put(png)
        row.lesion = _lesion(session, row.owner, lesion)
        session.add(row)
        audit.write(session, "case.keep", row.owner, row.id)
        return case_of(row)


def find(records: Records, owner: str, case_id: str) -> Case:
    """One case.

    Raises:
        NotKept: there is none of this id, or it is another owner's.
        RecordsError: the database is away.
    """
    with records.reading() as session:
        return case_of(owned(session, owner, case_id))


def search(records: Records, owner: str, wanted: Wanted) -> Found:
    """The cases that fit all filters, the newest first.

    Raises:
        BadValue: the limit or (BadCursor) the cursor is none, or the last day is before the first.
        RecordsError: the database is away.
    """
    chosen = select_cases(owner, wanted)
    with records.reading() as session:
        rows = session.scalars(chosen).all()
        shown = rows[: wanted.limit]
        has_more = len(rows) > wanted.limit
        return Found(tuple(case_of(row) for row in shown), cursor_at(shown[-1]) if has_more else None)


def image_of(records: Records, owner: str, case_id: str) -> bytes:
    """The image as PNG, pixels and nothing else.

    Raises:
        NotKept: as `find`.
        RecordsError: the database is away, or the file is missing or damaged.
    """
    return records.images.read(find(records, owner, case_id).image_sha256)


class As(Enum):
    """In the place of a value that may be None: leave it."""

    IT_IS = "as it is"


def describe(  # noqa: PLR0913  (three say where, three say what)
    records: Records,
    owner: str,
    case_id: str,
    *,
    note: str | None = None,
    lesion: str | None = None,
    taken_on: date | Literal[As.IT_IS] | None = As.IT_IS,
    age_years: float | Literal[As.IT_IS] | None = As.IT_IS,
    sex: str | None = None,
    site: str | None = None,
) -> Case:
    """Change what is said of a case, all of it or nothing; what is not given or as before stays, and is not logged.

    The same name of a lesion is the same lesion, and the empty one takes the case off it. `taken_on` is the day on
    which the picture was taken; None takes it back, and an age. The answer, which knows of no patient, stays.

    Raises:
        BadValue: a text is too long, the picture cannot have been taken on the day, or the age or sex is none.
        NotKept: as `find`.
        RecordsError: the database is away or the disk is full.
    """
    text = None if note is None else tidy(note, "note")
    name = None if lesion is None else tidy_line(lesion, "name of the lesion")
    day = tidy_day(taken_on) if not isinstance(taken_on, As) else taken_on
    with records.writing() as session:
        row = owned(session, owner, case_id)
        if text is not None and text != tidy(row.note, "note"):  # one of before has other line ends
            row.note = text
            audit.write(session, "case.note", owner, case_id)
        if name is not None and name != (row.lesion.name if row.lesion else ""):
            left, row.lesion = row.lesion, _lesion(session, owner, name)
            audit.write(session, "case.lesion", owner, case_id)
            _drop_empty(session, left)
        if not isinstance(day, As) and day != row.taken_on:
            row.taken_on = day
            audit.write(session, "case.day", owner, case_id)
        given = row.age_years if isinstance(age_years, As) else age_years
        _put_patient(session, row, Patient(given, row.sex if sex is None else sex, row.site if site is None else site))
        return case_of(row)


def _put_patient(session: Session, row: CaseRow, patient: Patient) -> None:
    tidied = tidy_patient(patient)
    if is_same_age(tidied.age_years, row.age_years):
        tidied = replace(tidied, age_years=row.age_years)
    if tidied != Patient(row.age_years, row.sex, row.site):
        row.age_years, row.sex, row.site = tidied.age_years, tidied.sex, tidied.site
        audit.write(session, "case.patient", row.owner, row.id)


def of_lesion(records: Records, owner: str, lesion_id: str) -> tuple[Case, ...]:
    """All cases of a lesion, the oldest picture first.

    Raises:
        NotKept: there is no such lesion, or it is another owner's.
        RecordsError: the database is away.
    """
    chosen = select(CaseRow).where(CaseRow.lesion_id == lesion_id)
    with records.reading() as session:
        lesion = session.get(LesionRow, lesion_id) if is_id(lesion_id) else None
        if lesion is None or lesion.owner != owner:
            raise NotKept("There is no such lesion among your cases.")
        cases = [case_of(row) for row in session.scalars(chosen)]
    return tuple(sorted(cases, key=lambda case: (case.seen, case.created, case.id)))


def lesions(records: Records, owner: str) -> tuple[Lesion, ...]:
    """The named lesions by name, with the number of their cases."""
    counted = (
        select(LesionRow.id, LesionRow.name, func.count(CaseRow.id))
        .join(CaseRow, CaseRow.lesion_id == LesionRow.id)
        .where(LesionRow.owner == owner)
        .group_by(LesionRow.id, LesionRow.name)
        .order_by(LesionRow.name)
    )
    with records.reading() as session:
        return tuple(Lesion(lesion_id, name, count) for lesion_id, name, count in session.execute(counted))


def delete(records: Records, owner: str, case_id: str) -> None:
    """Delete a case with all that belongs to it; the audit log keeps its id, without content.

    The row goes first, then, in the writers' turn, the image, unless another case has it, then what SQLite's log still
    holds of it. After a kill in between, the janitor (`retention.sweep`) does the rest.

    Raises:
        NotKept: as `find`.
        RecordsError: the database is away or the disk is full.
    """
    with records.writing() as session:
        row = owned(session, owner, case_id)
        sha256 = row.image_sha256
        remove_row(session, row)
        audit.write(session, "case.delete", owner, case_id)
    release_image(records, sha256)
    forget_deleted(records.engine)


def owned(session: Session, owner: str, case_id: str) -> CaseRow:
    """The row of a case of this owner.

    Raises:
        NotKept: as `find`.
    """
    row = session.get(CaseRow, case_id) if is_id(case_id) else None
    if row is None or row.owner != owner:
        raise NotKept("There is no such case among yours. It may have been deleted.")
    return row


def remove_row(session: Session, row: CaseRow) -> None:
    """Delete a case's row, with its consent and feedback, and its lesion where no other case has it."""
    lesion = row.lesion
    session.delete(row)
    session.flush()
    _drop_empty(session, lesion)


def release_image(records: Records, sha256: str) -> bool:
    """Remove an image unless a case refers to it; True where it was removed.

    It is removed in a writer's turn, so that nobody can commit a reference to it in between.
    """
    with records.writing() as session:
        if session.scalar(select(CaseRow.id).where(CaseRow.image_sha256 == sha256).limit(1)) is not None:
            return False
        return records.images.remove(sha256)


def _row(owner: str, new: NewCase, case_id: str) -> CaseRow:
    patient = tidy_patient(new.patient)
    now = datetime.now(UTC)
    return CaseRow(
        id=case_id,
        owner=owner,
        created=now,
        decision=new.answer["decision"],
        diagnosis=new.answer["diagnosis"],
        answer=new.answer,
        age_years=patient.age_years,
        sex=patient.sex,
        site=patient.site,
        note=tidy(new.note, "note"),
        square=None if new.square is None else [float(value) for value in new.square],
        embedding=new.embedding,
        taken_on=tidy_day(new.taken_on),
        consent=ConsentRow(case_id=case_id, sentence=tidy(new.consent, "consent"), given=now),
        feedback=[],
    )


def _lesion(session: Session, owner: str, name: str) -> LesionRow | None:
    """The owner's lesion of this name, new where there is none; None for the empty name."""
    if not name:
        return None
    known = session.scalars(select(LesionRow).where(LesionRow.owner == owner, LesionRow.name == name)).first()
    if known is not None:
        return known
    lesion = LesionRow(id=uuid4().hex, owner=owner, name=name, created=datetime.now(UTC))
    session.add(lesion)
    session.flush()
    return lesion


def _drop_empty(session: Session, lesion: LesionRow | None) -> None:
    """A lesion that no case has any more goes, and with it the name that somebody gave it."""
    if lesion is None:
        return
    session.flush()
    if session.scalar(select(CaseRow.id).where(CaseRow.lesion_id == lesion.id).limit(1)) is None:
        session.delete(lesion)
