from __future__ import annotations

import json

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from dermalens.cli.keys import app
from dermalens.core.errors import DermaLensError
from dermalens.records.keys import check_key
from dermalens.records.place import default_url
from dermalens.records.store import opened
from dermalens.records.tables import KeyRow


def run(folder, *words):
    return CliRunner().invoke(app, [*words, "--data-folder", str(folder)], env={"DERMALENS_DATABASE_URL": None})


def test_a_key_is_printed_once_alone_on_standard_output_and_opens(tmp_path):
    made = run(tmp_path, "create", "--name", "Ward 3", "--scopes", "predict, records", "--rate-per-minute", "30")
    text = made.stdout.strip()
    with opened(default_url(tmp_path), tmp_path) as records:
        key = check_key(records, text)
    assert (key.name, key.scopes, key.rate_per_minute) == ("Ward 3", ("predict", "records"), 30)
    assert text not in made.stderr
    assert f"dermalens keys revoke {key.id}" in made.stderr


def test_a_revoked_key_is_listed_as_such_and_opens_no_more(tmp_path):
    text = run(tmp_path, "create", "--name", "Ward 3").stdout.strip()
    (listed,) = json.loads(run(tmp_path, "list", "--json").stdout)
    assert (listed["name"], listed["scopes"], listed["revoked"]) == ("Ward 3", ["predict"], None)
    assert "valid" in run(tmp_path, "list").stdout
    assert run(tmp_path, "revoke", listed["id"]).exit_code == 0
    shown = run(tmp_path, "list").stdout
    assert "revoked 2" in shown
    assert text.split("_", 2)[2] not in shown
    with opened(default_url(tmp_path), tmp_path) as records:
        assert check_key(records, text) is None


def test_a_revoked_key_is_renewed_and_its_new_text_is_printed_once(tmp_path):
    old = run(tmp_path, "create", "--name", "Ward 3").stdout.strip()
    key_id = old.split("_")[1]
    run(tmp_path, "revoke", key_id)
    renewed = run(tmp_path, "renew", key_id)
    new = renewed.stdout.strip()
    assert new not in renewed.stderr
    assert f"dermalens keys revoke {key_id}" in renewed.stderr
    with opened(default_url(tmp_path), tmp_path) as records:
        assert check_key(records, new).id == key_id
        assert check_key(records, old) is None
    assert "valid" in run(tmp_path, "list").stdout
    assert "There is no key" in str(run(tmp_path, "renew", "0123").exception)


def test_an_older_name_with_control_characters_is_listed_with_escapes(tmp_path):
    run(tmp_path, "create", "--name", "Ward")
    with opened(default_url(tmp_path), tmp_path) as records, records.writing() as session:
        session.execute(update(KeyRow).values(name="Ward\x1b[31m"))
    assert run(tmp_path, "list").stdout.endswith("Ward\\x1b[31m\n")
    assert json.loads(run(tmp_path, "list", "--json").stdout)[0]["name"] == "Ward\x1b[31m"


def test_mistakes_are_told_in_one_line(tmp_path):
    for words in (["create", "--name", "x", "--scopes", "root"], ["create", "--name", ""], ["revoke", "0123"]):
        error = run(tmp_path, *words).exception
        assert isinstance(error, DermaLensError)
        assert "\n" not in str(error)
    assert "dermalens keys create" in run(tmp_path, "list").stderr


@pytest.mark.parametrize("words", [("list",), ("revoke", "0123"), ("renew", "0123")])
def test_at_a_place_without_a_record_none_is_made(tmp_path, words):
    error = run(tmp_path / "none", *words).exception
    assert isinstance(error, DermaLensError)
    assert str(error).startswith(f"There is no record at {tmp_path / 'none' / 'records.sqlite'}; check --data-folder")
    assert not (tmp_path / "none").exists()
