from __future__ import annotations

import json

from sqlalchemy import text
from typer.testing import CliRunner

from dermalens.cli.audit import app
from dermalens.records.cases import keep
from dermalens.records.errors import AuditBroken, RecordsError
from dermalens.records.place import default_url
from dermalens.records.store import opened
from tests.records.made_case import OWNER, new_case


def run(folder, *words, command="verify"):
    words = [command, *words, "--data-folder", str(folder)]
    return CliRunner().invoke(app, words, env={"DERMALENS_DATABASE_URL": None})


def test_a_whole_log_gives_its_head_to_be_noted(tmp_path):
    with opened(default_url(tmp_path), tmp_path) as records:
        for _ in range(2):
            keep(records, OWNER, new_case())
    found = json.loads(run(tmp_path, "--json").stdout)
    assert found["entries"] == 2
    assert run(tmp_path).stdout == f"2 entries, unbroken\nhead {found['head']}\n"
    assert "Note the head elsewhere" in run(tmp_path).stderr
    assert run(tmp_path, "--noted", found["head"]).exit_code == 0
    assert "cut off" in str(run(tmp_path, "--noted", "f" * 64).exception)


def test_the_entries_are_listed_page_by_page(tmp_path):
    with opened(default_url(tmp_path), tmp_path) as records:
        ids = [keep(records, OWNER, new_case()).id for _ in range(3)]
    whole = json.loads(run(tmp_path, "--json", command="list").stdout)
    assert [(entry["sequence"], entry["action"], entry["owner"], entry["subject"]) for entry in whole] == [
        (number, "case.keep", OWNER, case_id) for number, case_id in enumerate(ids, start=1)
    ]
    first = run(tmp_path, "--limit", "2", command="list")
    assert [line.split()[0] for line in first.stdout.splitlines()] == ["1", "2"]
    assert first.stderr.endswith("dermalens audit list --after 2\n")
    rest = run(tmp_path, "--limit", "2", "--after", "2", command="list")
    assert (rest.stdout.split()[4], rest.stderr) == (ids[2], "")


def test_a_changed_entry_is_named(tmp_path):
    with opened(default_url(tmp_path), tmp_path) as records:
        keep(records, OWNER, new_case())
        with records.engine.begin() as connection:
            connection.execute(text("DROP TRIGGER audit_entries_keep_UPDATE"))
            connection.execute(text("UPDATE audit_entries SET owner = 'x'"))
    error = run(tmp_path).exception
    assert isinstance(error, AuditBroken)
    assert "Entry 1" in str(error)


def test_at_a_place_without_a_record_nothing_is_found_unbroken(tmp_path):
    result = run(tmp_path / "none")
    assert isinstance(result.exception, RecordsError)
    assert result.stdout == ""
    assert str(result.exception) == (
        f"There is no record at {tmp_path / 'none' / 'records.sqlite'}; check --data-folder (DERMALENS_DATA_FOLDER) or "
        "--database-url (DERMALENS_DATABASE_URL)."
    )
    assert not (tmp_path / "none").exists()


def test_the_log_is_verified_without_the_data_folder(tmp_path):
    with opened(default_url(tmp_path), tmp_path) as records:
        keep(records, OWNER, new_case())
    words = ["verify", "--database-url", default_url(tmp_path), "--data-folder", str(tmp_path / "none")]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert not (tmp_path / "none").exists()
