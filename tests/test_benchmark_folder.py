"""The benchmark of a folder, in small."""

from __future__ import annotations

import pytest

from benchmarks import reader_thread as module
from benchmarks.batch_calls import Call, steady
from benchmarks.batch_run import steady_run
from benchmarks.bound import between, bound
from benchmarks.folder import Kind, against, combined, filled
from benchmarks.folder_peer import rate
from benchmarks.many_pictures import drawn, fill
from benchmarks.peers import Opened
from benchmarks.pictures import SMALL
from benchmarks.reader_thread import reader_thread
from benchmarks.watched import dermalens, printed, watch

CAMERA = (300, 225)


def test_the_calls_of_a_run_give_its_rate_and_the_command_its_memory(tmp_path):
    source = fill(tmp_path / "pictures", 40, drawn(2, CAMERA))
    found = steady_run(source, tmp_path / "steady")
    assert found["images_per_second"] > 0
    assert 0 < found["busy"] <= 1
    assert found["processor_ms_per_image"] > 1
    memory = watch(dermalens("batch", source, tmp_path / "steady")).memory()  # finished: it only reads what is there
    assert memory["peak_mb_of_the_command"] > 10


def test_the_rate_leaves_out_the_start_the_end_and_counts_waiting():
    first = [Call(1, 0, 10, 10), Call(1, 15, 20, 5), Call(1, 20, 30, 10)]
    second = [Call(2, 10, 20, 10), Call(2, 20, 40, 20)]
    found = steady(first + second)  # from 10 to 30: worker 1 waits from 10 to 15
    assert found["images_per_second"] == pytest.approx((5 + 10 + 10 + 10) / 20)
    assert found["busy"] == pytest.approx(35 / 40)
    assert found["end_s"] == 10


def test_workers_that_were_never_at_work_together_give_no_rate():
    with pytest.raises(SystemExit, match="more images"):
        steady([Call(1, 0, 1, 1), Call(2, 2, 3, 1)])


def test_the_share_of_the_bound_is_that_by_the_clock_and_by_processor_time():
    figures = {"processor_ms_per_image": 20.0, "processor_ms_per_image_of_this_process": 5.0, "images_per_second": 45.0}
    around = between(
        {"images_per_second": 40.0, "processor_ms": 20.0}, {"images_per_second": 60.0, "processor_ms": 25.0}
    )
    found = against(figures, around)
    assert found == {"share_of_bound": 0.9, "share_of_bound_by_processor_time": 0.9}


def test_the_bound_of_a_folder_with_two_kinds_is_the_time_that_either_takes():
    slow = {"images_per_second": 10.0, "median_ms": 200.0, "processor_ms": 210.0}
    fast = {"images_per_second": 40.0, "median_ms": 50.0, "processor_ms": 50.0}
    found = combined([slow, fast], [10, 40])  # a second each
    assert found == {"images_per_second": 25.0, "median_ms": 80.0, "processor_ms": 82.0}
    assert combined([slow], [3]) == slow


def test_a_folder_can_have_pictures_of_both_kinds(tmp_path):
    kinds = [Kind("small", CAMERA, 3, 1, 0, 0), Kind("other", (150, 100), 2, 2, 0, 0)]
    source = filled(tmp_path, kinds, [drawn(1, CAMERA), drawn(2, (150, 100))])
    assert len(list(source.rglob("*.jpg"))) == 5
    assert {path.name for path in source.iterdir()} == {"small", "other"}


def test_the_bound_is_that_of_all_cores():
    found = bound(drawn(1, CAMERA), 2)
    assert found["images_per_second"] == pytest.approx(2 / (found["median_ms"] / 1000), rel=1)
    assert found["processor_ms"] > 0


def test_a_peer_is_measured_in_a_loop_and_with_a_loader(tmp_path):
    source = fill(tmp_path / "pictures", 17, drawn(1, CAMERA))
    paths = sorted(source.rglob("*.jpg"))
    seen: list[int] = []
    peer = Opened(lambda data: [len(data)], lambda batch: seen.append(len(batch)))
    counting = Opened(lambda data: Whole(len(data)), peer.run)
    assert rate("loop", counting, paths) > 0
    assert len(seen) == 17


class Whole(int):
    """A picture that can be put into a batch of one."""

    def __getitem__(self, key):
        return [self]


def test_a_reader_thread_is_held_against_none(monkeypatch):
    monkeypatch.setattr(module, "WAITS", {"from_disk": 0.001})
    found = reader_thread(40, rounds=1)
    assert set(found) == {"from_disk"}
    assert found["from_disk"]["ratio"] > 0


def test_drawn_pictures_differ_and_are_linked_again_and_again(tmp_path):
    pictures = drawn(3, SMALL)
    assert len(set(pictures)) == 3
    folder = fill(tmp_path / "pictures", 1001, pictures)
    assert sum(1 for _ in folder.rglob("*.jpg")) == 1001
    assert (folder / "0000" / "0000000.jpg").samefile(folder / "0000" / "0000003.jpg")


def test_a_command_that_fails_says_what_it_said():
    with pytest.raises(SystemExit, match="does not exist"):
        watch(dermalens("batch", "nowhere", "out"))
    with pytest.raises(SystemExit, match="does not exist"):
        printed(dermalens("batch", "nowhere", "out"))
