"""What gate, heat map, outline and measures add to the time of a plain classification of one image.

    python -m benchmarks.answer_parts [--image IMAGE] [--bundle BUNDLE] [--out FILE]

The calls take turns, so that whatever else the machine does meets all of them alike. Writes results/answer_parts.json.
The aim is that all parts together add less than 40 %.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks.timing import machine
from dermalens.predict.classifier import Classifier, load

RESULTS: Final = Path(__file__).resolve().parent / "results"
IMAGE: Final = RESULTS.parents[1] / "docs" / "examples" / "drawn_mole.jpg"
AIM_PER_CENT: Final = 40

Call = Callable[[], object]


def main() -> None:
    """Measure what the command line names and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", type=Path, default=IMAGE)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--out", type=Path, default=RESULTS / "answer_parts.json")
    asked = parser.parse_args()
    found = measure(load(asked.bundle), asked.image.read_bytes(), repeats=asked.repeats)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps({"image": asked.image.name} | found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


def measure_packaged() -> dict[str, Any]:
    """The parts of the packaged bundle, on the drawn mole."""
    return {"image": IMAGE.name} | measure(load(), IMAGE.read_bytes())


def measure(classifier: Classifier, data: bytes, *, repeats: int = 50) -> dict[str, Any]:
    """Median milliseconds of each answer and what it adds to the plain one; of the parts that the bundle has."""
    has_outline = classifier.outline is not None
    plain = replace(classifier, gate=None, outline=None)
    calls: dict[str, Call] = {
        "plain": lambda: plain.predict(data, anyway=True),
        "gate": lambda: classifier.predict(data, anyway=True),
        "heatmap": lambda: plain.predict(data, heatmap=True, anyway=True),
        "all": lambda: classifier.predict(data, heatmap=True, outline=has_outline, anyway=True),
    }
    if has_outline:
        only = replace(classifier, gate=None)
        calls["outline_and_measures"] = lambda: only.predict(data, outline=True, anyway=True)
    medians = in_turns(calls, repeats=repeats)
    answer = classifier.predict(data, outline=has_outline, anyway=True)
    added = {name: round(100 * (time_ms / medians["plain"] - 1), 1) for name, time_ms in medians.items()}
    return {
        "machine": machine(),
        "bundle": f"{classifier.manifest.name} {classifier.manifest.version}",
        "bundle_sha256": classifier.bundle.sha256,
        "repeats": repeats,
        "has_gate": classifier.gate is not None,
        "has_outline": has_outline,
        "outline_found": answer.outline is not None,
        "median_ms": {name: round(time_ms, 2) for name, time_ms in medians.items()},
        "added_per_cent": {name: share for name, share in added.items() if name != "plain"},
        "aim_per_cent": AIM_PER_CENT,
        "aim_reached": added["all"] < AIM_PER_CENT,
    }


def in_turns(calls: Mapping[str, Call], *, repeats: int, warm_up: int = 3) -> dict[str, float]:
    """Median wall-clock milliseconds of each call, one after the other in every round."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(warm_up + repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn >= warm_up:
                times[name].append((time.perf_counter() - start) * 1000)
    return {name: statistics.median(values) for name, values in times.items()}


if __name__ == "__main__":
    main()
