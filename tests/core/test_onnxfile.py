from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dermalens.core.errors import BundleError
from dermalens.core.onnxfile import external_data
from tests.tiny_bundle import tiny_graph, tiny_model


def external_tensor(path: str = "/etc/passwd") -> TensorProto:
    tensor = TensorProto(name="secret", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="offset", value="0")
    tensor.external_data.add(key="location", value=path)
    return tensor


def model_of(nodes: list[onnx.NodeProto], **parts: Any) -> onnx.ModelProto:
    return helper.make_model(helper.make_graph(nodes, "g", [], [], **parts))


def sparse(tensor: TensorProto) -> onnx.SparseTensorProto:
    return onnx.SparseTensorProto(values=tensor, indices=numpy_helper.from_array(np.array([0])), dims=[1])


def function_with(tensor: TensorProto) -> onnx.ModelProto:
    node = helper.make_node("Constant", [], ["c"], value=tensor)
    function = helper.make_function("local", "f", [], ["c"], [node], [helper.make_opsetid("", 18)])
    return helper.make_model(helper.make_graph([], "g", [], []), functions=[function])


def training_with(tensor: TensorProto) -> onnx.ModelProto:
    model = helper.make_model(helper.make_graph([], "g", [], []))
    model.training_info.add().algorithm.initializer.append(tensor)
    return model


def nested(tensor: TensorProto) -> onnx.NodeProto:
    inner = helper.make_graph([helper.make_node("Constant", [], ["c"], value=tensor)], "inner", [], [])
    return helper.make_node("If", ["condition"], ["c"], then_branch=inner, else_branch=inner)


PLACES = {
    "initializer": lambda t: model_of([], initializer=[t]),
    "attribute": lambda t: model_of([helper.make_node("Constant", [], ["c"], value=t)]),
    "list of tensors": lambda t: model_of([helper.make_node("Foreign", [], ["c"], values=[t])]),
    "nested graph": lambda t: model_of([nested(t)]),
    "sparse initializer": lambda t: model_of([], sparse_initializer=[sparse(t)]),
    "sparse attribute": lambda t: model_of([helper.make_node("Constant", [], ["c"], sparse_value=sparse(t))]),
    "function": function_with,
    "training graph": training_with,
}


@pytest.mark.parametrize("place", PLACES)
def test_external_data_is_found_wherever_a_tensor_can_be(place):
    assert external_data(PLACES[place](external_tensor()).SerializeToString()) == ["", "/etc/passwd"]


@pytest.mark.parametrize("place", PLACES)
def test_a_tensor_with_its_data_in_the_file_is_fine(place):
    tensor = numpy_helper.from_array(np.ones(1, dtype=np.float32), "open")
    assert external_data(PLACES[place](tensor).SerializeToString()) == []


def test_a_location_without_the_external_flag_is_refused_too():
    tensor = external_tensor("weights.bin")
    tensor.data_location = TensorProto.DEFAULT
    assert external_data(model_of([], initializer=[tensor]).SerializeToString()) == ["", "weights.bin"]


def test_an_external_flag_without_a_location_is_refused_too():
    tensor = TensorProto(name="t", data_location=TensorProto.EXTERNAL)
    assert external_data(model_of([], initializer=[tensor]).SerializeToString()) == [""]


def test_a_real_graph_wants_no_other_file():
    assert external_data(tiny_graph()) == []


def test_a_graph_saved_by_onnx_with_external_data_is_found(tmp_path):
    onnx.save_model(
        tiny_model(), tmp_path / "m.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    assert "weights.bin" in external_data((tmp_path / "m.onnx").read_bytes())


@pytest.mark.parametrize("cut", [1, 50, 333])
def test_a_cut_off_file_is_an_error_or_has_nothing_to_refuse(cut):
    whole = tiny_graph()
    with pytest.raises(BundleError, match="not a complete ONNX file"):
        external_data(whole[: len(whole) - cut])


@pytest.mark.parametrize("junk", [b"hello", b"\xff" * 30, b"\x0b\x01", b"\x3a\x05ab"])
def test_bytes_that_are_no_graph_are_an_error(junk):
    with pytest.raises(BundleError, match="not a"):
        external_data(junk)


def test_a_field_number_that_other_readers_cut_to_that_of_external_data_is_an_error():
    """C++ reads a key of 32 bits: what is above them is dropped, and field 13 is left."""
    plain = external_tensor().SerializeToString()
    key = bytes([(13 << 3 | 2)])
    long = bytes([key[0] | 0x80, 0x80, 0x80, 0x80, 0x10])
    assert plain.count(key) >= 1
    with pytest.raises(BundleError, match="a field number is too large"):
        external_data(b"\x3a" + bytes([len(long) + 2]) + long + b"\x01a")
