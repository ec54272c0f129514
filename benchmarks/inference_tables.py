"""The tables of inference_paths.py: each times ways that take turns and holds them against the default.

CPU time of the process and not wall-clock time, so that other work on the machine counts less; with one thread it is
the same on a machine that does nothing else.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.inference_answers import Way
from benchmarks.inference_graphs import WAYS, Material, optimised_beforehand, optimised_graph, tuned, unchanged
from benchmarks.inference_pictures import CUTTERS, READERS, usable
from dermalens.core.decision import calibrate
from dermalens.predict.classifier import Asked, Classifier
from dermalens.predict.ensemble import turned
from dermalens.predict.quality import assess
from dermalens.predict.session import Session, Squares
from dermalens.transforms.preprocess import SquarePixels, preprocess

ROOT: Final = Path(__file__).resolve().parents[1]
HALF_TURN: Final = ("identity", "turn_180")
"""The views of the packaged bundle, which may go through the graph as one batch."""

Call = Callable[[], object]
Clock = Callable[[], float]
Table = dict[str, Any]


def stages(classifier: Classifier, data: bytes, repeats: int) -> Table:
    """Milliseconds of each stage of an answer and its share of the whole; `rest` is what no stage accounts for.

    The outline is not part of a plain answer: it stands beside it.
    """
    asked = Asked(classifier.operating_point())
    decoded = classifier.read(data, asked)
    square = preprocess(decoded.picture, classifier.manifest.preprocess)
    outputs = classifier.run(square[None])
    side = min(decoded.original_size)
    calls: dict[str, Call] = {
        "whole": lambda: classifier.predict(data),
        "decode_and_colour": lambda: classifier.read(data, asked),
        "cut_and_resize": lambda: preprocess(decoded.picture, classifier.manifest.preprocess),
        "graph_with_views": lambda: classifier.run(square[None]),
        "quality": lambda: assess(square, (side, side)),
    }
    gate, outline = classifier.gate, classifier.outline
    if gate is not None:
        calls["gate"] = lambda: gate.judge(outputs.embedding)
    if outline is not None:
        calls["outline_graph"] = lambda: outline.run(square[None])
    medians = {name: statistics.median(times) for name, times in in_rounds(calls, repeats=repeats).items()}
    whole = medians.pop("whole")
    beside = {"outline_graph": medians.pop("outline_graph")} if outline else {}
    parts = medians | {"rest": whole - sum(medians.values())}
    return {
        "whole_ms": round(whole, 2),
        "parts_ms": {name: round(value, 3) for name, value in parts.items()},
        "parts_per_cent": {name: round(100 * value / whole, 1) for name, value in parts.items()},
        "beside_ms": {name: round(value, 3) for name, value in beside.items()},
    }


def decode_table(classifier: Classifier, data: bytes, repeats: int) -> Table:
    """Ways from the bytes to a picture."""
    spec = classifier.manifest.preprocess
    names, refused = usable(READERS, data, spec.side_pixels)
    squares = {name: preprocess(READERS[name](data, spec.side_pixels).picture, spec) for name in names}
    calls: dict[str, Call] = {name: partial(READERS[name], data, spec.side_pixels) for name in names}
    return timed(calls, repeats, _differences(classifier, squares)) | not_run(refused)


def resize_table(classifier: Classifier, data: bytes, repeats: int) -> Table:
    """Ways from a picture to the square."""
    spec = classifier.manifest.preprocess
    picture = classifier.read(data, Asked(classifier.operating_point())).picture
    names, refused = usable(CUTTERS, picture, spec)
    calls: dict[str, Call] = {name: partial(CUTTERS[name], picture, spec) for name in names}
    squares = {name: CUTTERS[name](picture, spec) for name in names}
    return timed(calls, repeats, _differences(classifier, squares)) | not_run(refused)


def graph_table(classifier: Classifier, sessions: Mapping[str, Session], square: Squares, repeats: int) -> Table:
    """Ways to run the graph on one view."""
    calls: dict[str, Call] = {name: partial(session.run, square) for name, session in sessions.items()}
    return timed(calls, repeats, _apart(classifier, {name: one.run(square).logits for name, one in sessions.items()}))


def views_table(sessions: Mapping[str, Session], square: Squares, repeats: int) -> Table:
    """Two views one after the other, as by default, and as one batch."""
    views = [turned(square, view) for view in HALF_TURN]
    both = np.concatenate(views)
    calls: dict[str, Call] = {}
    for name in ("default", "openvino_fp32"):
        if name in sessions:
            calls[name] = partial(_each, sessions[name], views)
            calls[f"{name}_one_batch"] = partial(sessions[name].run, both)
    return timed(calls, repeats)


def threads_table(material: Material, square: Squares, repeats: int) -> Table:
    """One view on two threads, which may spin or sleep while they wait; wall-clock time, as two threads share it."""
    two = replace(material, threads=2)
    sessions = {name: WAYS[name](two) for name in ("default", "spinning_off")}
    return timed(
        {name: partial(session.run, square) for name, session in sessions.items()}, repeats, clock=time.perf_counter
    )


def opening_table(material: Material, *, repeats: int = 7) -> Table:
    """What it takes to open the graph, and one that was optimised beforehand."""
    optimised_graph(material)  # made before, not while it is timed
    calls: dict[str, Call] = {
        "default": lambda: tuned(material, unchanged),
        "optimised_beforehand": lambda: optimised_beforehand(material),
    }
    return timed(calls, repeats)


def whole_table(ways: Mapping[str, Way], data: bytes, repeats: int) -> Table:
    """Bytes to answer by each way."""
    return timed({name: partial(way.answer, way.make(), data) for name, way in ways.items()}, repeats)


def peak_megabytes(graph: bytes, square: Squares, name: str) -> float:
    """Peak resident memory of a process that opens the graph in a way and runs it on a square. Linux only."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / file for file in ("model.onnx", "square.npy")]
        files[0].write_bytes(graph)
        np.save(files[1], square)
        command = [sys.executable, "-c", MEMORY_PROCESS, name, *map(str, files)]
        run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return round(
        int(run.stdout) / 1024, 1
    )  # in KiB; of the process itself, unlike ru_maxrss, which begins with the parent's


