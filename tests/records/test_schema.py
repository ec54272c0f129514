from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from dermalens.records import audit, cases
from dermalens.records.cases import keep
from dermalens.records.database import make_engine
from dermalens.records.errors import BadValue, RecordsError
from dermalens.records.feedback import add_feedback
from dermalens.records.jobs import add_job, find_job
from dermalens.records.keys import check_key, create_key
from dermalens.records.schema import VERSION_TABLE, downgrade, read_schema, upgrade
from dermalens.records.store import check, open_records, opened
from dermalens.records.tables import Base
from tests.records.made_case import OWNER, new_case


def test_an_empty_database_gets_its_tables_by_itself(records):
    schema = read_schema(records.engine)
    assert schema.current == schema.needed == schema.known[-1]
    assert len(schema.known) >= 3
    check(records)


def test_the_migrations_make_just_the_tables_that_the_code_describes(records):
    with records.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_go_down_and_up_with_data_in_place(records):
    case = keep(records, OWNER, new_case(lesion="arm", note="stays", taken_on=date(2020, 2, 29)))
    case = add_feedback(records, OWNER, case.id, kind="agree")
    job = add_job(records, OWNER, [("a", b"a")], {})
    _, secret = create_key(records, name="x", scopes=["admin"])
    before = audit.verify(records)
    downgrade(records.engine, "0001")
    with records.engine.connect() as connection:
        assert connection.execute(text("SELECT note FROM cases")).scalars().all() == ["stays"]
        assert connection.execute(text("SELECT count(*) FROM feedback")).scalar() == 1
        columns = {column["name"] for column in inspect(connection).get_columns("cases")}
        assert not {"lesion_id", "taken_on"} & columns
    upgrade(records.engine)
    found = cases.find(records, OWNER, case.id)
    assert (found.note, found.feedback, found.answer, found.consent) == (
        "stays",
        case.feedback,
        case.answer,
        case.consent,
    )
    assert (found.lesion, found.lesion_id, found.taken_on) == ("", None, None)
    assert cases.describe(records, OWNER, case.id, lesion="arm").lesion == "arm"
    assert find_job(records, OWNER, job.id) == job
    assert check_key(records, secret) is not None
    assert audit.verify(records, noted=before.head).count == before.count + 1
    cases.delete(records, OWNER, case.id)
    with pytest.raises(Exception, match="not altered"), records.engine.begin() as connection:
        connection.execute(text("DELETE FROM audit_entries"))


def test_the_newest_migration_alone_goes_down_and_up_and_loses_the_days_only(records):
    case = keep(records, OWNER, new_case(lesion="arm", taken_on=date(2020, 2, 29)))
    downgrade(records.engine, "0002")
    upgrade(records.engine)
    assert cases.find(records, OWNER, case.id) == replace(case, taken_on=None)
    assert cases.describe(records, OWNER, case.id, taken_on=date(2020, 2, 29)) == case


def test_the_first_revision_can_be_taken_back_to_an_empty_database(records):
    keep(records, OWNER, new_case(lesion="arm"))
    downgrade(records.engine, "base")
    with records.engine.connect() as connection:
        assert inspect(connection).get_table_names() == [VERSION_TABLE]
    upgrade(records.engine)
    keep(records, OWNER, new_case())


def test_a_failed_migration_leaves_all_as_it_was(records, monkeypatch):
    case = keep(records, OWNER, new_case(lesion="arm"))

    def fail(_):
        raise RecordsError("in the end")

    monkeypatch.setattr("dermalens.records.schema._check_references", fail)
    with pytest.raises(RecordsError, match="in the end"):
        downgrade(records.engine, "0001")
    assert read_schema(records.engine).current == "0003"
    assert cases.find(records, OWNER, case.id) == case


def test_an_older_schema_says_what_to_run(url, tmp_path):
    with opened(url, tmp_path / "record") as records:
        downgrade(records.engine, "0001")
    with pytest.raises(RecordsError, match="dermalens records upgrade"):
        open_records(url, tmp_path / "record")
    with opened(url, tmp_path / "record", migrate=True) as records:
        keep(records, OWNER, new_case())


def test_a_newer_schema_says_to_upgrade_dermalens(url, tmp_path):
    with opened(url, tmp_path / "record") as records, records.engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0999'"))
    for migrate in (False, True):
        with pytest.raises(RecordsError, match="0999, which is newer .* Upgrade DermaLens"):
            open_records(url, tmp_path / "record", migrate=migrate)


def test_the_database_of_another_program_is_left_alone(url, tmp_path):
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE cases (id integer)"))
    engine.dispose()
    with pytest.raises(RecordsError, match="none of DermaLens"):
        open_records(url, tmp_path / "record")


def test_an_unknown_revision_is_refused(records):
    with pytest.raises(BadValue, match="0001, 0002, 0003"):
        downgrade(records.engine, "0007")


def test_servers_that_start_at_once_on_an_empty_database_all_come_up(url, tmp_path):
    def start(number):
        with opened(url, tmp_path / "record") as records:
            return keep(records, OWNER, new_case(note=str(number))).id

    with ThreadPoolExecutor(4) as threads:
        kept = set(threads.map(start, range(4)))
    with opened(url, tmp_path / "record") as records:
        assert {case.id for case in cases.search(records, OWNER, cases.Wanted()).cases} == kept
        assert audit.verify(records).count == 4


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://host/x", "sqlite://", "sqlite:///:memory:"])
def test_a_url_of_no_database_that_is_known_says_what_is_needed(url, tmp_path):
    with pytest.raises(RecordsError, match="DERMALENS_DATABASE_URL"):
        open_records(url, tmp_path)
