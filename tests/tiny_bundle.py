"""A bundle that needs no training: it tells colours apart, so that every step of an answer can be followed by eye.

The graph averages the square to one colour (the embedding), and a linear layer gives each class the likeness to its
own colour; the heat maps are the same layer on 8 x 8 averages.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw

from dermalens.core.bundle import (
    FORMAT_VERSION,
    Calibration,
    Gate,
    Manifest,
    Measured,
    Member,
    OperatingPoint,
    Outline,
    Provenance,
)
from dermalens.core.bundlefile import Bundle, write_bundle
from dermalens.core.spec import PreprocessSpec
from dermalens.core.taxonomy import CLASSES, MALIGNANT

SIDE = 64
COLOURS = {
    "akiec": (220, 60, 60),
    "bcc": (230, 150, 60),
    "bkl": (200, 200, 60),
    "df": (60, 200, 60),
    "mel": (60, 60, 70),
    "nv": (150, 100, 60),
    "vasc": (120, 40, 200),
}
"""The colour that the tiny model takes for each class."""


def colour_layer(sharpness: float = 40.0) -> tuple[np.ndarray, np.ndarray]:
    """Weights [3, 7] and bias [7] of -sharpness * |colour - own colour|^2, without the part common to all classes."""
    own = np.array([COLOURS[code] for code in CLASSES], dtype=np.float32) / 255
    return (2 * sharpness * own.T).astype(np.float32), (-sharpness * (own**2).sum(axis=1)).astype(np.float32)


def tiny_model(*, side: int = SIDE, classes: int = 7, pool: int = 8, **names: str) -> onnx.ModelProto:
    """The graph; `logits="other"` renames that output."""
    weights, bias = colour_layer()
    weights, bias = weights[:, :classes], bias[:classes]
    title = {name: names.get(name, name) for name in ("pixels", "logits", "embedding", "heatmaps")}
    cell = side // pool
    nodes = [
        helper.make_node("Cast", [title["pixels"]], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "white"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("ReduceMean", ["planes", "space"], [title["embedding"]], keepdims=0),
        helper.make_node("Gemm", [title["embedding"], "weights", "bias"], [title["logits"]]),
        helper.make_node("AveragePool", ["planes"], ["cells"], kernel_shape=[cell, cell], strides=[cell, cell]),
        helper.make_node("Conv", ["cells", "kernel", "bias"], ["evidence"]),
        helper.make_node("Relu", ["evidence"], [title["heatmaps"]]),
    ]
    constants: dict[str, np.ndarray] = {
        "white": np.array(255, dtype=np.float32),
        "space": np.array([2, 3], dtype=np.int64),
        "weights": weights,
        "bias": bias,
        "kernel": np.ascontiguousarray(weights.T)[:, :, None, None],
    }
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(title["pixels"], TensorProto.UINT8, ["N", side, side, 3])],
        [
            helper.make_tensor_value_info(title["logits"], TensorProto.FLOAT, ["N", classes]),
            helper.make_tensor_value_info(title["embedding"], TensorProto.FLOAT, ["N", 3]),
            helper.make_tensor_value_info(title["heatmaps"], TensorProto.FLOAT, ["N", classes, pool, pool]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def tiny_graph(**options: Any) -> bytes:
    """The graph as an ONNX file."""
    return tiny_model(**options).SerializeToString()


def darkness_graph(*, output: str = "mask", scale: float = 255.0) -> bytes:
    """An outline graph whose mask is the darkness of each pixel."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "last"], ["grey"], keepdims=0),
        helper.make_node("Div", ["grey", "white"], ["light"]),
        helper.make_node("Sub", ["one", "light"], [output]),
    ]
    constants = [
        helper.make_tensor("last", TensorProto.INT64, [1], [3]),
        helper.make_tensor("white", TensorProto.FLOAT, [], [scale]),
        helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
    ]
    graph = helper.make_graph(
        nodes,
        "darkness",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", "S", "S", 3])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", "s", "s"])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def warmth_graph() -> bytes:
    """A gate graph whose score is 1 less the blue of the mean colour, 0 to 1."""
    nodes = [
        helper.make_node("MatMul", ["embedding", "blue"], ["coldness"]),
        helper.make_node("Sub", ["one", "coldness"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        "warmth",
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"])],
        [
            helper.make_tensor("blue", TensorProto.FLOAT, [3], [0.0, 0.0, 1.0]),
            helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def measured(value: float) -> Measured:
    """A figure with some interval."""
    return Measured(value=value, low=value - 0.02, high=value + 0.02, n=100)


def tiny_manifest(graphs: dict[str, bytes], **changes: Any) -> Manifest:
    """A complete manifest for `graphs`, with fields changed."""
    points = [
        OperatingPoint(name=name, threshold=at, sensitivity=measured(found), specificity=measured(0.6))
        for name, at, found in (("sensitivity_90", 0.3, 0.9), ("sensitivity_95", 0.1, 0.95))
    ]
    fields: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "name": "tiny",
        "version": "1.0",
        "classes": list(CLASSES),
        "malignant": list(MALIGNANT),
        "preprocess": PreprocessSpec(side_pixels=SIDE),
        "members": [Member(file=name, sha256=hashlib.sha256(data).hexdigest()) for name, data in graphs.items()],
        "combiner": "mean",
        "views": ["identity"],
        "calibration": Calibration(method="none", scale=[1.0] * 7, shift=[0.0] * 7, n=0),
        "operating_points": points,
        "default_operating_point": "sensitivity_95",
        "provenance": Provenance(
            recipe="tiny",
            code_version="0.1.0",
            split_sha256="0" * 64,
            data=["drawn colours"],
            data_licence="none",
            created="2026-11-20T00:00:00Z",
            training={"epochs": 0},
        ),
        "metrics": {"balanced_accuracy": measured(1.0)},
        "intended_use": "Tests.",
        "limits": ["Not a medical device.", "Knows seven colours."],
    }
    return Manifest.model_validate(fields | changes)


def write_tiny_bundle(folder: Path, graphs: dict[str, bytes] | None = None, **changes: Any) -> Bundle:
    """Write the tiny bundle, with fields of its manifest changed."""
    files = {"model.onnx": tiny_graph()} if graphs is None else graphs
    return write_bundle(folder, tiny_manifest(files, **changes), files)


def write_equipped_bundle(folder: Path, **changes: Any) -> Bundle:
    """Write the tiny bundle with a gate that refuses light pages, and an outline around what is dark."""
    graphs = {"model.onnx": tiny_graph(), "gate.onnx": warmth_graph(), "outline.onnx": darkness_graph()}
    sha256 = {file: hashlib.sha256(graph).hexdigest() for file, graph in graphs.items()}
    manifest = tiny_manifest(
        {"model.onnx": graphs["model.onnx"]},
        gate=Gate(file="gate.onnx", sha256=sha256["gate.onnx"], threshold=0.3, method="Warmth.", measured={}),
        outline=Outline(file="outline.onnx", sha256=sha256["outline.onnx"], threshold=0.5, measured={}),
        **changes,
    )
    return write_bundle(folder, manifest, graphs)


def mole(size: tuple[int, int] = (300, 200), colour: tuple[int, int, int] = (90, 60, 45)) -> Image.Image:
    """A disc of `colour` on light skin, its diameter half of the height, in the middle."""
    width, height = size
    picture = Image.new("RGB", size, (225, 180, 160))
    box = (width / 2 - height / 4, height / 4, width / 2 + height / 4, height * 3 / 4)
    ImageDraw.Draw(picture).ellipse(box, fill=colour)
    return picture


def page(size: tuple[int, int] = (300, 200)) -> Image.Image:
    """A chessboard of light greys, which the gate of the equipped bundle refuses."""
    rows, columns = np.mgrid[: size[1], : size[0]] // 50 % 2
    grey = np.where(rows == columns, 225, 185).astype(np.uint8)
    return Image.fromarray(np.stack([grey] * 3, axis=-1))


def lesion(code: str, size: tuple[int, int] = (200, 150)) -> Image.Image:
    """A drawn lesion in the colour of `code`, with detail and no symmetry: brighter to the right, spot upper left."""
    width, height = size
    pixels = np.tile(np.array(COLOURS[code], dtype=np.float64), (height, width, 1))
    pixels += np.linspace(-15, 15, width)[None, :, None]
    pixels[height // 5 : height // 3, width // 4 : width // 3] -= 25
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