MEMORY_PROCESS: Final = """
import sys
from pathlib import Path
import numpy as np
from benchmarks.inference_graphs import WAYS, Material
session, square = WAYS[sys.argv[1]](Material(Path(sys.argv[2]).read_bytes(), None)), np.load(sys.argv[3])
for _ in range(10):
    session.run(square)
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def timed(
    calls: Mapping[str, Call],
    repeats: int,
    apart: Mapping[str, float] | None = None,
    *,
    clock: Clock = time.process_time,
) -> Table:
    """Median milliseconds of each call and its ratio to the first; with the difference of a probability where given.

    The ratio is the median of those of each round, so that a round in which the machine was busy counts no more.
    """
    times = in_rounds(calls, repeats=repeats, clock=clock)
    default = next(iter(times.values()))
    return {
        name: {
            "ms": round(statistics.median(own), 3),
            "ratio": round(statistics.median(one / other for one, other in zip(own, default, strict=True)), 3),
            **({} if apart is None else {"largest_difference_probability": apart[name]}),
        }
        for name, own in times.items()
    }


def in_rounds(
    calls: Mapping[str, Call], *, repeats: int, warm_up: int = 2, clock: Clock = time.process_time
) -> dict[str, list[float]]:
    """Milliseconds of each call in every round."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(warm_up + repeats):
        for name, call in calls.items():
            start = clock()
            call()
            if turn >= warm_up:
                times[name].append((clock() - start) * 1000)
    return times


def not_run(reasons: Mapping[str, str]) -> Table:
    """The ways that are not measured, with the reason."""
    return {name: {"not_run": reason} for name, reason in reasons.items()}


def _each(session: Session, views: list[Squares]) -> None:
    for view in views:
        session.run(view)


def _differences(classifier: Classifier, squares: Mapping[str, SquarePixels]) -> dict[str, float]:
    """By how much a probability differs at most from that of the first square."""
    return _apart(classifier, {name: classifier.run(square[None]).logits for name, square in squares.items()})


def _apart(classifier: Classifier, logits: Mapping[str, Any]) -> dict[str, float]:
    """By how much a calibrated probability differs at most from the first."""
    found = {name: calibrate(one, classifier.manifest.calibration) for name, one in logits.items()}
    first = next(iter(found.values()))
    return {name: round(float(np.abs(one - first).max()), 7) for name, one in found.items()}
