"""The two databases that the suite runs on: a fresh SQLite file, a fresh schema of a PostgreSQL server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.exc import OperationalError

POSTGRESQL = os.environ.get("DERMALENS_TEST_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432/test")
DATABASES = ("sqlite", "postgresql")


@contextmanager
def fresh_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database that goes away at the end."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'record' / 'test.sqlite3'}"
        return
    _need_postgresql()
    name = f"dermalens_{uuid4().hex}"
    run_on_postgresql(f"CREATE SCHEMA {name}")
    try:
        url = make_url(POSTGRESQL).update_query_dict({"options": f"-csearch_path={name}", "application_name": name})
        yield url.render_as_string(hide_password=False)
    finally:
        run_on_postgresql(f"DROP SCHEMA {name} CASCADE")


def reading_only(url: str) -> str:
    """The URL of the same database of PostgreSQL, whose transactions are read-only, as those of a standby are."""
    place = make_url(url)
    options = f"{place.query['options']} -cdefault_transaction_read_only=on"
    return place.update_query_dict({"options": options}).render_as_string(hide_password=False)


def run_on_postgresql(statement: str) -> None:
    """One statement on a connection of its own."""
    engine = create_engine(POSTGRESQL, poolclass=NullPool, connect_args={"connect_timeout": 3})
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


def _need_postgresql() -> None:
    """On the project's CI machine a missing server fails the run; elsewhere the test says why it is skipped."""
    reason = _why_not()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"CI needs PostgreSQL at DERMALENS_TEST_POSTGRESQL: {reason}")
    if reason:
        pytest.skip(f"no PostgreSQL at DERMALENS_TEST_POSTGRESQL: {reason}")


@cache
def _why_not() -> str:
    try:
        run_on_postgresql("SELECT 1")
    except OperationalError as error:
        return str(error.orig).strip().splitlines()[0]
    return ""
