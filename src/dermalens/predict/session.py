"""One graph of a bundle, ready to run: the seam between DermaLens and ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

from dermalens.core.errors import BundleError

Squares = NDArray[np.uint8]  # [N, S, S, 3], RGB, upright
Logits = NDArray[np.float32]  # [N, K], before calibration
Embedding = NDArray[np.float32]  # [N, D]
Heatmaps = NDArray[np.float32]  # [N, K, h, w], Grad-CAM of each class, not negative

INPUT_NAME: Final = "pixels"
RANKS: Final = {"logits": 2, "embedding": 2, "heatmaps": 4}
"""The outputs of a graph, in the order of `Outputs`, and their number of axes."""

BROKEN_GRAPH: Final = (
    runtime.Fail,
    runtime.InvalidArgument,
    runtime.InvalidGraph,
    runtime.InvalidProtobuf,
    runtime.NotImplemented,
    runtime.RuntimeException,
)
"""What ONNX Runtime raises for a graph that it cannot load or run."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a graph gives for N squares."""

    logits: Logits
    embedding: Embedding
    heatmaps: Heatmaps


class Session(Protocol):
    """Anything that answers for squares; tests pass a fake."""

    def run(self, pixels: Squares) -> Outputs:
        """Logits, embedding and heat maps of N squares."""


class OnnxSession:
    """A graph in ONNX Runtime on the CPU. It may be used from several threads at once."""

    def __init__(self, name: str, session: onnxruntime.InferenceSession) -> None:
        self._name = name
        self._session = session

    def run(self, pixels: Squares) -> Outputs:
        """Logits, embedding and heat maps of N squares.

        Raises:
            BundleError: the graph fails, or its logits are not finite numbers.
        """
        try:
            outputs = Outputs(*self._session.run(list(RANKS), {INPUT_NAME: pixels}))
        except BROKEN_GRAPH as error:
            raise BundleError(f"{self._name} failed in ONNX Runtime: {first_line(error)}") from error
        if not np.isfinite(outputs.logits).all():
            raise BundleError(f"{self._name} gives logits that are not finite numbers; export the bundle again.")
        return outputs


def open_session(graph: bytes, *, name: str, classes: int, side_pixels: int, threads: int = 1) -> OnnxSession:
    """Load a graph, given as bytes so that what runs is what was verified, and check its input and outputs.

    Raises:
        BundleError: the graph cannot be loaded, or is not one for `classes` and `side_pixels`.
    """
    session = open_graph(graph, name=name, threads=threads)
    _check(session, name=name, classes=classes, side_pixels=side_pixels)
    return OnnxSession(name, session)


def open_graph(graph: bytes, *, name: str, threads: int = 1) -> onnxruntime.InferenceSession:
    """Any graph of a bundle in ONNX Runtime on the CPU; its inputs and outputs are for the caller to check.

    Raises:
        BundleError: the graph cannot be loaded.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors come as exceptions; ONNX Runtime would print them as well
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except BROKEN_GRAPH as error:
        raise BundleError(f"{name} is not a graph that ONNX Runtime can load: {first_line(error)}") from error


def _check(session: onnxruntime.InferenceSession, *, name: str, classes: int, side_pixels: int) -> None:
    inputs = [(item.name, item.type, tuple(item.shape)) for item in session.get_inputs()]
    needed = (INPUT_NAME, "tensor(uint8)", (side_pixels, side_pixels, 3))
    if [(title, kind, shape[1:]) for title, kind, shape in inputs] != [needed] or isinstance(inputs[0][2][0], int):
        raise BundleError(
            f"{name} has the input {shown_items(inputs)}; the bundle's side needs "
            f"{INPUT_NAME} tensor(uint8) [N, {side_pixels}, {side_pixels}, 3]. Export the bundle again."
        )
    outputs = [(item.name, item.type, tuple(item.shape)) for item in session.get_outputs()]
    known = {title: shape for title, kind, shape in outputs if kind == "tensor(float)"}
    if not all(len(known.get(title, ())) == rank for title, rank in RANKS.items()) or any(
        known[title][1] != classes for title in ("logits", "heatmaps")
    ):
        raise BundleError(
            f"{name} has the outputs {shown_items(outputs)}; the bundle's {classes} classes need tensor(float) logits "
            f"[N, {classes}], embedding [N, D] and heatmaps [N, {classes}, h, w]. Export the bundle again."
        )


def shown_items(items: list[tuple[str, str, tuple[object, ...]]]) -> str:
    """Inputs or outputs of a graph (name, kind, shape) as words for a message."""
    return "; ".join(f"{title} {kind} [{', '.join(map(str, shape))}]" for title, kind, shape in items) or "none"


def first_line(error: Exception) -> str:
    """What ONNX Runtime says, in 300 characters at most."""
    return str(error).strip().splitlines()[0][:300]
