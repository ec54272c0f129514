"""The benchmark of other ways to the same answer, in small."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.inference_answers import Way, compare
from benchmarks.inference_graphs import (
    BatchOfViews,
    CannotRunError,
    Material,
    imported,
    int8_graph,
    opened_ways,
    tuned,
    unchanged,
)
from benchmarks.inference_paths import answer_ways, measure, promising
from benchmarks.inference_tables import timed
from dermalens.core.taxonomy import CLASSES
from dermalens.data.index import Row
from dermalens.predict.classifier import load
from dermalens.predict.session import Outputs
from tests.tiny_bundle import COLOURS, SIDE, lesion, tiny_graph, write_equipped_bundle, write_tiny_bundle

SQUARES = np.random.default_rng(0).integers(0, 255, (4, SIDE, SIDE, 3), dtype=np.uint8)


class Melanoma:
    """Sees melanoma everywhere, whatever the session behind it says."""

    def __init__(self, session):
        self.session = session

    def run(self, pixels):
        found = self.session.run(pixels)
        return Outputs(np.where(np.arange(7) == 4, 9, 0) + 0 * found.logits, found.embedding, found.heatmaps)


@pytest.fixture
def rows(tmp_path):
    """One image of each diagnosis."""
    found = []
    for code in CLASSES:
        lesion(code).save(tmp_path / f"{code}.png")
        found.append(Row(code, str(tmp_path / f"{code}.png"), code, code, part="test"))
    return found


def test_every_table_has_the_default_and_what_cannot_run_says_why(tmp_path):
    write_equipped_bundle(tmp_path / "bundle")
    found = measure(load(tmp_path / "bundle"), split=tmp_path / "none.csv", repeats=2, sizes={"small": (300, 200)})
    assert found["graph"]["default"]["ratio"] == found["decode"]["small"]["default"]["ratio"] == 1
    assert found["graph"]["int8"] == {"not_run": "there are no images to calibrate with: no split was given"}
    if find_spec("openvino") is None:
        assert found["graph"]["openvino_fp32"] == {"not_run": "not installed: openvino"}
    stages = found["stages"]["small"]
    assert sum(stages["parts_ms"].values()) == pytest.approx(stages["whole_ms"], abs=0.05)
    assert found["peak_memory_mb"]["default"] > 10
    assert found["test_part"] == {}
    assert found["bundle"] == "tiny 1.0"


def test_a_way_to_run_the_graph_is_that_of_every_network(tmp_path):
    write_tiny_bundle(tmp_path / "bundle")
    classifier = load(tmp_path / "bundle")
    materials = [Material(tiny_graph(), None), Material(tiny_graph(), None)]
    made = answer_ways(classifier, materials, ["arena_off"])["graph_arena_off"].make()
    assert len(made.sessions) == 2
    assert not set(made.sessions) & set(classifier.sessions)


def test_a_package_that_is_missing_is_named():
    with pytest.raises(CannotRunError, match="not installed: no_such_package"):
        imported("no_such_package")


def test_ways_that_do_not_run_give_their_reason_and_the_others_run():
    square = SQUARES[:1]
    sessions, refused = opened_ways(Material(tiny_graph(), None), square)
    assert "Conv" in refused["bf16"]
    assert sessions["arena_off"].run(square).logits == pytest.approx(sessions["default"].run(square).logits, abs=1e-4)


@pytest.mark.parametrize("reduced", [None, True])
def test_an_int8_graph_names_the_colours_as_its_original_does(reduced):
    colours = np.array(list(COLOURS.values()), dtype=np.uint8)
    flat = np.broadcast_to(colours[:, None, None], (7, SIDE, SIDE, 3)).copy()
    session = tuned(Material(b"", None), unchanged, int8_graph(Material(tiny_graph(), flat), reduced=reduced))
    assert session.run(flat).logits.argmax(axis=1).tolist() == list(range(7))


def test_two_views_in_one_batch_answer_as_one_after_the_other(tmp_path):
    write_tiny_bundle(tmp_path / "bundle", views=["identity", "turn_180"])
    classifier = load(tmp_path / "bundle")
    batched = replace(classifier, sessions=(BatchOfViews(classifier.sessions[0]),))
    for square in SQUARES:
        assert batched.run(square[None]).logits == pytest.approx(classifier.run(square[None]).logits, abs=1e-5)


def test_the_same_way_changes_no_decision_and_another_one_is_counted(tmp_path, rows):
    write_tiny_bundle(tmp_path / "bundle")
    classifier = load(tmp_path / "bundle")
    other = replace(classifier, sessions=(Melanoma(classifier.sessions[0]),))
    ways = {"default": Way(lambda: classifier), "same": Way(lambda: classifier), "other": Way(lambda: other)}
    found = compare(ways | {"reducing": Way(lambda: classifier, cutter="pillow_reducing_bicubic")}, rows)
    assert found["reducing"]["squares_changed"] == 7
    assert found["same"]["decisions_changed"] == found["same"]["largest_difference_probability"] == 0
    assert (found["other"]["images"], found["other"]["squares_changed"]) == (7, 0)
    assert found["other"]["diagnoses_changed"] == 6
    assert found["other"]["decisions_changed"] == 3  # df, nv and vasc; bkl has enough of bcc to be referred either way
    assert found["other"]["balanced_accuracy"]["value"] < found["default"]["balanced_accuracy"]["value"] == 1


def test_a_ratio_is_that_of_the_same_round():
    ticks = iter([0, 1, 0, 2, 0, 1, 0, 2, 0, 100, 0, 200, 0, 1, 0, 2, 0, 1, 0, 2])
    found = timed({"default": lambda: None, "twice": lambda: None}, 3, clock=lambda: next(ticks))
    assert found == {"default": {"ms": 1000, "ratio": 1}, "twice": {"ms": 2000, "ratio": 2}}


def test_only_a_faster_way_within_the_tolerance_is_promising():
    def table(**figures):
        return {
            name: {"ratio": ratio, "largest_difference_probability": apart, "ms": 1}
            for name, (ratio, apart) in figures.items()
        }

    small = table(default=(1, 0), slow=(1.2, 0), near=(0.5, 1e-4), far=(0.5, 1e-4)) | {"gone": {"not_run": "reason"}}
    large = table(default=(1, 0), slow=(1.1, 0), near=(1, 1e-4), far=(0.5, 2e-3)) | {"gone": {"not_run": "reason"}}
    assert promising({"small": small, "large": large}) == ["near"]
