from __future__ import annotations

from pathlib import Path

import pytest

from dermalens.records.database import make_engine, no_record
from dermalens.records.errors import RecordsError
from dermalens.records.place import default_folder, default_url
from dermalens.records.store import open_existing


def test_the_usual_place_is_in_the_folder_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "dermalens"


@pytest.mark.parametrize("name", ["plain", "with blank", "100%", "a?b#c", "ümlaut"])
def test_the_usual_url_leads_to_a_file_in_any_folder(tmp_path, name):
    folder: Path = tmp_path / name
    engine = make_engine(default_url(folder))
    with engine.connect():
        assert [path.name for path in folder.glob("*.sqlite")] == ["records.sqlite"]
    engine.dispose()


def test_an_empty_database_is_no_record(url, tmp_path):
    with pytest.raises(RecordsError, match="There is no record at"):
        open_existing(url, tmp_path / "record")
    assert not (tmp_path / "record").exists()


def test_the_error_of_a_missing_record_has_no_password():
    shown = str(no_record("postgresql://user:secret@host/database"))
    assert "at postgresql+psycopg://user:***@host/database; check" in shown
    assert "secret" not in shown
