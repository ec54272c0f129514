"""`dermalens batch --engine ray` on one machine beside the local engine, by turns over the same folder.

    make bench ARGS=ray_engine        (about 6 minutes; nothing else should run)

The whole command has the start of Ray, some seconds; the steady rate is the work of the same scorer in its actors.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.batch_run import steady_run
from benchmarks.bound import CORES
from benchmarks.many_pictures import drawn, fill
from benchmarks.pictures import SMALL
from benchmarks.timing import machine
from benchmarks.watched import dermalens, watch

IMAGES: Final = 2000
DISTINCT: Final = 50
ENGINES: Final = ("local", "ray", "local")
"""The second run of the local engine shows what the machine did meanwhile."""
AIM: Final = 0.8


def measure(images: int = IMAGES, distinct: int = DISTINCT) -> dict[str, Any]:
    """Images a second of both engines, whole command and steady, and the ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = fill(folder / "pictures", images, drawn(distinct, SMALL))
        whole = _in_turns(folder, "whole", lambda engine, out: _whole(source, out, engine, images))
        steady = _in_turns(folder, "steady", lambda engine, out: steady_run(source, out, engine=engine))
    ratios = {"whole_command": _ratio(whole), "steady": _ratio(steady)}
    return {
        "machine": machine(),
        "images": images,
        "workers": CORES,
        "whole_command": whole,
        "steady": steady,
        "ray_share_of_local": ratios,
        "aim": AIM,
        "aim_reached": ratios["steady"] >= AIM,
    }


def _in_turns(
    folder: Path, what: str, run: Callable[[str, Path], dict[str, float]]
) -> dict[str, list[dict[str, float]]]:
    found: dict[str, list[dict[str, float]]] = {engine: [] for engine in ENGINES}
    for number, engine in enumerate(ENGINES):
        found[engine].append(run(engine, folder / f"{what}_{number}"))
    return found


def _whole(source: Path, out: Path, engine: str, images: int) -> dict[str, float]:
    watched = watch(dermalens("batch", source, out, "--engine", engine))
    memory = watched.memory()
    return {
        "seconds": round(watched.seconds, 2),
        "images_per_second": round(images / watched.seconds, 3),
        "peak_mb": round(memory["peak_mb_of_the_command"] + memory["peak_mb_of_its_workers"], 1),
    }


def _ratio(runs: dict[str, list[dict[str, float]]]) -> float:
    rates = {engine: median(run["images_per_second"] for run in own) for engine, own in runs.items()}
    return round(rates["ray"] / rates["local"], 3)
