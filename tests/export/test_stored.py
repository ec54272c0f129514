"""Weights in fewer bits: what is stored, what comes back, and that the graph computes with it."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from dermalens.export.stored import stored_constants, with_stored_weights

KERNEL = np.random.default_rng(3).normal(size=(16, 8, 3, 3)).astype(np.float32) * np.logspace(-3, 0, 16)[
    :, None, None, None
].astype(np.float32)
BIAS = np.arange(16, dtype=np.float32)


def graph_of(kernel: np.ndarray) -> bytes:
    """One convolution with a kernel [16, 8, 3, 3] and a bias [16]."""
    node = helper.make_node("Conv", ["images", "kernel", "bias"], ["maps"])
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 8, 12, 12])
    maps = helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["N", 16, 10, 10])
    constants = [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(BIAS, "bias")]
    graph = helper.make_graph([node], "one", [images], [maps], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    content: bytes = model.SerializeToString()
    return content


def maps_of(graph: bytes) -> np.ndarray:
    """What the graph makes of fixed images."""
    images = np.random.default_rng(5).normal(size=(2, 8, 12, 12)).astype(np.float32)
    return np.asarray(onnxruntime.InferenceSession(graph).run(None, {"images": images})[0])


@pytest.mark.parametrize(("bits", "bytes_each"), [(16, 2), (8, 1)])
def test_a_weight_takes_its_bits_and_little_else(bits, bytes_each):
    whole = graph_of(KERNEL)
    smaller = with_stored_weights(whole, bits)
    saved = KERNEL.size * (4 - bytes_each)
    assert saved - 400 < len(whole) - len(smaller) < saved
    onnx.checker.check_model(onnx.load_from_string(smaller), full_check=True)


@pytest.mark.parametrize(("bits", "share"), [(16, 2**-11), (8, 0.5 / 127)])
def test_each_channel_is_rounded_by_its_own_largest_weight(bits, share):
    constants = stored_constants(with_stored_weights(graph_of(KERNEL), bits))
    assert set(constants) == {"kernel", "bias"}
    assert np.array_equal(constants["bias"], BIAS)  # small: not rounded
    largest = np.abs(KERNEL).max(axis=(1, 2, 3), keepdims=True)
    assert (np.abs(constants["kernel"] - KERNEL) <= share * largest * 1.001).all()
    assert not np.array_equal(constants["kernel"], KERNEL)


@pytest.mark.parametrize("bits", [16, 8])
def test_the_graph_computes_with_what_comes_back(bits):
    smaller = with_stored_weights(graph_of(KERNEL), bits)
    assert maps_of(smaller) == pytest.approx(maps_of(graph_of(stored_constants(smaller)["kernel"])), abs=1e-4)
    assert not np.array_equal(maps_of(smaller), maps_of(graph_of(KERNEL)))


def test_in_32_bits_nothing_changes():
    assert with_stored_weights(graph_of(KERNEL), 32) == graph_of(KERNEL)


def test_a_channel_of_zeros_stays_zero():
    kernel = KERNEL.copy()
    kernel[4] = 0
    constants = stored_constants(with_stored_weights(graph_of(kernel), 8))
    assert not constants["kernel"][4].any()
    assert np.isfinite(maps_of(with_stored_weights(graph_of(kernel), 8))).all()
