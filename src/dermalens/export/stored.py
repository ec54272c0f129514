"""Weights stored in 16 or 8 bits: a half or a quarter of the size of a bundle, computed with in 32 bits as before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

Bits = Literal[8, 16, 32]

HALF: Final = ".half"
"""Ends the name of a constant that is stored in 16 bits."""
QUARTER: Final = ".quarter"
"""Ends the name of a constant that is stored in 8 bits."""
STEP: Final = ".step"
"""Ends the name of what one unit of such a constant is, for each of its first indices: a kernel's output channels."""
LEAST_NUMBERS: Final = 1024
"""Smaller tensors, such as biases, stay in 32 bits: they weigh nothing."""
LARGEST: Final = 127


def with_stored_weights(graph: bytes, bits: Bits) -> bytes:
    """The graph with its large float32 constants in `bits` bits, and what makes float32 of them behind each.

    In 8 bits each output channel of a kernel has its own step; what is no kernel is stored in 16. ONNX Runtime carries
    the casts and products out once, when it loads the graph.
    """
    if bits == 32:
        return graph
    model = onnx.load_from_string(graph)
    initialisers = model.graph.initializer
    nodes: list[NodeProto] = []
    for tensor in [one for one in initialisers if _is_large(one)]:
        kept, restoring = _quarter(tensor) if bits == 8 and len(tensor.dims) > 1 else _half(tensor)
        initialisers.remove(tensor)
        initialisers.extend(kept)
        nodes += restoring
    nodes += model.graph.node
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    content: bytes = model.SerializeToString()
    return content


def stored_constants(graph: bytes) -> dict[str, NDArray[Any]]:
    """The constants of a graph by the names that they had before they were stored in fewer bits, in 32 bits."""
    tensors = {one.name: numpy_helper.to_array(one) for one in onnx.load_from_string(graph).graph.initializer}
    return dict(_restored(tensors))


def _restored(tensors: dict[str, NDArray[Any]]) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, value in tensors.items():
        if name.endswith(HALF):
            yield name.removesuffix(HALF), value.astype(np.float32)
        elif name.endswith(QUARTER):
            whole = name.removesuffix(QUARTER)
            yield whole, value.astype(np.float32) * tensors[f"{whole}{STEP}"].astype(np.float32)
        elif not name.endswith(STEP):
            yield name, value.copy()


def _half(tensor: TensorProto) -> tuple[list[TensorProto], list[NodeProto]]:
    stored = f"{tensor.name}{HALF}"
    rounded = numpy_helper.to_array(tensor).astype(np.float16)
    return [numpy_helper.from_array(rounded, stored)], [_cast(stored, tensor.name)]


def _quarter(tensor: TensorProto) -> tuple[list[TensorProto], list[NodeProto]]:
    stored, step, whole = f"{tensor.name}{QUARTER}", f"{tensor.name}{STEP}", f"{tensor.name}{QUARTER}.whole"
    values = numpy_helper.to_array(tensor)
    largest = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
    steps = (np.maximum(largest, np.finfo(np.float32).tiny * LARGEST) / LARGEST).astype(np.float32)
    rounded = np.clip(np.rint(values / steps), -LARGEST, LARGEST).astype(np.int8)
    kept = [numpy_helper.from_array(rounded, stored), numpy_helper.from_array(steps, step)]
    return kept, [_cast(stored, whole), helper.make_node("Mul", [whole, step], [tensor.name])]


def _cast(stored: str, name: str) -> NodeProto:
    return helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT)


def _is_large(tensor: TensorProto) -> bool:
    return tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= LEAST_NUMBERS
