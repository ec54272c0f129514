"""The benchmark of the Ray engine, in small."""

from __future__ import annotations

import pytest

from benchmarks import ray_engine
from benchmarks.batch_run import steady_run
from benchmarks.many_pictures import drawn, fill
from benchmarks.watched import Watched


def test_the_actors_of_ray_note_their_calls_as_the_workers_do(tmp_path):
    pytest.importorskip("ray")
    source = fill(tmp_path / "pictures", 96, drawn(2, (300, 225)))
    found = steady_run(source, tmp_path / "out", engine="ray")
    assert found["images_per_second"] > 0
    assert 0 < found["busy"] <= 1
    assert len(list((tmp_path / "out").glob("part-*.parquet"))) == 1


def test_ray_is_held_against_the_local_runs_around_it(monkeypatch):
    steady, seconds = iter([40.0, 36.0, 50.0]), iter([2.0, 5.0, 3.0])
    monkeypatch.setattr(ray_engine, "steady_run", lambda *_, **__: {"images_per_second": next(steady)})
    monkeypatch.setattr(ray_engine, "watch", lambda command: Watched(next(seconds), ((100.0, 300.0),)))
    found = ray_engine.measure(12, 1)
    assert found["ray_share_of_local"] == {"whole_command": 0.48, "steady": 0.8}
    assert found["aim_reached"]
    assert found["whole_command"]["ray"] == [{"seconds": 5.0, "images_per_second": 2.4, "peak_mb": 400.0}]
