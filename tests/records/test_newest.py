"""A database that was restored from before its data folder: the janitor deletes nothing that came after it."""

from __future__ import annotations

import re
import shutil
import subprocess
from threading import Thread

import pytest
from sqlalchemy import delete, select

from dermalens.records import audit, cases
from dermalens.records.errors import RecordsError
from dermalens.records.jobs import add_job
from dermalens.records.newest import MARK, note_newest, refuse_newer_folder
from dermalens.records.own import refuse_wrong_folder
from dermalens.records.retention import Swept, sweep
from dermalens.records.store import opened
from dermalens.records.tables import CaseRow, JobRow
from tests.records.made_case import OWNER, drawn, files, new_case
from tests.records.test_audit import tamper

OLDER = "older than the data folder"


def mark_of(records):
    return records.spool.parent / MARK


def go_back(records):
    """To the database as it was after its first change; the folder stays as it is."""
    with records.writing() as session:
        for row in session.scalars(select(CaseRow).order_by(CaseRow.created).offset(1)):
            session.delete(row)
        session.execute(delete(JobRow))
    tamper(records, "DELETE FROM audit_entries WHERE sequence > 1")


def test_a_copy_of_sqlite_without_its_write_ahead_log_costs_no_image(on_sqlite, tmp_path):
    sweep(on_sqlite)  # as the server does when it starts
    case = cases.keep(on_sqlite, OWNER, new_case())
    copy = tmp_path / "copy.sqlite3"
    shutil.copyfile(on_sqlite.engine.url.database, copy)
    with opened(f"sqlite:///{copy}", tmp_path / "record") as older:
        refuse_wrong_folder(older)  # the server starts
        assert cases.search(older, OWNER, cases.Wanted()).cases == ()
        with pytest.raises(RecordsError, match=f"{OLDER} .*: it ends at entry 1 .* has seen entry 2") as refused:
            sweep(older, age_seconds=0)
        assert "\n" not in str(refused.value)
        assert str(tmp_path) not in refused.value.public
    assert cases.image_of(on_sqlite, OWNER, case.id)
    sweep(on_sqlite, age_seconds=0)


def test_an_older_database_sweeps_nothing_also_after_it_has_gone_on(records):
    cases.keep(records, OWNER, new_case())
    cases.keep(records, OWNER, new_case(image=drawn("nv")))
    go_back(records)
    before, marked = files(records), mark_of(records).read_text()
    with pytest.raises(RecordsError, match="ends at entry 1"):
        sweep(records, age_seconds=0)
    for code in ("bcc", "df"):
        cases.keep(records, OWNER, new_case(image=drawn(code)))
        assert mark_of(records).read_text() == marked
    with pytest.raises(RecordsError, match=f"{OLDER} .*: its entry 2 .* is another one"):
        sweep(records, age_seconds=0)
    assert before < files(records)


def test_an_older_database_removes_no_image_that_waits(records):
    cases.keep(records, OWNER, new_case())
    job = add_job(records, OWNER, [("a", b"a")], {})
    go_back(records)
    with pytest.raises(RecordsError, match=OLDER):
        sweep(records, age_seconds=0)
    assert f"{job.id}-0" in files(records)


def test_where_the_loss_is_meant_the_line_of_the_error_lets_the_janitor_go_on(records):
    cases.keep(records, OWNER, new_case())
    cases.keep(records, OWNER, new_case(image=drawn("nv")))
    go_back(records)
    with pytest.raises(RecordsError) as refused:
        refuse_newer_folder(records)
    subprocess.run(["sh", "-c", re.search(r"type: (rm .*)$", str(refused.value))[1]], check=True)
    assert sweep(records, age_seconds=0) == Swept(0, 1, 0)
    assert mark_of(records).read_text().startswith("1 ")


def test_a_mark_that_says_nothing_stops_the_janitor_and_no_case(records):
    mark_of(records).write_text("")
    cases.keep(records, OWNER, new_case())
    with pytest.raises(RecordsError, match="does not name an entry"):
        sweep(records)
    assert mark_of(records).read_text() == ""


def test_the_folder_of_before_gets_the_mark_at_the_first_sweep(records):
    cases.keep(records, OWNER, new_case())
    mark_of(records).unlink()
    assert sweep(records) == Swept(0, 0, 0)
    (entry,) = audit.entries(records)
    assert mark_of(records).read_text() == f"{entry.sequence} {audit.verify(records).head}\n"


def test_a_case_is_kept_also_where_the_mark_cannot_be_written(records):
    mark_of(records).mkdir()
    case = cases.keep(records, OWNER, new_case())
    assert cases.find(records, OWNER, case.id) == case


def test_a_sweep_beside_others_that_keep_is_never_refused(records, url, tmp_path):
    def work():
        with opened(url, tmp_path / "record") as other:
            for number in range(12):
                audit_only(other, number)

    def audit_only(other, number):
        with other.writing() as session:
            audit.write(session, "case.note", OWNER, str(number))
        note_newest(other)

    threads = [Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        sweep(records)
    for thread in threads:
        thread.join()
    assert mark_of(records).read_text() == f"{audit.verify(records).count} {audit.verify(records).head}\n"
