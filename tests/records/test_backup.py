from __future__ import annotations

import shutil
import sqlite3

import pytest

from dermalens.records import audit, cases
from dermalens.records.backup import backup
from dermalens.records.errors import RecordsError
from dermalens.records.retention import Swept, sweep
from dermalens.records.store import opened
from tests.records.databases import fresh_database
from tests.records.made_case import OWNER, drawn, new_case


def test_a_copy_has_all_that_was_kept_in_one_file_that_only_its_owner_reads(on_sqlite, tmp_path):
    case = cases.keep(on_sqlite, OWNER, new_case())
    with on_sqlite.writing() as session:  # a server is at work
        audit.write(session, "case.note", OWNER, case.id)
        backup(on_sqlite, tmp_path / "copy.sqlite")
    assert [file.name for file in tmp_path.glob("copy*")] == ["copy.sqlite"]
    assert (tmp_path / "copy.sqlite").stat().st_mode & 0o777 == 0o600
    shutil.copytree(tmp_path / "record", tmp_path / "folder", ignore=shutil.ignore_patterns("test.sqlite3*"))
    with opened(f"sqlite:///{tmp_path / 'copy.sqlite'}", tmp_path / "folder") as restored:
        assert cases.find(restored, OWNER, case.id) == case
        assert cases.image_of(restored, OWNER, case.id)
        assert sweep(restored, age_seconds=0) == Swept(0, 0, 0)


def test_a_case_kept_between_the_two_copies_is_seen_and_no_image_of_a_copied_case_is_missing(on_sqlite, tmp_path):
    case = cases.keep(on_sqlite, OWNER, new_case())
    backup(on_sqlite, tmp_path / "copy.sqlite")
    cases.keep(on_sqlite, OWNER, new_case(image=drawn("nv")))
    shutil.copytree(tmp_path / "record", tmp_path / "folder", ignore=shutil.ignore_patterns("test.sqlite3*"))
    with opened(f"sqlite:///{tmp_path / 'copy.sqlite'}", tmp_path / "folder") as restored:
        with pytest.raises(RecordsError, match="older than the data folder"):
            sweep(restored, age_seconds=0)
        assert cases.image_of(restored, OWNER, case.id)


def test_a_copy_replaces_nothing(on_sqlite, tmp_path):
    target = tmp_path / "copy.sqlite"
    target.write_bytes(b"of last week")
    with pytest.raises(RecordsError, match="is there already"):
        backup(on_sqlite, target)
    assert target.read_bytes() == b"of last week"
    (tmp_path / "link.sqlite").symlink_to(tmp_path / "nowhere")
    with pytest.raises(RecordsError, match="is there already"):
        backup(on_sqlite, tmp_path / "link.sqlite")


def test_a_copy_that_fails_leaves_nothing(on_sqlite, tmp_path, monkeypatch):
    with pytest.raises(RecordsError, match="No such file or directory"):
        backup(on_sqlite, tmp_path / "none" / "copy.sqlite")
    assert not (tmp_path / "none").exists()
    monkeypatch.setattr("dermalens.records.backup.os.fsync", full)
    with pytest.raises(RecordsError, match="No space left"):
        backup(on_sqlite, tmp_path / "copy.sqlite")
    monkeypatch.setattr("dermalens.records.backup.sqlite3.connect", full_database)
    with pytest.raises(RecordsError, match="database or disk is full"):
        backup(on_sqlite, tmp_path / "copy.sqlite")
    assert list(tmp_path.glob("copy*")) == []


def full(_):
    raise OSError(28, "No space left on device")


def full_database(_):
    raise sqlite3.OperationalError("database or disk is full")


def test_of_postgresql_its_own_tool_is_named(tmp_path):
    with (
        fresh_database("postgresql", tmp_path) as url,
        opened(url, tmp_path / "record") as records,
        pytest.raises(RecordsError, match="pg_dump"),
    ):
        backup(records, tmp_path / "copy.sqlite")
    assert not (tmp_path / "copy.sqlite").exists()
