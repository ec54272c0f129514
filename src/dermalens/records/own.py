"""Whether the data folder belongs to the database: the janitor deletes what the database does not know.

With the address of another database, such as an empty one, every kept image would be an orphan. So the folder holds a
file with the hash of the first entry of the audit log, which no other database has. A folder that was misspelt, or
is not mounted, looks as one of a new database does, but that this one has cases, or images that wait.
"""

from __future__ import annotations

import shlex
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from dermalens.core.files import write_whole
from dermalens.records import audit
from dermalens.records.errors import RecordsError, told
from dermalens.records.marks import mark_path, read_mark
from dermalens.records.store import LOCAL, Records, spool_path
from dermalens.records.tables import AuditRow, CaseRow, JobItemRow

MARK: Final = "records.id"

_LOOKED_AT: Final = 1000
"""Files of a folder without the mark, or of a database; one that both have is enough."""


def require_own_folder(records: Records) -> None:
    """Look whether the folder is that of the database, and mark it.

    Raises:
        RecordsError: the folder belongs to another database, what this one has lies elsewhere, or it is away.
    """
    refuse_wrong_folder(records)
    marked = _marked(records)
    with told():
        files = [] if marked else [*_images(records), *_spooled(records)]
    if not marked and (not files or _knows_one_of(records, files)):
        first = _first_entry(records)
        with told():
            write_whole(mark_path(records, MARK), f"{first}\n".encode("ascii"))
        return
    with records.reading() as session:
        own = session.scalar(_FIRST)
    if not marked or marked != own:
        raise _foreign(records)


def refuse_wrong_folder(records: Records) -> None:
    """Refuse a folder without the database's mark in which no image lies that the database knows.

    A database that knows none takes every folder. Nothing is written, neither here nor there.

    Raises:
        RecordsError: as said, or the database is away.
    """
    marked = _marked(records)
    with records.reading() as session:
        own = session.scalar(_FIRST)
        places = [] if marked and marked == own else _places(records, session)
    with told():
        if not places or any(place.exists() for place in places):
            return
        is_empty = not marked and not _images(records) and not _spooled(records)
    raise _empty(records, str(own)) if is_empty else _foreign(records)


def _foreign(records: Records) -> RecordsError:
    return RecordsError(
        f"The data folder {records.spool.parent} belongs to another database than the one given, which knows none of "
        "its images. Nothing was deleted. Give the database that the images were kept with, or another data folder.",
        public="The data folder belongs to another database.",
    )


def _empty(records: Records, own: str) -> RecordsError:
    mark = mark_path(records, MARK)
    return RecordsError(
        f"The data folder {mark.parent} has none of the images that the database knows. Give the right one "
        "(DERMALENS_DATA_FOLDER, --data-folder), or, where they are lost and it is to go on without them, type: "
        f"echo {own} > {shlex.quote(str(mark))}",
        public="The data folder has none of the images that the database knows.",
    )


def _marked(records: Records) -> str:
    """What the mark says, in whatever encoding the shell wrote it; empty where there is none."""
    return (read_mark(records, MARK) or b"").decode("ascii", "ignore").replace("\0", "").strip()


def _first_entry(records: Records) -> str:
    """Its hash; an empty log begins here."""
    with records.writing() as session:
        if session.scalar(_FIRST) is None:
            audit.write(session, "record.begin", LOCAL, uuid4().hex, count=0)
        return str(session.scalar(_FIRST))


_FIRST: Final = select(AuditRow.hash).where(AuditRow.sequence == 1)


def _places(records: Records, session: Session) -> list[Path]:
    """Where images that the database knows lie in its own folder."""
    kept = session.scalars(select(CaseRow.image_sha256).limit(_LOOKED_AT))
    waiting = select(JobItemRow.job_id, JobItemRow.number).where(JobItemRow.state == "waiting").limit(_LOOKED_AT)
    spooled = [spool_path(records, job_id, number) for job_id, number in session.execute(waiting)]
    return [*(records.images.path_of(sha256) for sha256 in kept), *spooled]


def _images(records: Records) -> list[Path]:
    return list(islice((path for _, paths in records.images.shards() for path in paths), _LOOKED_AT))


def _spooled(records: Records) -> list[Path]:
    return list(islice(records.spool.iterdir(), _LOOKED_AT))


def _knows_one_of(records: Records, files: list[Path]) -> bool:
    names = [path.stem for path in files]
    jobs = [name.partition("-")[0] for name in names]
    kept = select(CaseRow.id).where(CaseRow.image_sha256.in_(names)).limit(1)
    waiting = select(JobItemRow.number).where(JobItemRow.job_id.in_(jobs)).limit(1)
    with records.reading() as session:
        return session.scalar(kept) is not None or session.scalar(waiting) is not None
