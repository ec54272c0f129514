from __future__ import annotations

import json
import sqlite3

import pytest
from typer.testing import CliRunner

from dermalens.cli.records import app
from dermalens.core.errors import DermaLensError
from dermalens.records.cases import keep
from dermalens.records.place import default_url
from dermalens.records.schema import downgrade
from dermalens.records.store import opened
from tests.records.made_case import OWNER, drawn, new_case


@pytest.fixture
def kept(tmp_path):
    """The folder of a record with one case."""
    with opened(default_url(tmp_path), tmp_path) as records:
        keep(records, OWNER, new_case())
    return tmp_path


def run(folder, *words):
    return CliRunner().invoke(app, [*words, "--data-folder", str(folder)], env={"DERMALENS_DATABASE_URL": None})


def test_status_says_how_much_is_kept(kept):
    found = json.loads(run(kept, "status", "--json").stdout)
    assert (found["schema"], found["needed"]) == ("0003", "0003")
    assert (found["cases"], found["images"], found["audit_entries"], found["keys"]) == (1, 1, 1, 0)
    assert "cases           1" in run(kept, "status").stdout


def test_an_older_schema_is_shown_refused_and_upgraded(kept):
    assert run(kept, "downgrade", "--to", "0001").stdout == "schema 0001\n"
    shown = run(kept, "status")
    assert "0001" in shown.stdout
    assert "dermalens records upgrade" in shown.stderr
    refused = run(kept, "sweep")
    assert isinstance(refused.exception, DermaLensError)
    assert "dermalens records upgrade" in str(refused.exception)
    assert run(kept, "upgrade").stdout == "schema 0003\n"
    assert "Nothing was to be done" in run(kept, "upgrade").stderr
    assert run(kept, "sweep").exit_code == 0


def test_the_way_back_to_nothing_is_refused(kept):
    assert "remove the database itself" in str(run(kept, "downgrade", "--to", "base").exception)
    assert "0001, 0002, 0003" in str(run(kept, "downgrade", "--to", "0009").exception)


def test_purge_and_sweep_say_what_they_removed(kept):
    (kept / "temporary" / "killed").write_bytes(b"half")
    assert run(kept, "purge", "--days", "1").stdout == "0 deleted\n"
    assert run(kept, "sweep").stdout.startswith("0 temporary")
    assert run(kept, "sweep", "--age-seconds", "0").stdout == (
        "1 temporary, 0 images of no case, 0 of no job removed\n"
    )


def test_the_place_comes_from_the_environment(kept, tmp_path):
    url = f"sqlite:///{tmp_path / 'elsewhere.sqlite'}"
    environment = {"DERMALENS_DATABASE_URL": url, "DERMALENS_DATA_FOLDER": str(kept)}
    with opened(url, kept) as records:
        downgrade(records.engine, "0001")
    found = CliRunner().invoke(app, ["status", "--json"], env=environment)
    assert json.loads(found.stdout) == {"schema": "0001", "needed": "0003"}


@pytest.mark.parametrize(
    "words", [("status",), ("purge", "--days", "1"), ("sweep",), ("downgrade", "--to", "0001"), ("backup", "x")]
)
def test_at_a_place_without_a_record_none_is_made(tmp_path, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "records.sqlite").touch()
    for folder in (tmp_path / "none", tmp_path / "empty"):
        error = run(folder, *words).exception
        assert isinstance(error, DermaLensError)
        assert str(error).startswith(f"There is no record at {folder / 'records.sqlite'}; check --data-folder")
    assert not (tmp_path / "none").exists()
    assert [file.stat().st_size for file in (tmp_path / "empty").iterdir()] == [0]


def test_upgrade_makes_a_record_that_can_be_used(tmp_path):
    assert run(tmp_path / "new", "upgrade").exit_code == 0
    assert json.loads(run(tmp_path / "new", "status", "--json").stdout)["images"] == 0
    assert run(tmp_path / "new", "sweep").exit_code == 0


def test_of_a_database_without_a_record_status_says_none(tmp_path):
    with sqlite3.connect(tmp_path / "records.sqlite") as connection:
        connection.execute("CREATE TABLE others (id INTEGER)")
    connection.close()
    shown = run(tmp_path, "status")
    assert shown.stdout.splitlines()[0] == "schema          none"
    assert json.loads(run(tmp_path, "status", "--json").stdout)["schema"] is None
    assert "There is no record at" in str(run(tmp_path, "sweep").exception)


def test_a_backup_is_whole_and_may_be_made_before_an_upgrade(kept, tmp_path):
    run(kept, "downgrade", "--to", "0001")
    copy = tmp_path / "copy" / "records.sqlite"
    copy.parent.mkdir()
    made = run(kept, "backup", str(copy))
    assert made.stdout == f"{copy}\n"
    assert "copy the data folder now" in made.stderr
    assert run(copy.parent, "upgrade").exit_code == 0
    assert json.loads(run(copy.parent, "status", "--json").stdout)["cases"] == 1
    assert "is there already" in str(run(kept, "backup", str(copy)).exception)


def test_status_and_sweep_say_that_the_database_is_older_than_the_folder(kept):
    assert run(kept, "backup", str(kept / "copy")).exit_code == 0
    assert "older" not in run(kept, "status").stderr
    with opened(default_url(kept), kept) as records:
        keep(records, OWNER, new_case(image=drawn("nv")))
    (kept / "copy").replace(kept / "records.sqlite")
    shown = run(kept, "status", "--json")
    assert (shown.exit_code, json.loads(shown.stdout)["cases"]) == (0, 1)
    assert "is older than the data folder" in shown.stderr
    assert "is older than the data folder" in str(run(kept, "sweep", "--age-seconds", "0").exception)
    assert json.loads(run(kept, "status", "--json").stdout)["images"] == 2


@pytest.mark.parametrize("words", [("purge", "--days", "1"), ("sweep",)])
def test_nothing_is_deleted_from_a_data_folder_that_is_not_there(kept, tmp_path, words):
    place = {"DERMALENS_DATABASE_URL": default_url(kept)}
    result = CliRunner().invoke(app, [*words, "--data-folder", str(tmp_path / "none")], env=place)
    assert str(result.exception).startswith(f"There is no data folder at {tmp_path / 'none'}; check --data-folder")
    assert not (tmp_path / "none").exists()
