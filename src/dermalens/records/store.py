"""The record as a whole: open it, look whether it can be used, close it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from dermalens.records import database
from dermalens.records.durable import make_folder
from dermalens.records.errors import RecordsError, told
from dermalens.records.images import ImageStore
from dermalens.records.schema import VERSION_TABLE, read_schema, require_newest

LOCAL: Final = "local"
"""The owner of all cases where no keys are used."""

_PROBE_BYTES: Final = 256 * 1024
"""What must fit on the disk for the record to count as writable: about one kept case."""


@dataclass(frozen=True, slots=True)
class Records:
    """An open record; any number of threads may use it. Close it with `close`."""

    engine: Engine
    images: ImageStore
    spool: Path
    """Folder of the images that wait for a batch job."""

    def reading(self) -> AbstractContextManager[Session]:
        """A session that only reads."""
        return database.reading(self.engine)

    def writing(self) -> AbstractContextManager[Session]:
        """A transaction that writes; writers of all processes take turns."""
        return database.writing(self.engine)


def open_records(url: str, folder: Path, *, migrate: bool = False) -> Records:
    """Open the record; an empty database gets its tables, an older one only with `migrate`.

    Raises:
        RecordsError: the database is away, has an older or newer schema, or the folder may not be written.
    """
    records = connect(url, folder)
    with ExitStack() as if_it_fails:
        if_it_fails.callback(close, records)
        require_newest(records.engine, migrate=migrate)
        make_folders(records)
        if_it_fails.pop_all()
    return records


def open_existing(url: str, folder: Path) -> Records:
    """Open a record that somebody has made; a wrong place is refused, and nothing is made there.

    A data folder that is missing stays so: what only asks the database works without.

    Raises:
        RecordsError: there is no record, the database is away or has an older or newer schema, or the folder may not
            be written.
    """
    records = connect_existing(url, folder)
    with ExitStack() as if_it_fails:
        if_it_fails.callback(close, records)
        if read_schema(records.engine).current is None:
            raise database.no_record(url)
        require_newest(records.engine, migrate=False)
        if folder.is_dir():
            make_folders(records)
        if_it_fails.pop_all()
    return records


def connect(url: str, folder: Path) -> Records:
    """The record whatever its schema is; for what looks after the schema itself.

    Raises:
        RecordsError: the URL is none of a database that DermaLens knows.
    """
    images = ImageStore(folder / "images", folder / "temporary")
    return Records(database.make_engine(url), images, folder / "spool")


def connect_existing(url: str, folder: Path) -> Records:
    """As `connect`, for what makes no record: a database without one shows as empty in its schema.

    Raises:
        RecordsError: the SQLite file is missing or empty, or the URL is none of a database that DermaLens knows.
    """
    database.require_existing(url)
    return connect(url, folder)


def make_folders(records: Records) -> None:
    """Make the folders of images, temporary files and waiting images.

    Raises:
        RecordsError: the data folder may not be written or is full.
    """
    records.images.make_folders()
    with told():
        make_folder(records.spool)


def spool_path(records: Records, job_id: str, number: int) -> Path:
    """Where the image of a waiting item lies."""
    return records.spool / f"{job_id}-{number}"


def require_folder(records: Records) -> None:
    """Refuse a data folder that is missing: files that are to be removed lie in another one then.

    Raises:
        RecordsError: as said.
    """
    folder = records.spool.parent
    if not folder.is_dir():
        raise RecordsError(f"There is no data folder at {folder}; check --data-folder (DERMALENS_DATA_FOLDER).")


@contextmanager
def opened(url: str, folder: Path, *, migrate: bool = False) -> Iterator[Records]:
    """An open record that is closed at the end.

    Raises:
        RecordsError: as `open_records`.
    """
    records = open_records(url, folder, migrate=migrate)
    try:
        yield records
    finally:
        close(records)


def close(records: Records) -> None:
    """Close all connections."""
    records.engine.dispose()


def check(records: Records) -> None:
    """Ask the database whether it has its schema and can be written, and the disk for a little room.

    Raises:
        RecordsError: the database is away or can only be read, or the folder may not be written or is full.
    """
    _require_writable(records)
    probe = records.images.temporary / uuid4().hex
    with told():
        try:
            with probe.open("wb") as stream:
                stream.write(bytes(_PROBE_BYTES))
                stream.flush()
                os.fsync(stream.fileno())
        finally:
            probe.unlink(missing_ok=True)


def _require_writable(records: Records) -> None:
    """An update of no row is refused where the database can only be read, and leaves nothing where it can be written.

    In SQLite it waits for its turn as any writer does; PostgreSQL answers it beside other writers.
    """
    with told(), records.engine.connect().execution_options(dermalens_begin=database.BEGIN_WRITING) as connection:
        connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar_one()
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = version_num WHERE 1 = 0")
