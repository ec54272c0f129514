"""A run of the outline network to `outline.onnx` and `outline.json`, the part of a bundle that they are copied into."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional

from dermalens.core.bundle import Measured, Outline
from dermalens.core.errors import DataError, ExportError
from dermalens.core.files import write_whole
from dermalens.core.spec import PreprocessSpec
from dermalens.data.check import nobody_watches
from dermalens.data.split import Split
from dermalens.evaluate.outline import Drawn, choose_threshold, draw_rows, judge_outlines
from dermalens.export.graph import OPSET, _without_traces
from dermalens.export.parity import LARGEST_DIFFERENCE, LEAST_IMAGES, largest
from dermalens.models.outline_net import SIDE_PIXELS, OutlineNet
from dermalens.predict.outline import OUTPUT_NAME, OutlineSession, open_outline
from dermalens.predict.session import INPUT_NAME, Squares
from dermalens.train.checkpoint import BEST
from dermalens.train.notes import read_notes
from dermalens.transforms.rows import read_square

GRAPH_NAME: Final = "outline.onnx"
NOTE_NAME: Final = "outline.json"
THRESHOLDS: Final = tuple(round(0.30 + 0.05 * step, 2) for step in range(9))
"""Candidates; the one with the best overlap on the validation part is taken."""
SIDES: Final = (32, 1024)
"""Of the squares that a bundle may have."""

_NETWORK = "network."


class OutlineGraph(nn.Module):
    """uint8 [N, S, S, 3] of any side to probabilities float32 [N, 56, 56]; a reduction is antialiased."""

    def __init__(self, network: OutlineNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        images = pixels.permute(0, 3, 1, 2).to(torch.float32) / 255
        size = [SIDE_PIXELS, SIDE_PIXELS]
        reduced = functional.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)
        belonging: Tensor = torch.sigmoid(self.network(reduced))
        return belonging


def trained_outline_net(folder: Path) -> OutlineNet:
    """The network of the best checkpoint of a run, ready to predict.

    Raises:
        ExportError: there is no checkpoint, or it is damaged or of another network.
    """
    checkpoint = folder / BEST
    if not checkpoint.is_file():
        raise ExportError(f"There is no {BEST} in {folder}. Train first: dermalens outline train")
    network = OutlineNet(weights="none")
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
        own = {name.removeprefix(_NETWORK): tensor for name, tensor in state.items() if name.startswith(_NETWORK)}
        network.load_state_dict(own)
    except (KeyError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ExportError(f"{checkpoint} is damaged or not of the outline network. Train again.") from error
    return network.eval()


def outline_to_onnx(network: OutlineNet) -> bytes:
    """The graph as one self-contained ONNX file; number and side of the squares are free.

    Raises:
        ExportError: the exporter of PyTorch gave nothing.
    """
    side = torch.export.Dim("side", min=SIDES[0], max=SIDES[1])
    program = torch.onnx.export(
        OutlineGraph(network).eval(),
        (torch.randint(0, 256, (2, 224, 224, 3), dtype=torch.uint8),),
        input_names=[INPUT_NAME],
        output_names=[OUTPUT_NAME],
        dynamic_shapes={INPUT_NAME: {0: torch.export.Dim("images", min=1, max=4096), 1: side, 2: side}},
        dynamo=True,
        opset_version=OPSET,
        verbose=False,
    )
    if program is None:
        raise ExportError("The exporter of PyTorch returned no graph.")
    content: bytes = _without_traces(program.model_proto).SerializeToString()
    return content


def outline_difference(network: OutlineNet, session: OutlineSession, squares: Squares) -> float:
    """The largest difference of a probability between PyTorch and the graph, one square at a time as in use."""
    graph = OutlineGraph(network).eval()
    differences = [0.0]
    for square in squares:
        with torch.inference_mode():
            expected = graph(torch.from_numpy(square[None].copy())).numpy()
        differences.append(float(np.abs(session.run(square[None]) - expected).max()))
    return largest(differences)


def _check_difference(difference: float) -> None:
    if not difference <= LARGEST_DIFFERENCE:
        raise ExportError(
            f"The exported graph differs from the checkpoint by {difference:.2g} in a probability; at most "
            f"{LARGEST_DIFFERENCE:g} is allowed. Nothing was written."
        )


def export_outline(
    folder: Path,
    split: Split,
    masks: Path,
    *,
    spec: PreprocessSpec,
    advance: Callable[[int], None] = nobody_watches,
) -> tuple[Outline, float]:
    """Write the graph and the note of the best checkpoint into the run folder; gives the note and the difference.

    The threshold is chosen on the val part, whose figures stand in the note until those of the test part are recorded.

    Raises:
        ExportError: no checkpoint there, too few validation images, or a graph that differs from the checkpoint.
        DataError: another split than that of the run, or an image or an outline that cannot be read.
    """
    check_split(folder, split)
    network, rows = trained_outline_net(folder), split.part("val")
    if len(rows) < LEAST_IMAGES:
        raise ExportError(f"{len(rows)} validation image(s) given; at least {LEAST_IMAGES} are needed for the check.")
    content = outline_to_onnx(network)
    session = open_outline(content)
    spread = np.linspace(0, len(rows) - 1, LEAST_IMAGES).astype(int)
    squares = np.stack([read_square(rows[place], spec) for place in spread])
    difference = outline_difference(network, session, squares)
    _check_difference(difference)
    drawn = draw_rows(session, rows, masks, spec, advance=advance)
    threshold = choose_threshold(drawn, THRESHOLDS)
    _write(folder / GRAPH_NAME, content)
    note = Outline(
        file=GRAPH_NAME,
        sha256=hashlib.sha256(content).hexdigest(),
        threshold=threshold,
        measured=_titled("val", judge_outlines(drawn, threshold)),
    )
    _write_note(folder, note)
    return note, difference


def read_outline_part(folder: Path) -> tuple[Outline, bytes]:
    """The note and the graph of an exported run, as they go into a bundle.

    Raises:
        ExportError: the run was not exported, or its files do not belong together.
    """
    try:
        note = Outline.model_validate_json((folder / NOTE_NAME).read_bytes())
        content = (folder / GRAPH_NAME).read_bytes()
    except OSError as error:
        raise ExportError(
            f"{folder} has no {NOTE_NAME} and {GRAPH_NAME} that can be read ({error.strerror}): name the folder of a "
            "run that was exported with dermalens outline export"
        ) from error
    except ValidationError as error:
        raise ExportError(f"{folder / NOTE_NAME} is no note of an outline. Export the run again.") from error
    if hashlib.sha256(content).hexdigest() != note.sha256:
        raise ExportError(f"{folder / GRAPH_NAME} was changed after its export. Export the run again.")
    return note, content


def record_outline(folder: Path, part: str, drawn: Drawn) -> dict[str, Measured]:
    """Add the figures on a part of the split to the note of a run, named `test_dice` and so on; gives them.

    Raises:
        ExportError: the run was not exported.
    """
    note, _ = read_outline_part(folder)
    figures = judge_outlines(drawn, note.threshold)
    _write_note(folder, note.model_copy(update={"measured": {**note.measured, **_titled(part, figures)}}))
    return figures


def check_split(folder: Path, split: Split) -> None:
    """Refuse another split than that of a run.

    Raises:
        DataError: the test part of `split` may have been trained on.
    """
    needed = str(read_notes(folder).get("split_sha256", ""))
    if needed != split.sha256:
        raise DataError(
            f"The split is not that of {folder}: {split.sha256[:12]} given, {needed[:12] or 'none noted'} needed."
        )


def _titled(part: str, figures: dict[str, Measured]) -> dict[str, Measured]:
    return {f"{part}_{name}": figure for name, figure in figures.items()}


def _write_note(folder: Path, note: Outline) -> None:
    _write(folder / NOTE_NAME, (note.model_dump_json(indent=2) + "\n").encode())


def _write(file: Path, content: bytes) -> None:
    try:
        write_whole(file, content)
    except OSError as error:
        raise ExportError(
            f"Cannot write {file}: {error.strerror}. Give the run folder room and leave to write."
        ) from error
