"""`dermalens batch` on a thousand, ten thousand and a hundred thousand images: time in line, memory flat.

    make bench ARGS=scaling                                            (about 45 minutes on two cores)
    DERMALENS_BENCH_COUNTS=1000,10000 make bench ARGS=scaling          (about 5)

The images are real ones where they are at hand and drawn ones otherwise, each there many times under other names. The
time of an image leaves out the start, which is that of a run with two images a core. Listing alone is measured with no
image opened: what a run does before its first answer.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.bound import CORES, between, bound
from benchmarks.many_pictures import drawn, fill, real
from benchmarks.pictures import SMALL
from benchmarks.timing import machine
from benchmarks.watched import dermalens, watch

COUNTS: Final = (1_000, 10_000, 100_000)
LISTED: Final = (100_000, 1_000_000)
COUNTS_FROM: Final = "DERMALENS_BENCH_COUNTS"
AIM: Final = 0.05
STARTS: Final = 3
OF_THE_BOUND: Final = 100

LISTING: Final = """
import sys
from dermalens.batch.output import open_output
from dermalens.batch.run import Wanted, prepare
prepare(Wanted(sys.argv[1]), open_output(sys.argv[2]))
"""


def measure(counts: Sequence[int] = (), listed: Sequence[int] = LISTED) -> dict[str, Any]:
    """Seconds, images a second and memory at each count; the counts of the environment, or the default, if none."""
    named = os.environ.get(COUNTS_FROM)
    counts = sorted(counts or (map(int, named.split(",")) if named else COUNTS))
    originals = real()
    pictures = originals or drawn(50, SMALL)
    start = median(run(pictures, 2 * CORES)["seconds"] for _ in range(STARTS))
    runs = {str(count): run(pictures, count) for count in counts}
    smallest = _seconds_an_image(runs[str(counts[0])], counts[0], start)
    for count in counts:
        own = _seconds_an_image(runs[str(count)], count, start)
        runs[str(count)] |= {"ms_an_image": round(1000 * own, 3), "relative_to_smallest": round(own / smallest, 4)}
    return {
        "machine": machine(),
        "images": "HAM10000, 256x256, repeated" if originals else "drawn, 600x450, repeated",
        "distinct": len(pictures),
        "workers": CORES,
        "start_s": round(start, 2),
        "runs": runs,
        "aim": {"relative_to_smallest": [1 - AIM, 1 + AIM]},
        "aim_reached": all(abs(one["relative_to_smallest"] - 1) <= AIM for one in runs.values()),
        "listing": {str(count): listing(pictures[:100], count) for count in listed},
    }


def run(pictures: Sequence[bytes], count: int) -> dict[str, Any]:
    """One run; the bound before and after shows whether the machine itself became slower or faster."""
    with tempfile.TemporaryDirectory() as name:
        source = fill(Path(name) / "pictures", count, pictures)
        before = bound(pictures[:OF_THE_BOUND], OF_THE_BOUND)
        watched = watch(dermalens("batch", source, Path(name) / "out"))
        around = between(before, bound(pictures[:OF_THE_BOUND], OF_THE_BOUND))
    return {
        "seconds": round(watched.seconds, 2),
        "images_per_second": round(count / watched.seconds, 3),
        "bound_images_per_second": around["images_per_second"],
        **watched.memory(),
    }


def listing(pictures: Sequence[bytes], count: int) -> dict[str, Any]:
    """What a run does before its first answer: the bundle, the folder, the sorted lists and the manifest."""
    with tempfile.TemporaryDirectory() as name:
        source = fill(Path(name) / "pictures", count, pictures)
        watched = watch([sys.executable, "-c", LISTING, str(source), str(Path(name) / "out")])
    return {
        "seconds": round(watched.seconds, 2),
        "microseconds_an_image": round(1e6 * watched.seconds / count, 2),
        "peak_mb_of_the_command": watched.memory()["peak_mb_of_the_command"],
    }


def _seconds_an_image(figures: dict[str, Any], count: int, start: float) -> float:
    """Of those beyond the few of the start."""
    return float(figures["seconds"] - start) / (count - 2 * CORES)
