"""A copy of an SQLite database while servers use it: one file, with what only the `-wal` has until now."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import cast
from uuid import uuid4

from dermalens.core.files import sync_folder
from dermalens.records.errors import RecordsError, told
from dermalens.records.store import Records


def backup(records: Records, target: Path) -> None:
    """Copy the database as it is at one moment; writers go on meanwhile, and only its owner can read the copy.

    It is written under a temporary name beside `target`, so that a failure leaves nothing and a kill no `target`.

    Raises:
        RecordsError: the database is PostgreSQL or away, `target` is there already, or it cannot be written.
    """
    if records.engine.dialect.name != "sqlite":
        raise RecordsError(
            "The record is in PostgreSQL, which is copied by its own tool, before the data folder is: "
            "pg_dump --format=custom --file=FILE DATABASE"
        )
    if os.path.lexists(target):
        raise RecordsError(f"{target} is there already, and a copy replaces nothing. Name a new file.")
    temporary = target.with_name(f"{target.name}.{uuid4().hex}.tmp")
    try:
        temporary.touch(mode=0o600, exist_ok=False)
        _copy(records, temporary)
        temporary.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise RecordsError(
            f"The copy {target} cannot be written: {error.strerror}. Make room, or name another place."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _copy(records: Records, target: Path) -> None:
    """All pages in one step, within one read transaction; the file is on the disk at the end."""
    with told():
        source = records.engine.raw_connection()
    try:
        with closing(source), closing(sqlite3.connect(target)) as copy:
            cast("sqlite3.Connection", source.driver_connection).backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE").close()  # no file beside it that could be forgotten
    except sqlite3.Error as error:
        raise RecordsError(f"The copy {target} cannot be made: {error}. Nothing was left there.") from error
    with target.open("rb+") as stream:
        os.fsync(stream.fileno())
