"""A folder that the database has never seen, although it has images: it is another one, or they are lost."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from dermalens.records import cases, jobs
from dermalens.records.errors import RecordsError
from dermalens.records.own import MARK, refuse_wrong_folder
from dermalens.records.retention import Swept, purge, sweep
from dermalens.records.store import opened
from tests.records.databases import fresh_database
from tests.records.made_case import OWNER, drawn, new_case

EMPTY = "has none of the images that the database knows"


@pytest.fixture
def elsewhere(records, url, tmp_path):
    """The same database with another, empty folder."""
    with opened(url, tmp_path / "else where") as other:
        yield other


def mark_of(records):
    return records.spool.parent / MARK


def test_a_folder_without_the_images_of_the_database_is_not_taken_as_its_own(records, elsewhere):
    sweep(records)
    case = cases.keep(records, OWNER, new_case())
    for call in (refuse_wrong_folder, sweep, lambda wrong: purge(wrong, days=1)):
        with pytest.raises(RecordsError, match=EMPTY) as refused:
            call(elsewhere)
        assert "\n" not in str(refused.value)
        assert str(elsewhere.spool.parent) not in refused.value.public
    assert not mark_of(elsewhere).exists()
    refuse_wrong_folder(records)
    assert cases.image_of(records, OWNER, case.id)


def test_an_item_is_not_lost_because_the_folder_is_the_wrong_one(records, elsewhere):
    job = jobs.add_job(records, OWNER, [("a", b"first")], {})
    with pytest.raises(RecordsError, match=EMPTY):
        jobs.next_item(elsewhere)
    with pytest.raises(RecordsError, match=EMPTY):
        sweep(elsewhere)
    assert jobs.find_job(records, OWNER, job.id).state == "waiting"
    assert jobs.next_item(records)[2] == b"first"


def test_where_the_images_are_lost_the_line_of_the_error_lets_the_record_go_on(records, elsewhere):
    case = cases.keep(records, OWNER, new_case())
    job = jobs.add_job(records, OWNER, [("a", b"first")], {})
    shutil.rmtree(records.spool.parent / "images")
    with pytest.raises(RecordsError) as refused:
        refuse_wrong_folder(elsewhere)
    line = re.search(r"type: (echo .*)$", str(refused.value))
    subprocess.run(["sh", "-c", line[1]], check=True)
    refuse_wrong_folder(elsewhere)
    assert sweep(elsewhere) == Swept(0, 0, 0)
    assert jobs.next_item(elsewhere) is None
    assert jobs.find_job(elsewhere, OWNER, job.id).items[0].state == "failed"
    cases.delete(elsewhere, OWNER, case.id)


def test_the_line_may_be_typed_in_a_shell_that_writes_two_bytes_a_letter(records, elsewhere):
    sweep(records)
    cases.keep(records, OWNER, new_case())
    mark_of(elsewhere).write_text(mark_of(records).read_text(), encoding="utf-16")
    refuse_wrong_folder(elsewhere)


def test_no_line_lets_a_database_take_the_folder_of_another(records, tmp_path):
    cases.keep(records, OWNER, new_case())
    (tmp_path / "other").mkdir()
    with fresh_database("sqlite", tmp_path / "other") as url:
        with opened(url, tmp_path / "other") as other:
            cases.keep(other, OWNER, new_case(image=drawn("nv")))
        with opened(url, tmp_path / "record") as wrong:
            for _ in ("without a mark", "with its own"):
                with pytest.raises(RecordsError, match="belongs to another database") as refused:
                    refuse_wrong_folder(wrong)
                assert "echo" not in str(refused.value)
                sweep(records)


def test_a_new_record_and_two_servers_that_share_one_are_taken(records, url, tmp_path):
    with opened(url, tmp_path / "record") as second:
        refuse_wrong_folder(second)
        cases.keep(records, OWNER, new_case())
        refuse_wrong_folder(second)
        assert sweep(second) == sweep(records) == Swept(0, 0, 0)


def test_one_image_that_is_there_is_enough_to_know_the_folder_by(records):
    cases.keep(records, OWNER, new_case())
    lost = cases.keep(records, OWNER, new_case(image=drawn("nv")))
    records.images.path_of(lost.image_sha256).unlink()
    assert not mark_of(records).exists()
    refuse_wrong_folder(records)
