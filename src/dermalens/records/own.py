"""Whether the data folder belongs to the database: the janitor deletes what the database does not know.

With the address of another database, such as an empty one, every kept image would be an orphan. So the folder holds a
file with the hash of the first entry of the audit log, which no other database has.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Final
from uuid import uuid4

from sqlalchemy import select

from dermalens.core.files import write_whole
from dermalens.records import audit
from dermalens.records.errors import RecordsError, told
from dermalens.records.store import LOCAL, Records
from dermalens.records.tables import AuditRow, CaseRow, JobItemRow

MARK: Final = "records.id"

_LOOKED_AT: Final = 1000
"""Files of a folder without a mark; one that the database knows is enough."""


def require_own_folder(records: Records) -> None:
    """Look whether the folder is that of the database, and mark it.

    Raises:
        RecordsError: the folder belongs to another database, or the database is away.
    """
    mark = records.images.folder.parent / MARK
    with told():
        marked = mark.read_text(encoding="ascii").strip() if mark.exists() else None
        files = [] if marked else [*_images(records), *_spooled(records)]
    if not marked and (not files or _knows_one_of(records, files)):
        first = _first_entry(records)
        with told():
            write_whole(mark, f"{first}\n".encode("ascii"))
        return
    with records.reading() as session:
        own = session.scalar(_FIRST)
    if not marked or marked != own:
        raise RecordsError(
            f"The data folder {mark.parent} belongs to another database than the one given, which knows none of its "
            "images. Nothing was deleted. Give the database that the images were kept with, or another data folder.",
            public="The data folder belongs to another database.",
        )


def _first_entry(records: Records) -> str:
    """Its hash; an empty log begins here."""
    with records.writing() as session:
        if session.scalar(_FIRST) is None:
            audit.write(session, "record.begin", LOCAL, uuid4().hex, count=0)
        return str(session.scalar(_FIRST))


_FIRST: Final = select(AuditRow.hash).where(AuditRow.sequence == 1)


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
