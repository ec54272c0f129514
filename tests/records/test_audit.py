from __future__ import annotations

import json
from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dermalens.records import audit, cases, jobs, keys
from dermalens.records.cases import Patient, keep
from dermalens.records.errors import AuditBroken
from dermalens.records.feedback import add_feedback
from tests.records.made_case import OWNER, new_case


def make_entries(records):
    """Five changes of one case; its id."""
    case = keep(records, OWNER, new_case())
    cases.describe(records, OWNER, case.id, note="note")
    cases.describe(records, OWNER, case.id, lesion="arm")
    add_feedback(records, OWNER, case.id, kind="agree")
    cases.delete(records, OWNER, case.id)
    return case.id


def tamper(records, statement):
    """What somebody with the database's own rights can do: take the guards away first."""
    guards = {
        "sqlite": ("DROP TRIGGER audit_entries_keep_UPDATE", "DROP TRIGGER audit_entries_keep_DELETE"),
        "postgresql": ("DROP TRIGGER audit_entries_keep ON audit_entries",),
    }
    with records.engine.begin() as connection:
        for guard in guards[records.engine.dialect.name]:
            connection.execute(text(guard))
        connection.execute(text(statement))


def test_every_change_has_an_entry(records):
    case_id = make_entries(records)
    job = jobs.add_job(records, OWNER, [("a", b"a"), ("b", b"b")], {})
    jobs.finish_item(records, job.id, 0, answer={})
    jobs.finish_item(records, job.id, 1, error="bad")
    jobs.delete_job(records, OWNER, job.id)
    key, _ = keys.create_key(records, name="x", scopes=["admin"])
    keys.revoke_key(records, key.id)
    found = [(entry.action, entry.subject, entry.count) for entry in audit.entries(records)]
    assert found == [
        *((action, case_id, 1) for action in ("case.keep", "case.note", "case.lesion", "feedback.add", "case.delete")),
        ("job.add", job.id, 2),
        ("job.done", job.id, 1),
        ("job.failed", job.id, 1),
        ("job.delete", job.id, 2),
        ("key.create", key.id, 1),
        ("key.revoke", key.id, 1),
    ]
    assert audit.verify(records).count == len(found)
    assert audit.entries(records, after=2, limit=1)[0].action == "case.lesion"


def test_the_day_of_a_picture_has_an_entry_without_the_day(records):
    case = keep(records, OWNER, new_case())
    cases.describe(records, OWNER, case.id, taken_on=date(2024, 2, 29))
    last = audit.entries(records)[-1]
    assert (last.action, last.subject, last.count) == ("case.day", case.id, 1)
    assert "2024-02" not in str(last)


def test_what_fails_leaves_no_entry(records):
    def fail():
        with records.writing() as session:
            audit.write(session, "case.keep", OWNER, "x")
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        fail()
    assert audit.verify(records) == audit.Verified(0, audit.START)


@pytest.mark.parametrize("statement", ["UPDATE audit_entries SET owner = 'x'", "DELETE FROM audit_entries"])
def test_the_database_refuses_to_alter_or_remove_an_entry(records, statement):
    make_entries(records)
    with pytest.raises(DBAPIError, match="not altered"), records.engine.begin() as connection:
        connection.execute(text(statement))
    assert audit.verify(records).count == 5


@pytest.mark.parametrize("column", ["at", "owner", "action", "subject", "hash", "previous"])
def test_the_first_changed_entry_is_named(records, column):
    make_entries(records)
    tamper(records, f"UPDATE audit_entries SET {column} = 'x' WHERE sequence IN (3, 5)")
    with pytest.raises(AuditBroken, match="Entry 3 .* changed") as found:
        audit.verify(records)
    assert found.value.sequence == 3


@pytest.mark.parametrize("sequence", [1, 3])
def test_a_removed_entry_is_named(records, sequence):
    make_entries(records)
    tamper(records, f"DELETE FROM audit_entries WHERE sequence = {sequence}")
    with pytest.raises(AuditBroken, match=f"Entry {sequence} .* removed"):
        audit.verify(records)


def test_a_cut_off_end_shows_only_against_a_head_that_was_noted(records):
    make_entries(records)
    noted = audit.verify(records).head
    keep(records, OWNER, new_case())
    assert audit.verify(records, noted=noted).count == 6
    tamper(records, "DELETE FROM audit_entries WHERE sequence >= 4")
    assert audit.verify(records).count == 3
    with pytest.raises(AuditBroken, match="cut off"):
        audit.verify(records, noted=noted)


def test_the_log_holds_nothing_of_what_a_case_contains(records):
    secrets = ["Erika", "left ear", "agreed", "pathologist", "Ward"]
    patient = Patient(31.0, "female", "left ear")
    case = keep(records, OWNER, new_case(note="Erika", lesion="Erika 1", patient=patient, consent="agreed"))
    add_feedback(records, OWNER, case.id, kind="other", label="vasc", comment="pathologist")
    jobs.add_job(records, OWNER, [("Erika.jpg", b"x")], {})
    keys.create_key(records, name="Ward", scopes=["admin"])
    with records.reading() as session:
        rows = json.dumps([list(row) for row in session.execute(text("SELECT * FROM audit_entries"))])
    assert case.id in rows
    assert not [secret for secret in [*secrets, "vasc", case.image_sha256] if secret in rows]
