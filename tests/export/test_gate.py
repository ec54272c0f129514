from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermalens.core.bundlefile import read_bundle, write_bundle
from dermalens.core.errors import DataError, ExportError
from dermalens.data.split import read_split
from dermalens.export.gate import check_gate_parity, fit_gate, gate_to_onnx
from dermalens.export.gate_fit import FittedGate, accepted_share, fit, on_common_scale, threshold_for
from dermalens.export.gate_pictures import Counts, GateData, photo_kinds
from dermalens.export.not_lesions import is_for_fitting
from dermalens.predict.classifier import load
from tests.drawn_lesions import draw_split
from tests.tiny_bundle import write_tiny_bundle

WIDTH = 12


def clouds(count, *, seed):
    """Embeddings of lesion images, and of others that lie elsewhere."""
    random = np.random.default_rng(seed)
    lesions = random.uniform(0, 1, (count, WIDTH)) + np.eye(WIDTH)[0] * 2
    return lesions, random.uniform(0, 1, (count, WIDTH)) + np.eye(WIDTH)[1] * 2


def fitted():
    return on_common_scale(fit(*clouds(200, seed=1)), clouds(200, seed=2)[0])


def test_other_pictures_are_refused_and_lesions_accepted():
    gate, (lesions, others) = fitted(), clouds(100, seed=3)
    threshold = threshold_for(gate.scores(clouds(200, seed=2)[0]))
    assert (gate.scores(lesions) >= threshold).mean() > 0.95
    assert (gate.scores(others) >= threshold).mean() == 0


def test_a_score_is_a_half_at_the_threshold_and_higher_at_the_median():
    scores = fitted().scores(clouds(200, seed=2)[0])
    assert threshold_for(scores) == pytest.approx(0.5, abs=0.05)
    assert np.median(scores) == pytest.approx(1 / (1 + np.exp(-1)))


def test_the_threshold_is_the_highest_that_accepts_99_of_100():
    scores = np.random.default_rng(4).random(1000)
    assert (scores >= threshold_for(scores)).sum() == 991


def test_the_graph_gives_what_numpy_gives_also_without_any_activity():
    gate = fitted()
    embeddings = np.concatenate([*clouds(50, seed=5), np.zeros((1, WIDTH))])
    assert check_gate_parity(gate_to_onnx(gate), gate, embeddings) < 1e-5


def test_the_same_gate_gives_the_same_bytes():
    assert gate_to_onnx(fitted()) == gate_to_onnx(fitted())


def test_a_graph_of_other_figures_is_refused():
    gate = fitted()
    other = gate_to_onnx(FittedGate(gate.weights, gate.bias + 0.01))
    with pytest.raises(ExportError, match="differs from its figures"):
        check_gate_parity(other, gate, clouds(5, seed=6)[0])


def test_too_few_pictures_are_refused():
    lesions, others = clouds(30, seed=7)
    with pytest.raises(DataError, match="19 pictures without a lesion for fitting; at least 20"):
        fit(lesions, others[:19])


def test_the_interval_is_wilsons():
    figure = accepted_share(np.arange(10) < 9)
    assert (figure.value, figure.n) == (0.9, 10)
    assert (figure.low, figure.high) == (pytest.approx(0.5958, abs=1e-4), pytest.approx(0.9821, abs=1e-4))
    assert accepted_share(np.zeros(0, dtype=bool)).value is None


def draw_data(folder: Path) -> GateData:
    """A split, its outlines and two kinds of photographs, all drawn."""
    split = read_split(draw_split(folder, {"train": 4, "val": 4, "test": 1}))
    masks, photos = folder / "masks", folder / "photos"
    masks.mkdir()
    for row in split.rows:
        Image.new("1", (96, 72)).save(masks / f"{row.image_id}_segmentation.png")
    random = np.random.default_rng(8)
    for kind in ("green", "blue-ish"):
        (photos / kind).mkdir(parents=True)
        for number in range(8):
            pixels = random.integers(0, 60, (64, 64, 3), dtype=np.uint8)
            pixels[..., 1 if kind == "green" else 2] += 150
            Image.fromarray(pixels).save(photos / kind / f"{number}.png")
    return GateData(split, photos, masks, counts=Counts(lesions=24, drawings=1, skin=4))


def test_a_bundle_gets_a_gate_with_a_figure_for_each_kind_that_was_held_out(tmp_path):
    folder = tmp_path / "bundle"
    write_tiny_bundle(folder)
    data, seen = draw_data(tmp_path), []
    note, content = fit_gate(load(folder), data, advance=seen.append)
    assert list(note.measured) == ["lesions", "blue_ish", "green", "bare_skin", "drawn", "drawn_unseen"]
    assert note.measured["lesions"].value >= 0.96
    assert note.measured["drawn_unseen"].n == 6
    assert sum(seen) > 100
    bundle = read_bundle(folder)
    manifest = bundle.manifest.model_copy(update={"gate": note})
    write_bundle(folder, manifest, {**bundle.graphs, note.file: content})
    assert read_bundle(folder).manifest.gate == note


def test_the_gate_of_a_bundle_that_held_out_a_fold_is_judged_on_that_fold(tmp_path):
    data = draw_data(tmp_path)
    numbered = enumerate(data.split.rows)
    rows = tuple(replace(row, fold=None if row.part == "test" else number % 2) for number, row in numbered)
    folded = replace(data, split=replace(data.split, rows=rows), fold=1)
    ids = {part: {row.image_id for row in folded.rows(part)} for part in ("train", "val", "test")}
    assert ids["val"] == {row.image_id for row in rows if row.fold == 1}
    assert ids["train"] == {row.image_id for row in rows if row.fold == 0}
    assert ids["test"] == {row.image_id for row in data.split.part("test")}
    assert {row.part for row in folded.rows("train")} == {"train", "val"}
    assert list(data.rows("val")) == data.split.part("val")


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "everyday").mkdir()
    with pytest.raises(DataError, match="holds no folder with"):
        photo_kinds(tmp_path)


@pytest.mark.parametrize("names", [["lesions"], ["bare-skin"], ["drawn_unseen"], ["a-b", "a_b"]])
def test_a_folder_with_the_name_of_another_kind_is_refused(tmp_path, names):
    for name in ["green", *names]:
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=f"have the name of another kind of pictures: {', '.join(names)}. Rename"):
        photo_kinds(tmp_path)


def test_a_kind_without_a_picture_to_judge_has_no_figure_and_breaks_nothing(tmp_path):
    write_tiny_bundle(tmp_path / "bundle")
    data = draw_data(tmp_path)
    for photo in (data.photos / "green").iterdir():
        if not is_for_fitting(photo.name):
            photo.unlink()
    note, _ = fit_gate(load(tmp_path / "bundle"), data)
    assert (note.measured["green"].n, note.measured["green"].value) == (0, None)
    assert note.measured["blue_ish"].n > 0


def test_a_photograph_that_cannot_be_read_is_named_and_hidden_files_are_passed_over(tmp_path):
    write_tiny_bundle(tmp_path / "bundle")
    data = draw_data(tmp_path)
    (data.photos / "green" / "._0.png").write_bytes(b"of macOS")
    assert "._0.png" not in {path.name for path in photo_kinds(data.photos)["green"]}
    (data.photos / "green" / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"bad\.png cannot be used for the gate"):
        fit_gate(load(tmp_path / "bundle"), data)
