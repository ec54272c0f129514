"""Ways to run the classifier's graph: settings of ONNX Runtime, smaller numbers, OpenVINO. For inference_paths.py.

All of them have the one method of `dermalens.predict.session.Session`. What is not installed or does not run says why.
"""

from __future__ import annotations

import importlib
import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from platform import machine
from typing import Any, Final

import numpy as np
import onnxruntime

from dermalens.predict.session import (
    BROKEN_GRAPH,
    INPUT_NAME,
    RANKS,
    OnnxSession,
    Outputs,
    Session,
    Squares,
    first_line,
)

NOT_CALIBRATED: Final = "there are no images to calibrate with: no split was given"

Tune = Callable[[onnxruntime.SessionOptions], None]


class CannotRunError(Exception):
    """Why a way is not measured."""


@dataclass(frozen=True, eq=False)
class Material:
    """What a way is made of; equal only to itself, so that its int8 graph is made once."""

    graph: bytes
    calibration: Squares | None
    """Squares of the train part, for int8."""
    threads: int = 1


class OpenVinoSession:
    """A graph in OpenVINO on the CPU, compiled anew for each number of squares: 6 % faster than one of any number."""

    def __init__(self, material: Material, graph: bytes, precision: str) -> None:
        self._core = imported("openvino").Core()
        self._graph = graph
        self._settings = {
            "INFERENCE_NUM_THREADS": material.threads,
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._requests: dict[int, Any] = {}

    def run(self, pixels: Squares) -> Outputs:
        """Logits, embedding and heat maps of N squares."""
        if len(pixels) not in self._requests:
            model = self._core.read_model(self._graph)
            model.reshape({INPUT_NAME: list(pixels.shape)})
            compiled = self._core.compile_model(model, "CPU", self._settings)
            self._requests[len(pixels)] = compiled.create_infer_request()
        found = self._requests[len(pixels)].infer({INPUT_NAME: pixels})
        return Outputs(*(np.array(found[name]) for name in RANKS))


class CalibrationSquares:
    """Hands square after square to ONNX Runtime's quantisation."""

    def __init__(self, squares: Squares) -> None:
        self._left = iter(squares[:, None])

    def get_next(self) -> dict[str, Squares] | None:
        """The next input of the graph; None after the last."""
        square = next(self._left, None)
        return None if square is None else {INPUT_NAME: square}


class BatchOfViews:
    """Runs the square and its half turn as one batch, for a bundle with these two views.

    It answers the second call, which brings the half turn, with what the first one has computed.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._second: Outputs | None = None

    def run(self, pixels: Squares) -> Outputs:
        """Outputs of one square."""
        if self._second is not None:
            second, self._second = self._second, None
            return second
        found = self._session.run(np.concatenate([pixels, pixels[:, ::-1, ::-1]]))
        first, self._second = (Outputs(found.logits[[n]], found.embedding[[n]], found.heatmaps[[n]]) for n in range(2))
        return first


def imported(name: str) -> Any:
    """A package that only this benchmark uses.

    Raises:
        CannotRunError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise CannotRunError(f"not installed: {error.name or name}") from error


def tuned(material: Material, tune: Tune, graph: bytes | None = None) -> Session:
    """The graph in ONNX Runtime as the package opens it, but for what `tune` changes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = material.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    tune(options)
    opened = onnxruntime.InferenceSession(graph or material.graph, options, providers=["CPUExecutionProvider"])
    return OnnxSession("model.onnx", opened)


def unchanged(_options: onnxruntime.SessionOptions) -> None:
    """As the package does."""


def level(name: str) -> Tune:
    """A level of graph optimisation."""

    def tune(options: onnxruntime.SessionOptions) -> None:
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, name)

    return tune


def without_arena(options: onnxruntime.SessionOptions) -> None:
    """Memory from the system for every tensor."""
    options.enable_cpu_mem_arena = False


def without_spinning(options: onnxruntime.SessionOptions) -> None:
    """Threads that wait go to sleep."""
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")


@cache
def optimised_graph(material: Material) -> bytes:
    """The graph as ONNX Runtime writes it after optimising it for this processor."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "optimised.onnx"

        def tune(options: onnxruntime.SessionOptions) -> None:
            options.optimized_model_filepath = str(target)

        tuned(material, tune)
        return target.read_bytes()


def optimised_beforehand(material: Material) -> Session:
    """A graph that was optimised before, opened as it is."""
    return tuned(material, level("ORT_DISABLE_ALL"), optimised_graph(material))


def fp16(material: Material) -> Session:
    """Weights and activations of 16 bits."""
    onnx, float16 = imported("onnx"), imported("onnxruntime.transformers.float16")
    model = float16.convert_float_to_float16(onnx.load_from_string(material.graph), keep_io_types=True)
    return tuned(material, unchanged, model.SerializeToString())


def bf16(material: Material) -> Session:
    """One convolution in bfloat16: what ONNX Runtime refuses of it, it refuses of a graph of sixty."""
    onnx = imported("onnx")
    kind, helper = onnx.TensorProto.BFLOAT16, onnx.helper
    ends = [helper.make_tensor_value_info(name, kind, [1, 1, 8, 8]) for name in ("given", "found")]
    weights = helper.make_tensor("weights", kind, [1, 1, 1, 1], [1.0])
    node = helper.make_node("Conv", ["given", "weights"], ["found"])
    graph = helper.make_graph([node], "bf16", ends[:1], ends[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    tuned(material, unchanged, model.SerializeToString())
    raise CannotRunError("ONNX Runtime has a bf16 convolution here, but nothing was written that converts the graph")


def multiplies_8_bits_exactly() -> bool:
    """Whether the processor adds up products of 8-bit numbers in 32 bits (VNNI on x86).

    An x86 processor without it adds pairs of them in 16 bits, which overflow when the weights use all 8 bits.
    """
    if machine() not in ("x86_64", "AMD64"):
        return True
    try:
        return "vnni" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


@cache
def int8_graph(material: Material, *, reduced: bool | None = None) -> bytes:
    """The graph in QDQ form: activations uint8, weights int8 per channel, ranges from the calibration squares.

    `reduced` weights use 7 bits; None: on a processor that needs it.

    Raises:
        CannotRunError: no squares to calibrate with, or a package that quantising needs is not installed.
    """
    squares = material.calibration
    if squares is None:
        raise CannotRunError(NOT_CALIBRATED)
    quantising, shapes = imported("onnxruntime.quantization"), imported("onnxruntime.quantization.shape_inference")
    logging.getLogger().setLevel(logging.ERROR)  # it advises to do what is done here

    with tempfile.TemporaryDirectory() as folder:
        given, prepared, target = (Path(folder) / name for name in ("given.onnx", "prepared.onnx", "int8.onnx"))
        given.write_bytes(material.graph)
        shapes.quant_pre_process(str(given), str(prepared))
        quantising.quantize_static(
            str(prepared),
            str(target),
            CalibrationSquares(squares),
            quant_format=quantising.QuantFormat.QDQ,
            activation_type=quantising.QuantType.QUInt8,
            weight_type=quantising.QuantType.QInt8,
            per_channel=True,
            reduce_range=not multiplies_8_bits_exactly() if reduced is None else reduced,
        )
        return target.read_bytes()


WAYS: Final[Mapping[str, Callable[[Material], Session]]] = {
    "default": lambda material: tuned(material, unchanged),
    "optimisation_none": lambda material: tuned(material, level("ORT_DISABLE_ALL")),
    "optimisation_basic": lambda material: tuned(material, level("ORT_ENABLE_BASIC")),
    "optimisation_extended": lambda material: tuned(material, level("ORT_ENABLE_EXTENDED")),
    "optimised_beforehand": optimised_beforehand,
    "arena_off": lambda material: tuned(material, without_arena),
    "spinning_off": lambda material: tuned(material, without_spinning),
    "fp16": fp16,
    "bf16": bf16,
    "int8": lambda material: tuned(material, unchanged, int8_graph(material)),
    "openvino_fp32": lambda material: OpenVinoSession(material, material.graph, "f32"),
    "openvino_bf16": lambda material: OpenVinoSession(material, material.graph, "bf16"),
    "openvino_int8": lambda material: OpenVinoSession(material, int8_graph(material), "f32"),
}
"""The default first: the others are held against it."""


def opened_ways(material: Material, square: Squares) -> tuple[dict[str, Session], dict[str, str]]:
    """The ways that answer for a square, and why the others do not."""
    sessions: dict[str, Session] = {}
    refused: dict[str, str] = {}
    for name, way in WAYS.items():
        try:
            session = way(material)
            session.run(square)
        except CannotRunError as error:
            refused[name] = str(error)
        except (*BROKEN_GRAPH, RuntimeError) as error:
            refused[name] = f"does not run: {first_line(error)}"
        else:
            sessions[name] = session
    return sessions, refused
