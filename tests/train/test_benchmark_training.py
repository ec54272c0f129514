"""The benchmarks of training and of a million rows, in small."""

from __future__ import annotations

from pathlib import Path

from benchmarks import million_rows, training
from benchmarks.evaluation import draw_index
from dermalens.data.index import read_index


def test_real_and_synthetic_training_are_timed_side_by_side(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(training, "TURNS", {"cpu": 1, "cuda": 1})
    case = training.Case("tiny", 64, on_cpu=(7, 2), on_gpu=(7, 2))
    files = read_index(draw_index(tmp_path, 56))
    for decoded in ("", str(tmp_path / "decoded")):
        found = training.measure_case(case, files, tmp_path, decoded=decoded)
        assert found["batch"] == 7
        assert float(found["ratio"]) > 0
        assert float(found["real_images_per_second"]) > 0


def test_each_command_on_made_up_rows_is_timed_and_its_memory_taken(tmp_path: Path) -> None:
    million_rows.draw_files(tmp_path, 14)
    found = million_rows._commands(tmp_path, 280)
    assert list(found) == ["index", "split", "audit"]
    assert all(20 < run["peak_mib"] < 500 and run["seconds"] > 0 for run in found.values())
    assert len(read_index(tmp_path / "split.csv")) == 280


def test_growth_is_one_when_time_follows_the_rows() -> None:
    assert million_rows._growth([10, 20, 50], [3.0, 5.0, 11.0]) == 1.0
    assert million_rows._growth([10, 20, 40], [1.0, 4.0, 16.0]) == 2.0
