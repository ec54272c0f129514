"""The benchmark of the parts of an answer, in small."""

from __future__ import annotations

import io

from benchmarks.answer_parts import in_turns, measure
from dermalens.predict.classifier import load
from tests.tiny_bundle import mole, write_equipped_bundle


def test_each_part_is_timed_beside_the_plain_answer(tmp_path):
    write_equipped_bundle(tmp_path / "bundle")
    stream = io.BytesIO()
    mole().save(stream, "PNG")
    found = measure(load(tmp_path / "bundle"), stream.getvalue(), repeats=2)
    assert set(found["median_ms"]) == {"plain", "gate", "heatmap", "outline_and_measures", "all"}
    assert all(value > 0 for value in found["median_ms"].values())
    assert set(found["added_per_cent"]) == set(found["median_ms"]) - {"plain"}
    assert found["has_gate"]
    assert found["outline_found"]


def test_the_warm_up_is_not_counted_and_calls_take_turns():
    turns: list[str] = []
    found = in_turns({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, repeats=2, warm_up=1)
    assert turns == ["a", "b"] * 3
    assert set(found) == {"a", "b"}
