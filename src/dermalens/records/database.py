"""Engines: what is asked of a connection so that an acknowledged record survives, and how writers take turns."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.orm import Session

from dermalens.records.errors import RecordsError, told

WAIT_MS: Final = 10_000
"""How long a writer waits for its turn; a kept case takes some 10 ms of it."""

BEGIN_WRITING: Final = "BEGIN IMMEDIATE"
"""Of SQLite, as the execution option `dermalens_begin`: the writer takes the lock at once.

To rise from reader to writer can fail in the middle of a transaction.
"""

_STALLED_MS: Final = 60_000
"""After so long without a word PostgreSQL ends a writer that has stalled, so that the others get their turn."""

_PAUSE_SECONDS: Final = 0.02
"""Between two attempts of one that SQLite does not let wait."""

_CHECKPOINT_MS: Final = 2_000
"""How long the write-ahead log waits for readers before it is emptied; writers wait too meanwhile."""

CONNECT_SECONDS: Final = 3
"""How long a PostgreSQL server may take to accept a connection before it counts as away."""

_WRITERS: Final = 0x4465726D
"""Of the advisory lock of PostgreSQL: "Derm"."""

_PRAGMAS: Final = (
    f"PRAGMA busy_timeout={WAIT_MS}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # a commit is on the disk when it returns
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",  # what is deleted is overwritten with zeros
)


def make_engine(url: str) -> Engine:
    """An engine for SQLite or PostgreSQL; nothing is connected yet.

    Raises:
        RecordsError: the URL is none, or of another database.
    """
    place = _read_url(url)
    if place.get_backend_name() == "sqlite":
        _prepare_file(Path(str(place.database)))
        engine = create_engine(place, pool_timeout=CONNECT_SECONDS, hide_parameters=True)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(
        place,
        pool_pre_ping=True,
        hide_parameters=True,  # an error's text goes to the log; a note must not
        pool_timeout=CONNECT_SECONDS,
        pool_size=10,
        max_overflow=10,
        connect_args={"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": WAIT_MS, "prepare_threshold": None},
    )
    _be_impatient(engine)
    return engine


def require_existing(url: str) -> None:
    """Refuse an SQLite file that is missing or has nothing in it; neither the file nor its folder is made.

    Raises:
        RecordsError: as said, the folder may not be searched, or the URL is none.
    """
    place = _read_url(url)
    if place.get_backend_name() != "sqlite":
        return
    file = Path(str(place.database))
    with told():
        if not file.exists() or not file.stat().st_size:
            raise no_record(url)


def no_record(url: str) -> RecordsError:
    """The error where a record is needed and there is none; it names the place without its password."""
    place = _read_url(url)
    shown = place.database if place.get_backend_name() == "sqlite" else place.render_as_string(hide_password=True)
    return RecordsError(
        f"There is no record at {shown}; check --data-folder (DERMALENS_DATA_FOLDER) or --database-url "
        "(DERMALENS_DATABASE_URL)."
    )


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session that only reads.

    Raises:
        RecordsError: as `told`.
    """
    with told(), Session(engine) as session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """One transaction that writes, committed at the end; writers of all processes take turns.

    That keeps the chain of the audit log whole, and lets a file be removed while nobody can begin to refer to it.

    Raises:
        RecordsError: as `told`.
    """
    with told(), Session(engine, expire_on_commit=False) as session, session.begin():
        take_turn(session.connection(execution_options={"dermalens_begin": BEGIN_WRITING}))
        yield session


def take_turn(connection: Connection) -> None:
    """Wait until no other writer of this schema is at work; SQLite has done so in BEGIN IMMEDIATE."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = {WAIT_MS}; SET LOCAL idle_in_transaction_session_timeout = {_STALLED_MS}"
        )
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS}, hashtext(current_schema()))")


def forget_deleted(engine: Engine) -> None:
    """Empty the write-ahead log of SQLite, which still holds what was deleted or changed.

    Where a reader holds it for longer than two seconds it stays until the janitor's next round.
    PostgreSQL keeps deleted rows in its files until they are vacuumed and overwritten, and in its own log and backups
    for as long as its operator keeps these; no client can shorten that.
    """
    if engine.dialect.name == "sqlite":
        with told(), engine.connect().execution_options(dermalens_begin="") as connection:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={_CHECKPOINT_MS}")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").close()
            connection.exec_driver_sql(f"PRAGMA busy_timeout={WAIT_MS}")


def _be_impatient(engine: Engine) -> None:
    from dermalens.records.patience import be_impatient  # psycopg is loaded only where it is used

    be_impatient(engine)


def _read_url(url: str) -> URL:
    try:
        place = make_url(url)
    except exc.ArgumentError as error:
        raise RecordsError(
            "The database URL cannot be read; needed is sqlite:////folder/file.sqlite3 or "
            "postgresql+psycopg://user@host/database. Check DERMALENS_DATABASE_URL."
        ) from error
    kind = place.get_backend_name()
    if kind in ("postgresql", "postgres"):
        return place.set(drivername="postgresql+psycopg")
    if kind == "sqlite" and place.database not in (None, "", ":memory:"):
        return place
    raise RecordsError(
        f"The database URL begins with {place.drivername}; needed is sqlite with a file or postgresql+psycopg. "
        "Check DERMALENS_DATABASE_URL."
    )


def _prepare_file(file: Path) -> None:
    """Make a missing SQLite file so that only its owner can read it; the files beside it get the same rights."""
    with told():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)


def _set_up_sqlite(connection: Any, _: object) -> None:  # a connection of the driver
    connection.isolation_level = None  # the driver begins nothing by itself; `_begin_sqlite` does
    connection.create_function("lower", 1, _lower, deterministic=True)  # its own leaves umlauts as they are
    for line in _PRAGMAS:
        _execute_in_turn(connection, line)


def _execute_in_turn(connection: Any, line: str) -> None:
    """Execute, and wait for another connection; SQLite does not when a new file gets its write-ahead log."""
    until = time.monotonic() + WAIT_MS / 1000
    while True:
        try:
            connection.execute(line)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    """Begin as the execution option says; not at all where it is empty."""
    if statement := connection.get_execution_options().get("dermalens_begin", "BEGIN"):
        connection.exec_driver_sql(statement)


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()
