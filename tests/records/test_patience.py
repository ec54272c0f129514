"""A PostgreSQL server that neither answers nor breaks a connection."""

import time

import pytest
from sqlalchemy import make_url

from dermalens.records import audit
from dermalens.records.errors import RecordsError
from dermalens.records.patience import be_patient
from dermalens.records.store import check, close, open_records
from tests.records.databases import POSTGRESQL, fresh_database
from tests.serve.faulty import way_to


@pytest.fixture
def silent(tmp_path, monkeypatch):
    """A record, and the way to its database, which can be silenced."""
    monkeypatch.setattr("dermalens.records.database.CONNECT_SECONDS", 2)
    place = make_url(POSTGRESQL)
    with fresh_database("postgresql", tmp_path) as url, way_to(place.host, place.port or 5432) as proxy:
        through = make_url(url).set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
        records = open_records(through, tmp_path / "record")
        yield records, proxy
        close(records)


def test_a_connection_at_rest_is_given_up_soon_and_all_is_well_afterwards(silent, monkeypatch):
    monkeypatch.setattr("dermalens.records.patience.AT_REST_SECONDS", 0.5)
    records, proxy = silent
    check(records)
    proxy.silence()
    began = time.monotonic()
    with pytest.raises(RecordsError, match="The database cannot be used"):
        check(records)
    assert 2 < time.monotonic() - began < 5  # a half for the connection that was there, two for a new one
    proxy.restore()
    check(records)


def test_silence_within_a_transaction_is_an_error_and_nothing_is_kept(silent, monkeypatch):
    monkeypatch.setattr("dermalens.records.patience.IN_USE_SECONDS", 0.5)
    records, proxy = silent

    def lose():
        with records.writing() as session:
            proxy.silence()
            audit.write(session, "case.keep", "local", "x")

    began = time.monotonic()
    with pytest.raises(RecordsError, match=r"has not answered for 0\.5 seconds"):
        lose()
    assert time.monotonic() - began < 2
    proxy.restore()
    assert audit.verify(records).count == 0


def test_a_slow_statement_is_waited_for_where_that_is_wanted_and_only_there(silent, monkeypatch):
    monkeypatch.setattr("dermalens.records.patience.IN_USE_SECONDS", 0.5)
    engine = silent[0].engine
    with engine.connect() as connection:
        be_patient(connection)
        connection.exec_driver_sql("SELECT pg_sleep(1)")
    with engine.connect() as connection, pytest.raises(Exception, match="has not answered"):
        connection.exec_driver_sql("SELECT pg_sleep(1)")
