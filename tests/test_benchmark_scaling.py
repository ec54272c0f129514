"""The benchmark of growing folders, in small."""

from __future__ import annotations

from benchmarks import scaling
from benchmarks.scaling import COUNTS_FROM, listing, measure
from benchmarks.watched import Watched

FLAT = {"seconds": 0.0, "peak_mb_of_the_command": 1.0}


def timed(seconds):
    """In the place of a run: so many seconds at each count."""
    return lambda pictures, count: FLAT | {"seconds": seconds(count)}


def test_time_in_line_reaches_the_aim_and_the_start_is_not_counted(monkeypatch):
    monkeypatch.setattr(scaling, "run", timed(lambda count: 3 + 0.01 * (count - 2 * scaling.CORES)))
    found = measure([1000, 10_000], [])
    assert found["start_s"] == 3
    assert found["runs"]["10000"]["relative_to_smallest"] == 1
    assert found["runs"]["1000"]["ms_an_image"] == 10
    assert found["aim_reached"]


def test_time_that_grows_faster_than_the_images_misses_the_aim(monkeypatch):
    monkeypatch.setattr(scaling, "run", timed(lambda count: 0.01 * count**1.1))
    monkeypatch.setenv(COUNTS_FROM, "100,200")
    found = measure(listed=[])
    assert list(found["runs"]) == ["100", "200"]
    assert not found["aim_reached"]


def test_listing_is_timed_and_its_memory_seen():
    found = listing([b"no picture, and not opened"], 50)
    assert found["seconds"] > 0
    assert found["peak_mb_of_the_command"] > 10


def test_memory_is_that_of_the_command_and_of_all_workers():
    resident = tuple((float(10 + number), 100.0) for number in range(20))
    found = Watched(5, resident).memory()
    assert (found["peak_mb_of_the_command"], found["peak_mb_of_its_workers"]) == (29, 100)
    assert found["resident_mb_in_each_tenth"][0] == 110.5
    assert len(found["resident_mb_in_each_tenth"]) == 10


def test_a_run_counts_its_images_and_its_bound(monkeypatch):
    monkeypatch.setattr(scaling, "OF_THE_BOUND", 1)
    found = scaling.run(scaling.drawn(1, (300, 225)), 3)
    assert found["images_per_second"] > 0
    assert found["bound_images_per_second"] > 0
    assert found["peak_mb_of_its_workers"] > 0
