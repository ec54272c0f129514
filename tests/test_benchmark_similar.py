"""The benchmark of similar cases: figures worked out by hand, and a run in small."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import similar
from benchmarks.similar import Embedded, figures, judged, nearest, speed
from dermalens.data.index import Row


def images(labels: str, *, first_lesion: int = 0) -> Embedded:
    """Images on a quarter circle, one after the other, each of its own lesion."""
    angles = np.linspace(0, np.pi / 2, len(labels))
    rows = [
        Row(f"image_{place}", "", {"m": "mel", "n": "nv"}[label], f"lesion_{first_lesion + place}")
        for place, label in enumerate(labels)
    ]
    return Embedded(rows, np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similar, "DEFAULT_COUNT", 2)
    monkeypatch.setattr(similar, "DIRECTIONS", (1, 2))
    monkeypatch.setattr(similar, "DRAWS", 20)


def test_the_lesion_that_asks_is_not_among_its_neighbours() -> None:
    line = images("mmmnnn")
    assert [sorted(found) for found in nearest(line, line, None).tolist()] == [
        [1, 2],
        [0, 2],
        [1, 3],
        [2, 4],
        [3, 5],
        [3, 4],
    ]


def test_figures_of_neighbours_are_those_worked_out_by_hand() -> None:
    line = images("mmmnnn")
    found = figures(line, line, nearest(line, line, None))
    assert found["same_label"]["value"] == pytest.approx(10 / 12, abs=1e-4)
    assert found["same_label_by_class"]["mel"]["value"] == pytest.approx(5 / 6, abs=1e-4)
    assert found["same_label_by_class"]["mel"]["n"] == 3
    assert found["malignant_share_auc"]["value"] == pytest.approx(8.5 / 9, abs=1e-4)


def test_in_all_directions_no_neighbour_is_lost_and_in_one_some_are() -> None:
    result = judged(images("mnmnmn"), images("mmnnmmnn", first_lesion=100))
    assert result["directions_2"]["recall_of_the_whole"]["value"] == 1
    assert result["directions_1"]["recall_of_the_whole"]["value"] < 1


def test_the_speed_is_that_of_a_gallery_read_from_a_file() -> None:
    found = speed(300)
    assert found["directions"] == 1280
    assert found["file_mb"] == pytest.approx(300 * 1280 * 2 / 1e6, abs=0.1)
    assert found["wall_ms"] > 0
