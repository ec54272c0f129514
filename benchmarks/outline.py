"""The outline of a lesion: the graph, what is made of its mask, and the measures, beside the plain classification.

CPU time of one image of 224 pixels on one thread, so that other work on the machine counts less.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dermalens
from benchmarks.pictures import SMALL, jpeg
from benchmarks.timing import machine
from dermalens.core.image import open_upright
from dermalens.core.spec import PreprocessSpec
from dermalens.predict.abcd import measure as measure_lesion
from dermalens.predict.outline import find_outline, open_outline
from dermalens.transforms.preprocess import preprocess

SIDE = 224
REPEATS = 60
GRAPH = Path(__file__).resolve().parents[1] / "runs" / "outline" / "outline.onnx"


def measure(graph: Path = GRAPH) -> dict[str, object]:
    """Milliseconds of each step of the outline, and of the plain classification of the same square."""
    square = preprocess(open_upright(jpeg(*SMALL), wanted_side_pixels=SIDE), PreprocessSpec(side_pixels=SIDE))
    content = graph.read_bytes()
    session, classifier = open_outline(content), dermalens.load()
    belonging = session.run(square[None])[0]
    outline = find_outline(belonging, side_pixels=SIDE, threshold=0.5)
    if outline is None:
        raise SystemExit(f"{graph} finds no lesion in the drawn example; measure with a trained graph.")
    steps: dict[str, Callable[[], object]] = {
        "graph_ms": lambda: session.run(square[None]),
        "outline_ms": lambda: find_outline(belonging, side_pixels=SIDE, threshold=0.5),
        "measures_ms": lambda: measure_lesion(square, outline),
        "classification_ms": lambda: classifier.run(square[None]),
    }
    times = cpu_ms(steps)
    added = times["graph_ms"] + times["outline_ms"] + times["measures_ms"]
    return {
        "machine": machine(),
        "side_pixels": SIDE,
        "graph_megabytes": round(len(content) / 1e6, 2),
        **times,
        "added_to_classification": round(added / times["classification_ms"], 3),
    }


def cpu_ms(steps: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median CPU time of each step in milliseconds; the steps take turns, so that all meet the same neighbours."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(REPEATS + 1):
        for name, call in steps.items():
            start = time.process_time()
            call()
            if number:  # the first does not count
                times[name].append((time.process_time() - start) * 1000)
    return {name: round(statistics.median(values), 2) for name, values in times.items()}


def main() -> None:
    """Print the figures of the graph named on the command line, or of that in runs/outline."""
    figures = measure(Path(sys.argv[1])) if len(sys.argv) > 1 else measure()
    for name, figure in figures.items():
        print(f"{name}: {figure}")


if __name__ == "__main__":
    main()
