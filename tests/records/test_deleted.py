"""What is deleted in SQLite is in no byte of any of its files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from dermalens.records import cases
from dermalens.records.cases import Patient, keep
from dermalens.records.feedback import add_feedback
from dermalens.records.jobs import add_job, delete_job
from dermalens.records.retention import purge, sweep
from tests.records.made_case import OWNER, drawn, new_case

TRACES = {
    "note": b"The note of Erika " * 300,
    "note before": b"The first thing that was said",
    "embedding": bytes(range(7, 250)) * 20,
    "lesion": b"behind Erika's ear",
    "site": b"site of Erika",
    "comment": b"what the pathologist wrote",
    "consent": b"Erika has agreed",
}


def bytes_of(records):
    return b"".join(path.read_bytes() for path in records.images.folder.parent.rglob("*") if path.is_file())


@pytest.fixture
def told(on_sqlite):
    """A record with one case that holds every trace, among others."""
    for code in ("nv", "bcc"):
        keep(on_sqlite, OWNER, new_case(image=drawn(code), note="another"))
    words = {name: trace.decode() for name, trace in TRACES.items() if name != "embedding"}
    case = keep(
        on_sqlite,
        OWNER,
        new_case(
            note=words["note before"],
            embedding=TRACES["embedding"],
            lesion=words["lesion"],
            patient=Patient(site=words["site"]),
            consent=words["consent"],
        ),
    )
    cases.describe(on_sqlite, OWNER, case.id, note=words["note"])
    add_feedback(on_sqlite, OWNER, case.id, kind="other", label="nv", comment=words["comment"])
    return on_sqlite, case


def present(records):
    """Names of the traces that a file holds; of a long one, any piece as long as would name somebody."""
    content = bytes_of(records)
    return {name for name, trace in TRACES.items() if trace[:18] in content or trace[-18:] in content}


def test_what_was_kept_can_be_found_in_the_files_before(told):
    assert present(told[0]) == set(TRACES)


def test_nothing_of_a_deleted_case_is_left_in_any_file(told):
    records, case = told
    image = records.images.path_of(case.image_sha256).read_bytes()
    cases.delete(records, OWNER, case.id)
    assert present(records) == set()
    assert image not in bytes_of(records)
    assert b"another" in bytes_of(records)


def test_nothing_of_a_deleted_job_is_left_in_any_file(on_sqlite):
    job = add_job(on_sqlite, OWNER, [("Erika Mustermann.jpg", b"picture of Erika")], {"about": "Erika's options"})
    assert b"Erika" in bytes_of(on_sqlite)
    delete_job(on_sqlite, OWNER, job.id)
    assert b"Erika" not in bytes_of(on_sqlite)


def test_nothing_of_a_purged_case_is_left_in_the_database(on_sqlite):
    keep(on_sqlite, OWNER, new_case(note="The note of Erika"))
    assert purge(on_sqlite, days=1, now=datetime.now(UTC) + timedelta(days=2)) == 1
    assert b"The note of Erika" not in bytes_of(on_sqlite)


def test_a_sweep_forgets_what_a_reader_kept_from_being_forgotten(on_sqlite):
    case = keep(on_sqlite, OWNER, new_case(note="The note of Erika"))
    with on_sqlite.engine.connect() as reader:
        reader.execute(text("SELECT count(*) FROM cases")).all()
        cases.delete(on_sqlite, OWNER, case.id)
        assert b"The note of Erika" in bytes_of(on_sqlite)
    sweep(on_sqlite)
    assert b"The note of Erika" not in bytes_of(on_sqlite)
