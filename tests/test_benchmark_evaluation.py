"""The benchmark of a whole evaluation, in small."""

from __future__ import annotations

import pytest

from benchmarks import evaluation
from dermalens.data.index import read_index


def test_the_whole_command_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "DRAWS", 10)
    found = evaluation.measure(images=14)
    assert found["images"] == 14
    assert 0 < sum(found["steps_s"].values()) < found["seconds"]
    assert {"Classifying", "Measuring"} <= set(found["steps_s"])


def test_images_differ_and_come_in_pairs(tmp_path) -> None:
    rows = read_index(evaluation.draw_index(tmp_path, 14))
    assert len({(tmp_path / f"{row.image_id}.jpg").read_bytes() for row in rows}) == 14
    assert len({row.lesion_id for row in rows}) == len({row.label for row in rows}) == 7
