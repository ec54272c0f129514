from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dermalens.core.errors import BundleError
from dermalens.predict.gate import LesionImage, open_gate


def graph(*, output="score", factor=1.0):
    """A gate whose score is `factor` times the first of three embedding values."""
    nodes = [
        helper.make_node("Gemm", ["embedding", "weights"], ["column"]),
        helper.make_node("Squeeze", ["column", "axis"], [output]),
    ]
    constants = [
        numpy_helper.from_array(np.array([[factor], [0], [0]], dtype=np.float32), "weights"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "axis"),
    ]
    given = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 3])]
    made = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N"])]
    body = helper.make_graph(nodes, "gate", given, made, constants)
    model: onnx.ModelProto = helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return model.SerializeToString()


def opened(content=None):
    return open_gate(content or graph(), name="gate.onnx", threshold=0.5)


def test_a_score_at_the_threshold_is_accepted_and_one_below_refused():
    embeddings = np.array([[0.5, 0, 0], [0.499, 9, 9]], dtype=np.float32)
    at, below = opened().judge(embeddings)
    assert at.accepted
    assert at.refusal == ()
    assert below.as_dict() == {"score": 0.499, "threshold": 0.5, "accepted": False}


def test_a_refusal_says_what_was_found_and_what_to_do():
    found, advice = LesionImage(0.1, 0.5, accepted=False).refusal
    assert "does not look like a dermatoscopic image" in found
    assert "one lesion in the middle" in advice


def test_embeddings_of_another_bundle_are_refused():
    with pytest.raises(BundleError, match=r"gate\.onnx failed in ONNX Runtime"):
        opened().judge(np.zeros((1, 4), dtype=np.float32))


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(BundleError, match="not one finite number an image"):
        opened(graph(factor=np.nan)).judge(np.ones((1, 3), dtype=np.float32))


def test_a_graph_with_another_output_is_no_gate():
    with pytest.raises(BundleError, match=r"gives \[\('mask'"):
        opened(graph(output="mask"))


def test_bytes_that_are_no_graph_are_refused():
    with pytest.raises(BundleError, match=r"gate\.onnx is not a graph that ONNX Runtime can load"):
        opened(b"hello")
