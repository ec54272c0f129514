"""Durable batch jobs: images wait in a spool folder until they are answered, whatever happens to the server."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import func, select

from dermalens.records import audit
from dermalens.records.database import forget_deleted
from dermalens.records.durable import remove_durably, write_durably
from dermalens.records.errors import BadValue, NotKept, told
from dermalens.records.ids import given_or_new, is_id
from dermalens.records.newest import note_newest
from dermalens.records.own import refuse_wrong_folder
from dermalens.records.store import Records, spool_path
from dermalens.records.tables import JobItemRow, JobRow
from dermalens.records.texts import tidy_line

_LOST: Final = "The image was lost before its turn came. Send it again."


@dataclass(frozen=True, slots=True)
class JobItem:
    """One image of a job."""

    number: int
    """From 0, in the order in which the images came."""
    name: str
    state: str
    """waiting, done or failed."""
    answer: dict[str, Any] | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Job:
    """A batch of images."""

    id: str
    owner: str
    created: datetime
    state: str
    """waiting: none is answered yet; running: some are; done: all are, or failed."""
    items: tuple[JobItem, ...]
    options: dict[str, Any]


Waiting = tuple[str, int, bytes, dict[str, Any], str]  # job id, number, image as it came, options, owner


def add_job(
    records: Records,
    owner: str,
    images: Sequence[tuple[str, bytes]],
    options: dict[str, Any],
    *,
    job_id: str | None = None,
) -> Job:
    """Take a batch of (name, bytes); it is on the disk when this returns. The same `job_id` again gives the first job.

    Raises:
        BadValue: there is no image, a name is too long, or the id is another owner's.
        RecordsError: the database is away or the disk is full; then nothing was taken.
    """
    if not images:
        raise BadValue("The job has no image; needed is at least one.")
    is_named, job_id = job_id is not None, given_or_new(job_id, "job")
    items = [
        JobItemRow(job_id=job_id, number=number, name=tidy_line(name, "name of an image"), state="waiting")
        for number, (name, _) in enumerate(images)
    ]
    row = JobRow(id=job_id, owner=owner, created=datetime.now(UTC), options=options, items=items)
    is_committed = False
    try:
        job = _put_down(records, row, images)
        is_committed = True
    finally:
        if not is_committed and not is_named:  # those of a named one may be images of the job there is
            _unspool(records, job_id, range(len(images)))
    _unspool(records, job_id, [item.number for item in job.items if item.state != "waiting"])
    note_newest(records)
    return job


def _put_down(records: Records, row: JobRow, images: Sequence[tuple[str, bytes]]) -> Job:
    """The job of the row, or that of the same id that is there."""
    job_id = row.id
    _spool_missing(records, job_id, images)
    with records.writing() as session:
        known = session.get(JobRow, job_id)
        if known is None:
            _spool_missing(records, job_id, images)  # a slow upload may look like litter to the janitor
            session.add(row)
            audit.write(session, "job.add", row.owner, job_id, count=len(images))
        elif known.owner != row.owner:
            raise BadValue("The id of the job is taken. Leave it out.")
        return _job(known or row)


def find_job(records: Records, owner: str, job_id: str) -> Job:
    """A job with all its items.

    Raises:
        NotKept: there is none of this id, or it is another owner's.
        RecordsError: the database is away.
    """
    with records.reading() as session:
        row = session.get(JobRow, job_id) if is_id(job_id) else None
        if row is None or row.owner != owner:
            raise _no_job()
        return _job(row)


def next_item(records: Records, *, in_hand: Collection[tuple[str, int]] = ()) -> Waiting | None:
    """The oldest waiting item of any job; None where none waits.

    Nothing is marked, so that an item whose server was killed waits again at once. A server with several workers names
    in `in_hand` the (job id, number) that they are at. An item whose image is gone from the right folder has failed.

    Raises:
        RecordsError: the database is away, the disk cannot be read, or the folder is not that of the images.
    """
    held = set(in_hand)
    waiting = (
        select(JobItemRow.job_id, JobItemRow.number, JobRow.options, JobRow.owner)
        .join(JobRow, JobRow.id == JobItemRow.job_id)
        .where(JobItemRow.state == "waiting")
        .order_by(JobRow.created, JobRow.id, JobItemRow.number)
        .limit(len(held) + 1)
    )
    while True:
        with records.reading() as session:
            rows = [row for row in session.execute(waiting) if (row[0], row[1]) not in held]
        if not rows:
            return None
        job_id, number, options, owner = rows[0]
        with told():
            try:
                return job_id, number, spool_path(records, job_id, number).read_bytes(), options, owner
            except FileNotFoundError:
                pass
        refuse_wrong_folder(records)
        finish_item(records, job_id, number, error=_LOST)


def finish_item(
    records: Records, job_id: str, number: int, *, answer: dict[str, Any] | None = None, error: str | None = None
) -> None:
    """Put down the answer or the error of an item and delete its image.

    Where the item has been finished, or its job deleted, in the meantime, nothing changes.

    Raises:
        BadValue: both or none were given.
        RecordsError: the database is away or the disk is full; the item waits on.
    """
    if (answer is None) == (error is None):
        raise BadValue("An item is finished with an answer or with an error; give one of them.")
    with records.writing() as session:
        item = session.get(JobItemRow, (job_id, number))
        if item is not None and item.state == "waiting":
            item.state, item.answer, item.error = ("failed" if answer is None else "done"), answer, error
            session.flush()
            job = session.get_one(JobRow, job_id)
            left = select(func.count()).where(JobItemRow.job_id == job_id, JobItemRow.state == "waiting")
            if session.scalar(left) == 0:
                job.finished = datetime.now(UTC)
            audit.write(session, f"job.{item.state}", job.owner, job_id)
    _unspool(records, job_id, [number])


def delete_job(records: Records, owner: str, job_id: str) -> None:
    """Delete a job with its answers and its waiting images.

    Raises:
        NotKept: as `find_job`.
        RecordsError: the database is away or the disk is full.
    """
    with records.writing() as session:
        row = session.get(JobRow, job_id) if is_id(job_id) else None
        if row is None or row.owner != owner:
            raise _no_job()
        numbers = [item.number for item in row.items]
        session.delete(row)
        audit.write(session, "job.delete", owner, job_id, count=len(numbers))
    _unspool(records, job_id, numbers)
    forget_deleted(records.engine)


def _spool_missing(records: Records, job_id: str, images: Sequence[tuple[str, bytes]]) -> None:
    with told():
        for number, (_, data) in enumerate(images):
            target = spool_path(records, job_id, number)
            if not target.exists():
                write_durably(target, data, records.images.temporary)


def _unspool(records: Records, job_id: str, numbers: Collection[int]) -> None:
    with told():
        for number in numbers:
            remove_durably(spool_path(records, job_id, number))


def _job(row: JobRow) -> Job:
    items = tuple(JobItem(one.number, one.name, one.state, one.answer, one.error) for one in row.items)
    n_waiting = sum(item.state == "waiting" for item in items)
    state = "done" if n_waiting == 0 else "waiting" if n_waiting == len(items) else "running"
    return Job(row.id, row.owner, row.created, state, items, row.options)


def _no_job() -> NotKept:
    return NotKept("There is no such job among yours. It may have been deleted.")
