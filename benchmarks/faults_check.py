"""What must be true of a record after its server was killed, looked up in the database and the data folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Table, func, select

from benchmarks.faults_client import Noted
from dermalens.records import audit
from dermalens.records.errors import RecordsError
from dermalens.records.retention import sweep
from dermalens.records.store import Records, spool_path
from dermalens.records.tables import Base, CaseRow, FeedbackRow, JobItemRow, JobRow


@dataclass(frozen=True)
class Litter:
    """Files that no row refers to."""

    before: int
    """The janitor."""
    after: int


def settle(records: Records) -> None:
    """Wait until PostgreSQL has ended the transaction that the killed server was in."""
    with records.writing():
        pass


def broken(records: Records) -> list[str]:
    """What is wrong with the database itself: its pages, its references, the chain of its audit log."""
    wrong = []
    with records.reading() as session:
        if records.engine.dialect.name == "sqlite":
            said = session.connection().exec_driver_sql("PRAGMA integrity_check").scalars().all()
            wrong += [f"integrity: {line}" for line in said if line != "ok"]
        for table in Base.metadata.sorted_tables:
            wrong += [f"{count} rows of {table.name} refer to nothing" for count in _dangling(records, table) if count]
    try:
        audit.verify(records)
    except RecordsError as error:
        wrong.append(f"audit: {error}")
    return wrong


def lost(records: Records, noted: Noted) -> list[str]:
    """What was acknowledged and is not there, and what was deleted and is."""
    with records.reading() as session:
        images = {row.id: row.image_sha256 for row in session.execute(select(CaseRow.id, CaseRow.image_sha256))}
        feedback = set(session.scalars(select(FeedbackRow.id)))
        jobs = set(session.scalars(select(JobRow.id)))
    needed = noted.cases - noted.asked_to_delete
    said = {one for case_id, one in noted.feedback if case_id in needed}
    return [
        *(f"case {case_id} is lost" for case_id in needed - images.keys()),
        *(
            f"the image of case {case_id} is lost"
            for case_id in needed & images.keys()
            if not _has(records, images[case_id])
        ),
        *(f"feedback {one} is lost" for one in said - feedback),
        *(f"job {job_id} is lost" for job_id in noted.jobs - jobs),
        *(f"case {case_id} came back" for case_id in noted.deleted & images.keys()),
    ]


def unreadable(records: Records) -> list[str]:
    """Images of cases that are not what their hash says."""
    with records.reading() as session:
        images = set(session.scalars(select(CaseRow.image_sha256)))
    wrong = []
    for sha256 in images:
        try:
            records.images.read(sha256)
        except RecordsError as error:
            wrong.append(str(error))
    return wrong


def unfinished(records: Records) -> list[str]:
    """Images of batches that were not answered."""
    open_items = select(JobItemRow.job_id, JobItemRow.state, JobItemRow.error).where(JobItemRow.state != "done")
    with records.reading() as session:
        return [f"job {job_id} has an image {state}: {error}" for job_id, state, error in session.execute(open_items)]


def swept(records: Records) -> Litter:
    """Send the janitor, with nothing too young for it."""
    before = _litter(records)
    sweep(records, age_seconds=0)
    return Litter(len(before), len(_litter(records)))


def _has(records: Records, sha256: str) -> bool:
    try:
        return bool(records.images.read(sha256))
    except RecordsError:
        return False


def _dangling(records: Records, table: Table) -> list[int]:
    counts = []
    with records.reading() as session:
        for constraint in table.foreign_key_constraints:
            (column,), (element,) = constraint.columns, constraint.elements
            parents = select(element.column)
            rows = select(func.count()).select_from(table).where(column.is_not(None), column.not_in(parents))
            counts.append(session.scalar(rows) or 0)
    return counts


def _litter(records: Records) -> set[Path]:
    with records.reading() as session:
        used = {records.images.path_of(sha256) for sha256 in session.scalars(select(CaseRow.image_sha256))}
        waiting = session.execute(
            select(JobItemRow.job_id, JobItemRow.number).where(JobItemRow.state == "waiting")
        ).all()
    used |= {spool_path(records, job_id, number) for job_id, number in waiting}
    folders = (records.images.folder, records.images.temporary, records.spool)
    return {path for folder in folders for path in folder.rglob("*") if path.is_file()} - used
