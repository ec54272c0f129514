from __future__ import annotations

import pytest

from dermalens.records import jobs
from dermalens.records.errors import BadValue, NotKept, RecordsError
from dermalens.records.retention import Swept, sweep
from dermalens.records.store import opened, spool_path
from tests.records.made_case import OWNER, files

IMAGES = [("a.jpg", b"first"), ("b.jpg", b"second")]


def test_a_job_waits_runs_and_is_done(records):
    job = jobs.add_job(records, OWNER, IMAGES, {"outline": True})
    assert (job.state, [(item.number, item.name, item.state) for item in job.items]) == (
        "waiting",
        [(0, "a.jpg", "waiting"), (1, "b.jpg", "waiting")],
    )
    assert jobs.next_item(records) == (job.id, 0, b"first", {"outline": True}, OWNER)
    jobs.finish_item(records, job.id, 0, answer={"diagnosis": "nv"})
    assert jobs.find_job(records, OWNER, job.id).state == "running"
    assert jobs.next_item(records) == (job.id, 1, b"second", {"outline": True}, OWNER)
    jobs.finish_item(records, job.id, 1, error="The file is cut off.")
    done = jobs.find_job(records, OWNER, job.id)
    assert done.state == "done"
    assert [(item.state, item.answer, item.error) for item in done.items] == [
        ("done", {"diagnosis": "nv"}, None),
        ("failed", None, "The file is cut off."),
    ]
    assert jobs.next_item(records) is None


def test_an_answered_image_is_deleted_and_the_others_wait_on(records):
    job = jobs.add_job(records, OWNER, IMAGES, {})
    assert len(files(records)) == 2
    jobs.finish_item(records, job.id, 0, answer={})
    assert files(records) == {f"{job.id}-1"}


def test_a_job_survives_the_server(url, tmp_path):
    folder = tmp_path / "record"
    with opened(url, folder) as before:
        job = jobs.add_job(before, OWNER, IMAGES, {})
        jobs.next_item(before)
    with opened(url, folder) as after:
        assert jobs.next_item(after)[:3] == (job.id, 0, b"first")


def test_jobs_are_answered_in_the_order_they_came_and_what_is_in_hand_is_passed_over(records):
    first, second = (jobs.add_job(records, OWNER, IMAGES, {}) for _ in range(2))
    hand = []
    while found := jobs.next_item(records, in_hand=hand):
        hand.append(found[:2])
    assert hand == [(first.id, 0), (first.id, 1), (second.id, 0), (second.id, 1)]


def test_an_item_finished_twice_keeps_its_first_answer(records):
    job = jobs.add_job(records, OWNER, IMAGES, {})
    jobs.finish_item(records, job.id, 0, answer={"first": 1})
    jobs.finish_item(records, job.id, 0, error="late")
    jobs.finish_item(records, "0" * 32, 0, error="of no job")
    assert jobs.find_job(records, OWNER, job.id).items[0].answer == {"first": 1}
    with pytest.raises(BadValue):
        jobs.finish_item(records, job.id, 1)


def test_a_lost_image_fails_its_item_and_the_next_one_has_its_turn(records):
    job = jobs.add_job(records, OWNER, IMAGES, {})
    spool_path(records, job.id, 0).unlink()
    assert jobs.next_item(records)[:2] == (job.id, 1)
    item = jobs.find_job(records, OWNER, job.id).items[0]
    assert (item.state, item.error) == ("failed", "The image was lost before its turn came. Send it again.")


def test_a_deleted_job_takes_its_images_along(records):
    job = jobs.add_job(records, OWNER, IMAGES, {})
    with pytest.raises(NotKept):
        jobs.delete_job(records, "0123456789ab", job.id)
    jobs.delete_job(records, OWNER, job.id)
    assert files(records) == set()
    assert jobs.next_item(records) is None
    with pytest.raises(NotKept):
        jobs.find_job(records, OWNER, job.id)


def test_a_job_that_could_not_be_taken_leaves_no_image(records):
    records.spool.rmdir()
    records.spool.write_bytes(b"in the way")
    with pytest.raises(RecordsError, match="data folder"):
        jobs.add_job(records, OWNER, IMAGES, {})
    assert jobs.next_item(records) is None
    assert files(records) == set()
    with pytest.raises(BadValue, match="no image"):
        jobs.add_job(records, OWNER, [], {})


def test_the_same_job_once_more_is_the_first_one(records):
    first = jobs.add_job(records, OWNER, IMAGES, {}, job_id="a" * 32)
    jobs.finish_item(records, first.id, 0, answer={"diagnosis": "nv"})
    again = jobs.add_job(records, OWNER, IMAGES, {}, job_id="a" * 32)
    assert (again.id, [item.state for item in again.items]) == (first.id, ["done", "waiting"])
    assert files(records) == {f"{first.id}-1"}  # no picture comes back that is answered, none that waits goes
    with pytest.raises(BadValue, match="is taken"):
        jobs.add_job(records, "somebody else", IMAGES, {}, job_id="a" * 32)
    assert jobs.next_item(records)[:3] == (first.id, 1, b"second")
    with pytest.raises(BadValue, match="needed are 32 digits"):
        jobs.add_job(records, OWNER, IMAGES, {}, job_id="../" + "a" * 29)


def test_a_job_that_cannot_be_taken_once_more_loses_no_image_of_the_first(records, monkeypatch):
    first = jobs.add_job(records, OWNER, IMAGES, {}, job_id="b" * 32)
    with monkeypatch.context() as patch:
        patch.setattr(type(records), "writing", lambda self: (_ for _ in ()).throw(RecordsError("away")))
        with pytest.raises(RecordsError, match="away"):
            jobs.add_job(records, OWNER, IMAGES, {}, job_id="b" * 32)
    assert files(records) == {f"{first.id}-0", f"{first.id}-1"}


def test_images_that_a_sweep_took_before_their_job_was_written_are_written_anew(records, monkeypatch):
    writing, swept = type(records).writing, []
    sweep(records)  # the folder is the database's from here on

    def after_a_sweep(self):
        monkeypatch.undo()
        swept.append(sweep(self, age_seconds=-60))
        return writing(self)

    monkeypatch.setattr(type(records), "writing", after_a_sweep)
    job = jobs.add_job(records, OWNER, IMAGES, {})
    assert swept == [Swept(temporary=0, orphans=0, spooled=2)]
    assert files(records) == {f"{job.id}-0", f"{job.id}-1"}
    assert jobs.next_item(records)[:3] == (job.id, 0, b"first")
