from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dermalens.records.store import Records, opened
from tests.records.databases import DATABASES, fresh_database


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database, of each kind."""
    with fresh_database(request.param, tmp_path) as place:
        yield place


@pytest.fixture
def records(url: str, tmp_path: Path) -> Iterator[Records]:
    """An empty record, in each kind of database."""
    with opened(url, tmp_path / "record") as record:
        yield record


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Records]:
    """An empty record in SQLite."""
    with fresh_database("sqlite", tmp_path) as place, opened(place, tmp_path / "record") as record:
        yield record
