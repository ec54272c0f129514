"""The schema: which revision a database has, which this code needs, and the way from one to the other (Alembic)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from dermalens.records.database import BEGIN_WRITING, take_turn
from dermalens.records.errors import BadValue, RecordsError, told
from dermalens.records.tables import Base

VERSION_TABLE: Final = "dermalens_schema"
"""Not Alembic's usual name: other programs may live in the same PostgreSQL database."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Where a database stands."""

    current: str | None
    """None: the database is empty."""
    needed: str
    known: tuple[str, ...]
    """All revisions of this version of DermaLens, the oldest first."""


def read_schema(engine: Engine) -> Schema:
    """Look, and change nothing.

    Raises:
        RecordsError: the database is away.
    """
    with told(), engine.connect() as connection:
        return _schema(connection)


def require_newest(engine: Engine, *, migrate: bool) -> None:
    """Bring an empty database, and with `migrate` an older one, to the newest revision.

    Raises:
        RecordsError: the database is older and `migrate` is False, is newer than this code, or is another program's.
    """
    found = read_schema(engine)
    if found.current == found.needed:
        return
    if found.current is not None:
        _refuse_other(found, migrate=migrate)
    upgrade(engine)


def _refuse_other(found: Schema, *, migrate: bool) -> None:
    if found.current not in found.known:
        raise RecordsError(
            f"The record has schema {found.current}, which is newer than the {found.needed} of this DermaLens. "
            "Upgrade DermaLens: pip install --upgrade 'dermalens[serve]'"
        )
    if not migrate:
        raise RecordsError(
            f"The record has schema {found.current}; needed is {found.needed}. Make a copy of it, then run: "
            "dermalens records upgrade"
        )


def upgrade(engine: Engine) -> None:
    """Go to the newest revision; all in one transaction, and two servers that start at once take turns.

    Raises:
        RecordsError: as `told`.
    """
    _run(engine, lambda config: command.upgrade(config, "head"))


def downgrade(engine: Engine, revision: str) -> None:
    """Go back to an older revision, or to `base`, where nothing is left; what the later ones added is lost.

    Raises:
        BadValue: there is no such revision.
        RecordsError: as `told`.
    """
    known = read_schema(engine).known
    if revision not in (*known, "base"):
        raise BadValue(f"{revision} is no revision of the schema; there are {', '.join(known)}. Choose one.")
    _run(engine, lambda config: command.downgrade(config, revision))


def _schema(connection: Connection) -> Schema:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    scripts = ScriptDirectory.from_config(_config())
    known = tuple(script.revision for script in reversed(list(scripts.walk_revisions())))
    return Schema(context.get_current_revision(), known[-1], known)


def _refuse_foreign(connection: Connection) -> None:
    ours = sorted(set(inspect(connection).get_table_names()) & set(Base.metadata.tables))
    if ours:
        raise RecordsError(
            f"The database has a table {ours[0]} that is none of DermaLens; needed is a database or schema of its own. "
            "Choose another in DERMALENS_DATABASE_URL."
        )


def _run(engine: Engine, work: Callable[[Config], None]) -> None:
    with told(), _unchecked(engine) as connection, connection.begin():
        take_turn(connection)
        if _schema(connection).current is None:
            _refuse_foreign(connection)
        config = _config()
        config.attributes["connection"] = connection
        config.attributes["version_table"] = VERSION_TABLE
        work(config)
        _check_references(connection)


@contextmanager
def _unchecked(engine: Engine) -> Iterator[Connection]:
    """A connection without foreign keys in SQLite.

    There a column is removed by building the table anew, and to drop the old one would delete all that refers to it.
    """
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            from dermalens.records.patience import be_patient  # psycopg is loaded only where it is used

            be_patient(connection)
            yield connection
            return
        driver = connection.connection
        driver.cursor().execute("PRAGMA foreign_keys=OFF").close()  # before a transaction begins; within it is ignored
        try:
            yield connection.execution_options(dermalens_begin=BEGIN_WRITING)
        finally:
            connection.invalidate()  # the next one is set up anew


def _check_references(connection: Connection) -> None:
    if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise RecordsError("The migration would leave rows that refer to nothing; the record was left as it was.")


def _config() -> Config:
    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
