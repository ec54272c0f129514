from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from dermalens.cli.records import app
from dermalens.core.errors import DermaLensError
from dermalens.records.cases import keep
from dermalens.records.place import default_url
from dermalens.records.schema import downgrade
from dermalens.records.store import opened
from tests.records.made_case import OWNER, new_case


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
