from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from dermalens.core.errors import DataError, ExportError
from dermalens.core.spec import PreprocessSpec
from dermalens.data.split import Split, read_split
from dermalens.evaluate.outline import draw_rows
from dermalens.export import outline as exporting
from dermalens.export.outline import (
    GRAPH_NAME,
    NOTE_NAME,
    THRESHOLDS,
    export_outline,
    outline_difference,
    read_outline_part,
    record_outline,
    trained_outline_net,
)
from dermalens.models.outline_net import OutlineNet
from dermalens.predict.outline import open_outline
from dermalens.train.notes import write_notes
from tests.drawn_outlines import draw_pairs

SPEC = PreprocessSpec(side_pixels=64)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Split, Path]:
    """A split of drawn discs and the folder of their outlines."""
    split, masks = draw_pairs(tmp_path_factory.mktemp("drawn"), {"train": 1, "val": 64, "test": 2})
    return read_split(split), masks


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, data: tuple[Split, Path]) -> Path:
    """An exported run of a network that never learned."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    write_checkpoint(folder, OutlineNet(weights="none"))
    write_notes(folder, {"split_sha256": data[0].sha256})
    export_outline(folder, *data, spec=SPEC)
    return folder


def write_checkpoint(folder: Path, network: OutlineNet) -> None:
    state = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"state_dict": state}, folder / "best.ckpt")


def test_the_graph_gives_what_the_checkpoint_gives_at_any_side(run: Path):
    _, content = read_outline_part(run)
    session, network = open_outline(content), trained_outline_net(run)
    for side in (32, 112, 150, 224):
        squares = np.random.default_rng(side).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
        assert session.run(squares).shape == (2, 56, 56)
        assert outline_difference(network, session, squares) < 1e-4


def test_the_graph_is_small_and_names_no_file_of_this_machine(run: Path):
    _, content = read_outline_part(run)
    assert len(content) < 6e6
    model = onnx.load_from_string(content)
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert str(Path.cwd()).encode() not in content


def test_the_note_has_the_threshold_and_the_figures_of_the_val_part(run: Path):
    note, content = read_outline_part(run)
    assert note.threshold in THRESHOLDS
    assert note.measured["val_intersection_over_union"].n == 64
    assert note.file == GRAPH_NAME
    assert len(content) == (run / GRAPH_NAME).stat().st_size


def test_figures_of_the_test_part_are_added(run: Path, data: tuple[Split, Path]):
    note, content = read_outline_part(run)
    split, masks = data
    drawn = draw_rows(open_outline(content), split.part("test"), masks, SPEC)
    figures = record_outline(run, "test", drawn)
    recorded = read_outline_part(run)[0].measured
    assert recorded["test_dice"] == figures["dice"]
    assert set(note.measured) < set(recorded)


def test_a_graph_that_differs_is_not_written(
    tmp_path: Path, data: tuple[Split, Path], monkeypatch: pytest.MonkeyPatch, run: Path
):
    _, content = read_outline_part(run)
    torch.manual_seed(1)
    write_checkpoint(tmp_path, OutlineNet(weights="none"))
    write_notes(tmp_path, {"split_sha256": data[0].sha256})
    monkeypatch.setattr(exporting, "outline_to_onnx", lambda network: content)
    with pytest.raises(ExportError, match="differs from the checkpoint"):
        export_outline(tmp_path, *data, spec=SPEC)
    assert not (tmp_path / GRAPH_NAME).exists()


def test_another_split_is_refused(run: Path, data: tuple[Split, Path]):
    with pytest.raises(DataError, match="not that of"):
        export_outline(run, Split(data[0].rows, "0" * 64), data[1], spec=SPEC)


def test_too_few_images_for_the_check_are_refused(run: Path, data: tuple[Split, Path]):
    few = Split(tuple(data[0].part("train") + data[0].part("val")[:5]), data[0].sha256)
    with pytest.raises(ExportError, match=r"5 validation image\(s\)"):
        export_outline(run, few, data[1], spec=SPEC)


def test_a_folder_without_a_checkpoint_says_to_train(tmp_path: Path):
    with pytest.raises(ExportError, match="dermalens outline train"):
        trained_outline_net(tmp_path)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path):
    torch.save({"state_dict": {"network.head.weight": torch.zeros(2)}}, tmp_path / "best.ckpt")
    with pytest.raises(ExportError, match="not of the outline network"):
        trained_outline_net(tmp_path)


def test_a_run_that_was_not_exported_says_how(tmp_path: Path):
    with pytest.raises(ExportError, match="dermalens outline export"):
        read_outline_part(tmp_path)


def test_a_graph_that_was_changed_is_refused(tmp_path: Path, run: Path):
    (tmp_path / NOTE_NAME).write_bytes((run / NOTE_NAME).read_bytes())
    (tmp_path / GRAPH_NAME).write_bytes((run / GRAPH_NAME).read_bytes() + b" ")
    with pytest.raises(ExportError, match="was changed"):
        read_outline_part(tmp_path)


def test_a_note_of_something_else_is_refused(tmp_path: Path):
    (tmp_path / NOTE_NAME).write_text(json.dumps({"file": "outline.onnx"}))
    with pytest.raises(ExportError, match="no note of an outline"):
        read_outline_part(tmp_path)
