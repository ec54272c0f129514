"""What goes by itself: records older than the operator keeps them, and files that nothing refers to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import select

from dermalens.records import audit
from dermalens.records.bounds import MOST_DAYS
from dermalens.records.cases import release_image, remove_row
from dermalens.records.database import forget_deleted
from dermalens.records.errors import BadValue, told
from dermalens.records.newest import note_newest, refuse_newer_folder
from dermalens.records.own import refuse_wrong_folder, require_own_folder
from dermalens.records.store import Records, spool_path
from dermalens.records.tables import CaseRow, JobItemRow, JobRow

T = TypeVar("T")

MIN_AGE_SECONDS: Final = 60
"""What is younger may belong to somebody who is at work on it."""

_BATCH: Final = 100
"""Cases in one transaction of a purge; other writers get their turn in between."""


@dataclass(frozen=True, slots=True)
class Swept:
    """How many files the janitor removed."""

    temporary: int
    """Of writers that were killed."""
    orphans: int
    """Images of no case."""
    spooled: int
    """Images of no waiting item."""


def purge(
    records: Records, *, days: int, now: datetime | None = None, is_stopped: Callable[[], bool] = lambda: False
) -> int:
    """Delete the cases, and the finished jobs, that are older than `days`; how many they were.

    Where `is_stopped` says so the rest stays for the next purge; it is asked before each `_BATCH`, whose images go too.

    Raises:
        BadValue: fewer than one day, or more than `MOST_DAYS`.
        RecordsError: the folder is not that of the images, the database is away or the disk is full; what was deleted
            until then is gone.
    """
    if not 1 <= days <= MOST_DAYS:
        raise BadValue(f"The retention is {days} days; needed is 1 to {MOST_DAYS:,}.")
    refuse_wrong_folder(records)
    before = (now or datetime.now(UTC)) - timedelta(days=days)
    count = 0
    for purge_some in (_purge_cases, _purge_jobs):
        while not is_stopped() and (purged := purge_some(records, before)):
            count += purged
    forget_deleted(records.engine)
    return count


def sweep(
    records: Records,
    *,
    now: datetime | None = None,
    age_seconds: float = MIN_AGE_SECONDS,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Swept:
    """The janitor: remove what kills and failures left behind, when it is older than `age_seconds`.

    Where `is_stopped` says so the rest stays for the next round.

    Raises:
        RecordsError: the database is away, the folder may not be written, it belongs to another database, or it was
            used with a newer one.
    """
    require_own_folder(records)
    refuse_newer_folder(records)
    note_newest(records)
    latest = (now or datetime.now(UTC)).timestamp() - age_seconds
    with told():
        temporary = [path for path in records.images.temporary.iterdir() if _is_older(path, latest)]
        removed = _remove(temporary, is_stopped)
    swept = Swept(removed, _sweep_images(records, latest, is_stopped), _sweep_spool(records, latest, is_stopped))
    forget_deleted(records.engine)
    return swept


def _purge_cases(records: Records, before: datetime) -> int:
    chosen = select(CaseRow).where(CaseRow.created < before).order_by(CaseRow.created).limit(_BATCH)
    with records.writing() as session:
        rows = session.scalars(chosen).all()
        hashes = {row.image_sha256 for row in rows}
        for row in rows:
            owner, case_id = row.owner, row.id
            remove_row(session, row)
            audit.write(session, "case.purge", owner, case_id)
    for sha256 in hashes:
        release_image(records, sha256)
    return len(rows)


def _purge_jobs(records: Records, before: datetime) -> int:
    chosen = select(JobRow).where(JobRow.finished < before).order_by(JobRow.finished).limit(_BATCH)
    with records.writing() as session:
        rows = session.scalars(chosen).all()
        for row in rows:
            owner, job_id, count = row.owner, row.id, len(row.items)
            session.delete(row)
            audit.write(session, "job.purge", owner, job_id, count=count)
    return len(rows)


def _sweep_images(records: Records, latest: float, is_stopped: Callable[[], bool]) -> int:
    """One folder of two letters at a time; each orphan is looked up again in the writers' turn before it goes."""
    count = 0
    for letters, paths in _until(is_stopped, records.images.shards()):
        in_use = (
            select(CaseRow.image_sha256).where(CaseRow.image_sha256.startswith(letters, autoescape=True)).distinct()
        )
        with records.reading() as session:
            known = set(session.scalars(in_use))
        unknown = [path.stem for path in paths if path.stem not in known and _is_older(path, latest)]
        count += sum(release_image(records, sha256) for sha256 in _until(is_stopped, unknown))
    return count


def _sweep_spool(records: Records, latest: float, is_stopped: Callable[[], bool]) -> int:
    """In the writers' turn, so that no job is committed whose image is removed; done only where files are old."""
    with told():
        old = {path for path in records.spool.iterdir() if _is_older(path, latest)}
    if not old:
        return 0
    waiting = select(JobItemRow.job_id, JobItemRow.number).where(JobItemRow.state == "waiting")
    with records.writing() as session:
        return _remove(old - _waiting_files(records, session.execute(waiting)), is_stopped)


def _remove(paths: Iterable[Path], is_stopped: Callable[[], bool]) -> int:
    count = 0
    for path in _until(is_stopped, paths):
        path.unlink(missing_ok=True)
        count += 1
    return count


def _until(is_stopped: Callable[[], bool], items: Iterable[T]) -> Iterator[T]:
    return takewhile(lambda _: not is_stopped(), items)


def _waiting_files(records: Records, items: Iterable[tuple[str, int]]) -> set[Path]:
    return {spool_path(records, job_id, number) for job_id, number in items}


def _is_older(path: Path, latest: float) -> bool:
    try:
        return path.stat().st_mtime <= latest
    except FileNotFoundError:  # somebody else was quicker
        return False
