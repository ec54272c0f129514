"""Scoring on a GPU: the members of a bundle in ONNX Runtime for CUDA, many squares in one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

import numpy as np
import onnxruntime

from dermalens.batch.errors import BatchError
from dermalens.core.image import Decoded
from dermalens.predict.classifier import Asked, Classifier
from dermalens.predict.prediction import Prediction, Seen
from dermalens.predict.quality import assess
from dermalens.predict.session import OnnxSession
from dermalens.transforms.preprocess import SquarePixels, preprocess

CUDA: Final = "CUDAExecutionProvider"
THREADS: Final = 8
"""That cut and judge squares while the GPU waits for none."""


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
    session = onnxruntime.InferenceSession(graph, providers=[CUDA])
    if CUDA not in session.get_providers():  # ONNX Runtime goes on with the CPU when CUDA does not start
        raise BatchError("ONNX Runtime cannot use the GPU here. Check the driver and CUDA, or leave --gpus out.")
    return OnnxSession(name, session)


def answers_together(
    classifier: Classifier, pictures: Sequence[tuple[str, Decoded]], asked: Asked
) -> Iterator[Prediction]:
    """What `Classifier.answer` says of each picture (with its name), all of them in one run of the members."""
    if not pictures:
        return
    spec = classifier.manifest.preprocess
    with ThreadPoolExecutor(THREADS) as pool:
        squares = list(pool.map(lambda pair: preprocess(pair[1].picture, spec), pictures))
        seen = list(pool.map(_seen, pictures, squares))
    outputs = classifier.run(np.stack(squares))
    judged = classifier.gate.judge(outputs.embedding) if classifier.gate else [None] * len(seen)
    for logits, gate, one in zip(outputs.logits, judged, seen, strict=True):
        yield classifier.decided(logits, replace(one, lesion_image=gate), asked)


def _seen(pair: tuple[str, Decoded], square: SquarePixels) -> Seen:
    name, decoded = pair
    side = min(decoded.original_size)
    return Seen(name, assess(square, (side, side)), decoded.notes)
