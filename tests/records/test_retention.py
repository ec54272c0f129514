from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dermalens.records import audit, cases
from dermalens.records.bounds import MOST_DAYS
from dermalens.records.cases import Wanted, keep
from dermalens.records.errors import BadValue, RecordsError
from dermalens.records.images import only_pixels
from dermalens.records.jobs import add_job, find_job, finish_item, next_item
from dermalens.records.keys import create_key
from dermalens.records.retention import Swept, purge, sweep
from dermalens.records.store import opened
from tests.records.databases import fresh_database
from tests.records.made_case import OWNER, drawn, files, new_case


def later(**interval):
    return datetime.now(UTC) + timedelta(**interval)


def test_purge_deletes_by_age_cases_of_every_owner_and_finished_jobs(records):
    for owner in (OWNER, "0123456789ab"):
        keep(records, owner, new_case(lesion="arm"))
    done, waiting = (add_job(records, OWNER, [("a", b"a")], {}) for _ in range(2))
    finish_item(records, done.id, 0, answer={})
    assert purge(records, days=30, now=later(days=29)) == 0
    assert purge(records, days=30, now=later(days=31)) == 3
    assert cases.search(records, OWNER, Wanted()).cases == ()
    assert find_job(records, OWNER, waiting.id).state == "waiting"
    assert files(records) == {f"{waiting.id}-0"}
    actions = [entry.action for entry in audit.entries(records)]
    assert (actions.count("case.purge"), actions.count("job.purge")) == (2, 1)
    audit.verify(records)


def test_purge_keeps_an_image_that_a_younger_case_has(records):
    keep(records, OWNER, new_case())
    border = datetime.now(UTC)
    young = keep(records, OWNER, new_case())
    assert purge(records, days=1, now=border + timedelta(days=1)) == 1
    assert cases.image_of(records, OWNER, young.id)


def test_purge_of_more_than_one_batch_deletes_all(on_sqlite, monkeypatch):
    monkeypatch.setattr("dermalens.records.retention._BATCH", 2)
    for _ in range(5):
        keep(on_sqlite, OWNER, new_case())
    assert purge(on_sqlite, days=1, now=later(days=2)) == 5
    assert files(on_sqlite) == set()


def after(count):
    """Says that it is to stop when it has been asked that often."""
    left = iter(range(count))
    return lambda: next(left, None) is None


@pytest.mark.parametrize("asked", range(4))
def test_a_purge_that_is_stopped_leaves_a_whole_record_and_goes_on_next_time(records, monkeypatch, asked):
    monkeypatch.setattr("dermalens.records.retention._BATCH", 2)
    for code in ("mel", "nv", "bcc", "df", "vasc"):
        keep(records, OWNER, new_case(image=drawn(code)))
    purged = purge(records, days=1, now=later(days=2), is_stopped=after(asked))
    left = cases.search(records, OWNER, Wanted()).cases
    assert (purged, len(left)) == (min(2 * asked, 5), 5 - purged)
    assert files(records) == {f"{case.image_sha256}.png" for case in left}
    assert audit.verify(records).count == 5 + purged
    assert purge(records, days=1, now=later(days=2)) == len(left)
    assert files(records) == set()


def test_a_purge_that_is_stopped_after_the_cases_leaves_the_jobs(on_sqlite):
    keep(on_sqlite, OWNER, new_case())
    job = add_job(on_sqlite, OWNER, [("a", b"a")], {})
    finish_item(on_sqlite, job.id, 0, answer={})
    assert [purge(on_sqlite, days=1, now=later(days=2), is_stopped=after(asked)) for asked in (2, 0, 2)] == [1, 0, 1]


@pytest.mark.parametrize("asked", range(0, 18, 3))
def test_a_janitor_who_is_stopped_leaves_the_rest_for_the_next_round(records, asked):
    case = keep(records, OWNER, new_case())
    sweep(records)
    for code in ("nv", "bcc", "df"):
        records.images.put(only_pixels(drawn(code)))
        (records.images.temporary / code).touch()
        (records.spool / f"{code}-0").touch()
    swept = sweep(records, age_seconds=0, is_stopped=after(asked))
    removed = swept.temporary + swept.orphans + swept.spooled
    assert len(files(records)) == 10 - removed
    assert removed <= asked
    rest = sweep(records, age_seconds=0)
    assert removed + rest.temporary + rest.orphans + rest.spooled == 9
    assert cases.image_of(records, OWNER, case.id)


@pytest.mark.parametrize("days", [-1, 0, MOST_DAYS + 1, 10**9])
def test_a_retention_of_no_days_or_of_more_than_there_are_is_refused(records, days):
    keep(records, OWNER, new_case())
    with pytest.raises(BadValue, match="needed is 1 to 36,500"):
        purge(records, days=days)
    assert purge(records, days=MOST_DAYS) == 0


def test_the_janitor_removes_what_nobody_refers_to_when_it_is_old(records):
    case = keep(records, OWNER, new_case())
    job = add_job(records, OWNER, [("a", b"a")], {})
    orphan = records.images.put(only_pixels(drawn("nv")))
    (records.images.temporary / "killed").write_bytes(b"half")
    (records.spool / f"{'0' * 32}-0").write_bytes(b"of no job")
    before = files(records)
    assert sweep(records) == Swept(0, 0, 0)
    assert files(records) == before
    assert sweep(records, now=later(seconds=61)) == Swept(1, 1, 1)
    assert files(records) == {f"{case.image_sha256}.png", f"{job.id}-0"}
    assert not records.images.has(orphan)
    assert next_item(records)[2] == b"a"


def test_a_case_whose_image_was_swept_before_its_row_came_gets_it_again(records):
    """The janitor between the first write and the commit: as a reader of the image would, look for it at the end."""
    sweep(records)  # as the server does when it starts
    store = records.images
    png = only_pixels(drawn())
    sha256 = store.put(png)
    sweep(records, age_seconds=0)
    assert not store.has(sha256)
    case = keep(records, OWNER, new_case())
    assert cases.image_of(records, OWNER, case.id) == png


def test_the_janitor_deletes_nothing_of_another_database(records, tmp_path):
    case = keep(records, OWNER, new_case())
    add_job(records, OWNER, [("a", b"a")], {})
    before = files(records)
    (tmp_path / "empty").mkdir()
    with (
        fresh_database("sqlite", tmp_path / "empty") as url,
        opened(url, tmp_path / "record") as other,
        pytest.raises(RecordsError, match="belongs to another database"),
    ):
        sweep(other, age_seconds=0)
    assert files(records) == before
    sweep(records, age_seconds=0)
    assert cases.image_of(records, OWNER, case.id)
    (tmp_path / "later").mkdir()
    with fresh_database("sqlite", tmp_path / "later") as url, opened(url, tmp_path / "record") as other:
        create_key(other, name="desk", scopes=["predict"])
        with pytest.raises(RecordsError, match="Nothing was deleted"):
            sweep(other, age_seconds=0)
    assert files(records) == before


def test_a_folder_that_was_empty_belongs_to_the_first_database_that_swept_it(on_sqlite, tmp_path):
    assert sweep(on_sqlite) == Swept(0, 0, 0)
    assert [entry.action for entry in audit.entries(on_sqlite)] == ["record.begin"]
    on_sqlite.images.put(only_pixels(drawn("nv")))  # of somebody who was killed before the row
    assert sweep(on_sqlite, age_seconds=0) == Swept(0, 1, 0)
    assert len(audit.entries(on_sqlite)) == 1
