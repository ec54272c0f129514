"""The benchmark of the Ray engine, in small."""

from __future__ import annotations

import pytest

from benchmarks.ray_engine import measure

pytest.importorskip("ray")


def test_ray_is_held_against_the_local_engine_over_the_same_folder():
    found = measure(96, 2)
    for what in ("whole_command", "steady"):
        assert len(found[what]["local"]) == 2
        local = sorted(run["images_per_second"] for run in found[what]["local"])
        ray = found[what]["ray"][0]["images_per_second"]
        assert found["ray_share_of_local"][what] == pytest.approx(ray / (sum(local) / 2), abs=0.01)
    assert found["whole_command"]["ray"][0]["peak_mb"] > 100
