"""Whether the database is older than its data folder: the janitor would delete what came after it.

A copy of the database has the beginning of the log that the folder belongs to (`own.py`), be it of last month, or of
an SQLite file without its `-wal`. So the folder also holds the number and hash of an entry near the end of the audit
log. It is written in the writers' turn and after the commit: no entry comes in between, and none is named that could
still be lost.
"""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from dermalens.core.files import write_whole
from dermalens.records.errors import RecordsError
from dermalens.records.marks import mark_path, read_mark
from dermalens.records.store import Records
from dermalens.records.tables import AuditRow

MARK: Final = "records.newest"

_FORM: Final = re.compile(rb"([1-9]\d{0,17}) ([0-9a-f]{64})\s*")


@dataclass(frozen=True, slots=True)
class _Entry:
    sequence: int
    hash: str


def refuse_newer_folder(records: Records) -> None:
    """Refuse a folder whose mark names an entry that the audit log of the database does not have.

    Raises:
        RecordsError: as said, the mark cannot be read, or the database is away.
    """
    marked = _marked(records)  # before the log is read, which only grows
    if marked is None:
        return
    with records.reading() as session:
        if not _has(session, marked):
            raise _older(records, session, marked)


def note_newest(records: Records) -> None:
    """Name the newest entry in the folder's mark, unless the mark names one that this database does not have.

    Where that fails the mark stays as it is, until the next time: what was kept is kept all the same.
    """
    with suppress(RecordsError), records.writing() as session:
        marked, newest = _marked(records), _newest(session)
        if newest is not None and marked != newest and (marked is None or _has(session, marked)):
            write_whole(mark_path(records, MARK), f"{newest.sequence} {newest.hash}\n".encode("ascii"))


def _older(records: Records, session: Session, marked: _Entry) -> RecordsError:
    mark, newest = mark_path(records, MARK), _newest(session)
    last = newest.sequence if newest else 0
    if last < marked.sequence:
        found = f"it ends at entry {last} of the audit log, and the folder has seen entry {marked.sequence}"
    else:
        found = f"its entry {marked.sequence} of the audit log is another one than the folder has seen"
    return RecordsError(
        f"The database is older than the data folder {mark.parent}: {found}. Nothing was swept, as images of newer "
        "cases would be deleted. Restore the newer database (docs/how-to/serve.md), or, where what came after this one "
        f"is meant to be lost, type: rm {shlex.quote(str(mark))}",
        public="The database is older than the data folder.",
    )


def _marked(records: Records) -> _Entry | None:
    """What the mark says; None where there is none.

    Raises:
        RecordsError: it says something else.
    """
    content = read_mark(records, MARK)
    if content is None:
        return None
    found = _FORM.fullmatch(content)
    if found is None:
        mark = mark_path(records, MARK)
        raise RecordsError(
            f"{mark} does not name an entry of the audit log, so that nobody knows whether the database is older than "
            f"the data folder. Nothing was swept. Where you know that it is not, type: rm {shlex.quote(str(mark))}",
            public="The data folder does not say whether the database is older.",
        )
    return _Entry(int(found[1]), found[2].decode("ascii"))


def _newest(session: Session) -> _Entry | None:
    row = session.execute(
        select(AuditRow.sequence, AuditRow.hash).order_by(AuditRow.sequence.desc()).limit(1)
    ).one_or_none()
    return _Entry(*row) if row else None


def _has(session: Session, marked: _Entry) -> bool:
    return session.scalar(select(AuditRow.hash).where(AuditRow.sequence == marked.sequence)) == marked.hash
