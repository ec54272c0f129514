"""Fit the gate of a bundle on its own embeddings, and write it as a small graph that is checked against numpy."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from dermalens.core.bundle import Gate
from dermalens.core.errors import ExportError
from dermalens.data.check import nobody_watches
from dermalens.export.gate_fit import (
    LEAST_LENGTH,
    Embeddings,
    FittedGate,
    accepted_share,
    fit,
    on_common_scale,
    threshold_for,
)
from dermalens.export.gate_pictures import (
    LESIONS,
    GateData,
    Pictures,
    held_out,
    lesions_for_fitting,
    others_for_fitting,
)
from dermalens.predict.classifier import Classifier
from dermalens.predict.gate import GATE_INPUT, GATE_OUTPUT, open_gate

GATE_NAME: Final = "gate.onnx"
OPSET: Final = 18
IR_VERSION: Final = 10
BATCH: Final = 8

LARGEST_DIFFERENCE: Final = 1e-5
"""Of a score between numpy and ONNX Runtime."""

METHOD: Final = "Logistic regression of lesion images against other pictures on the direction of the embedding."


def fit_gate(
    classifier: Classifier, data: GateData, *, advance: Callable[[int], None] = nobody_watches
) -> tuple[Gate, bytes]:
    """The gate's entry in a manifest and its graph; `advance` is told how many more pictures were seen.

    Raises:
        DataError: too few lesion images, folders without pictures, or an image or outline that cannot be read.
        ExportError: the graph does not give what numpy gives.
    """
    spec = classifier.manifest.preprocess

    def seen(pictures: Pictures) -> Embeddings:
        return embeddings_of(classifier, pictures, advance=advance)

    lesions, others = seen(lesions_for_fitting(data, spec)), seen(others_for_fitting(data, spec))
    judged = {kind: seen(pictures) for kind, pictures in held_out(data, spec).items()}
    fitted = on_common_scale(fit(lesions, others), judged[LESIONS])
    content = gate_to_onnx(fitted)
    check_gate_parity(content, fitted, np.concatenate([judged[LESIONS], others]))
    scores = {kind: fitted.scores(found) if len(found) else np.empty(0) for kind, found in judged.items()}
    threshold = threshold_for(scores[LESIONS])
    note = Gate(
        file=GATE_NAME,
        sha256=hashlib.sha256(content).hexdigest(),
        threshold=threshold,
        method=METHOD,
        measured={kind: accepted_share(found >= threshold) for kind, found in scores.items()},
    )
    return note, content


def embeddings_of(
    classifier: Classifier, pictures: Pictures, *, advance: Callable[[int], None] = nobody_watches
) -> Embeddings:
    """The embeddings [N, D] of squares, eight at a time; [0, 0] of none."""
    parts = []
    for squares in _batches(pictures):
        parts.append(np.asarray(classifier.run(np.stack(squares)).embedding, dtype=np.float64))
        advance(len(squares))
    return np.concatenate(parts) if parts else np.empty((0, 0))


def gate_to_onnx(gate: FittedGate) -> bytes:
    """The graph of `FittedGate.scores`; the same gate gives the same bytes."""
    constants = {"weights": gate.weights[:, None], "bias": np.array([gate.bias]), "least": np.array(LEAST_LENGTH)}
    axis = numpy_helper.from_array(np.array([1], dtype=np.int64), "axis")
    graph = helper.make_graph(
        _nodes(),
        "gate",
        [helper.make_tensor_value_info(GATE_INPUT, TensorProto.FLOAT, ["N", len(gate.weights)])],
        [helper.make_tensor_value_info(GATE_OUTPUT, TensorProto.FLOAT, ["N"])],
        [axis, *(numpy_helper.from_array(value.astype(np.float64), name) for name, value in constants.items())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _nodes() -> list[onnx.NodeProto]:
    """In double precision: the weights may be large, and the lesions' side a small difference of large numbers."""
    steps = (
        ("ReduceL2", ["exact", "axis"], "length"),
        ("Max", ["length", "least"], "not_zero"),
        ("Div", ["exact", "not_zero"], "direction"),
        ("Gemm", ["direction", "weights", "bias"], "evidence"),
        ("Sigmoid", ["evidence"], "column"),
        ("Squeeze", ["column", "axis"], "score_exact"),
    )
    widen = helper.make_node("Cast", [GATE_INPUT], ["exact"], to=TensorProto.DOUBLE)
    narrow = helper.make_node("Cast", ["score_exact"], [GATE_OUTPUT], to=TensorProto.FLOAT)
    return [widen, *(helper.make_node(kind, given, [made]) for kind, given, made in steps), narrow]


def check_gate_parity(content: bytes, gate: FittedGate, embeddings: Embeddings) -> float:
    """The largest difference of a score between the graph and numpy, if it is small enough.

    Raises:
        ExportError: a difference above 1e-5.
    """
    found = open_gate(content, name=GATE_NAME, threshold=0).scores(embeddings.astype(np.float32))
    difference = float(np.abs(found - gate.scores(embeddings)).max())
    if not difference <= LARGEST_DIFFERENCE:
        raise ExportError(
            f"The graph of the gate differs from its figures by {difference:.2g} in a score; at most "
            f"{LARGEST_DIFFERENCE:g} is allowed. Nothing was written."
        )
    return difference


def _batches(pictures: Iterable[NDArray[np.uint8]]) -> Iterator[list[NDArray[np.uint8]]]:
    rest = iter(pictures)
    while squares := list(islice(rest, BATCH)):
        yield squares
