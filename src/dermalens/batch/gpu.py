"""Scoring on a GPU: the members of a bundle in ONNX Runtime for CUDA, many squares in one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import onnxruntime

from dermalens.batch.errors import BatchError
from dermalens.core.image import Decoded
from dermalens.core.spec import PreprocessSpec
from dermalens.predict.classifier import Asked, Classifier
from dermalens.predict.prediction import Prediction, Seen
from dermalens.predict.quality import assess
from dermalens.predict.session import OnnxSession
from dermalens.transforms.clean import clean
from dermalens.transforms.preprocess import SquarePixels
from dermalens.transforms.preprocess import cut as cut_square

CUDA: Final = "CUDAExecutionProvider"
CUDA_OPTIONS: Final = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
"""Full float32, and algorithms chosen by the shapes and not by timing, which may choose others in the next process.

"DEFAULT" would be slow: from version 1.20 on ONNX Runtime takes cuDNN's fallback for it, with a warning.
"""
TOGETHER: Final = 64
"""Squares in one run of the members, never fewer: algorithms depend on their number."""


class Cut(NamedTuple):
    """A picture that is ready for the members, and what is known of it before they see it."""

    square: SquarePixels
    seen: Seen


def check_gpu() -> None:
    """Refuse a run on a GPU where ONNX Runtime has none.

    Raises:
        BatchError: the ONNX Runtime that is installed is the one for CPUs.
    """
    if CUDA not in onnxruntime.get_available_providers():
        raise BatchError(
            "ONNX Runtime has no GPU here. Leave --gpus out, or install its GPU edition in the place of the other: "
            "pip uninstall onnxruntime; pip install onnxruntime-gpu"
        )


def on_gpu(classifier: Classifier) -> Classifier:
    """The same classifier with its members on the GPU; the gate, a small graph, stays on the CPU.

    Raises:
        BatchError: there is no GPU.
    """
    check_gpu()
    graphs = classifier.bundle.graphs
    sessions = tuple(_open(member.file, graphs[member.file]) for member in classifier.manifest.members)
    return replace(classifier, sessions=sessions)


def _open(name: str, graph: bytes) -> OnnxSession:
    options = onnxruntime.SessionOptions()
    options.use_deterministic_compute = True
    session = onnxruntime.InferenceSession(graph, options, providers=[(CUDA, CUDA_OPTIONS)])
    if CUDA not in session.get_providers():  # ONNX Runtime goes on with the CPU when CUDA does not start
        raise BatchError("ONNX Runtime cannot use the GPU here. Check the driver and CUDA, or leave --gpus out.")
    return OnnxSession(name, session)


def cut(name: str, decoded: Decoded, spec: PreprocessSpec) -> Cut:
    """The square of a picture and how good it is; threads do this while the GPU runs."""
    photograph = cut_square(decoded.picture, spec)
    side = min(decoded.original_size)
    return Cut(clean(photograph, spec.clean), Seen(name, assess(photograph, (side, side)), decoded.notes))


def answers_together(classifier: Classifier, cuts: Sequence[Cut], asked: Asked) -> Iterator[Prediction]:
    """What `Classifier.answer` says of each picture, all of them, `TOGETHER` at most, in one run of the members."""
    if not cuts:
        return
    squares = np.zeros((TOGETHER, *cuts[0].square.shape), dtype=np.uint8)
    squares[: len(cuts)] = [one.square for one in cuts]
    outputs = classifier.run(squares)
    judged = classifier.gate.judge(outputs.embedding[: len(cuts)]) if classifier.gate else [None] * len(cuts)
    for logits, gate, one in zip(outputs.logits[: len(cuts)], judged, cuts, strict=True):
        yield classifier.decided(logits, replace(one.seen, lesion_image=gate), asked)
