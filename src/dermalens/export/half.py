"""Weights stored in 16 bits: half the size of a bundle, computed with in 32 bits as before."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HALF = ".half"
"""Ends the name of a constant that is stored in 16 bits."""
LEAST_NUMBERS = 1024
"""Smaller tensors, such as biases, stay in 32 bits: they weigh nothing."""


def with_half_weights(graph: bytes) -> bytes:
    """The graph with its large float32 constants rounded to float16, and a cast back to float32 behind each.

    ONNX Runtime carries out the casts once, when it loads the graph.
    """
    model = onnx.load_from_string(graph)
    initialisers = model.graph.initializer
    casts = []
    for tensor in [one for one in initialisers if _is_large(one)]:
        stored = f"{tensor.name}{HALF}"
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
        rounded = numpy_helper.to_array(tensor).astype(np.float16)
        initialisers.remove(tensor)
        initialisers.append(numpy_helper.from_array(rounded, stored))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    content: bytes = model.SerializeToString()
    return content


def _is_large(tensor: TensorProto) -> bool:
    return tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= LEAST_NUMBERS
