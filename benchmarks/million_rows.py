"""Time and peak memory of `dermalens data index`, `split` and `audit` for up to a million made-up rows.

    make bench ARGS=million_rows

No million images are at hand: the rows name a thousand drawn ones again and again, and each command opens a file once.
So this is the work on rows; what a file costs to open is measured beside it, and comes on top where each row has a
file of its own. Each command runs in a process of its own, from the first import to the last line.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from benchmarks.timing import machine
from dermalens.core.taxonomy import CLASSES

ROWS: Final = (100_000, 300_000, 1_000_000)
FILES: Final = 1000
AIM_S, AIM_MIB = 60, 1024

CHILD: Final = """
import json, resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "dermalens", "data", *sys.argv[1:]], capture_output=True, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([done.returncode, done.stderr[-500:], used.ru_maxrss / 1024, used.ru_utime + used.ru_stime]))
"""
"""A process between, so that the peak is that of one command."""


def measure(sizes: Sequence[int] = ROWS, files: int = FILES) -> dict[str, Any]:
    """Seconds, processor seconds and MiB of each command at each number of rows, and whether they grow in line."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_files(folder, files)
        runs = {f"{rows:,} rows": _commands(folder, rows) for rows in sizes}
        opening = _run(["index", str(write_table(folder, files)), "--out", str(folder / "few.csv")])
    most = runs[f"{sizes[-1]:,} rows"]
    return {
        "machine": machine(),
        "files": files,
        f"index of {files} rows and files": opening,
        **runs,
        "aim": {"seconds": AIM_S, "mebibytes": AIM_MIB},
        "aim_reached": all(run["seconds"] < AIM_S and run["peak_mib"] < AIM_MIB for run in most.values()),
        "growth_per_row": {
            command: _growth(sizes, [runs[f"{rows:,} rows"][command]["processor_seconds"] for rows in sizes])
            for command in most
        },
    }


def _growth(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Time of a further row between the last two sizes, by that between the first two: 1 is linear."""
    (a, b, c), (first, second, third) = sizes, seconds
    return round((third - second) / (c - b) / ((second - first) / (b - a)), 2)


def _commands(folder: Path, rows: int) -> dict[str, dict[str, float]]:
    table, index, split = write_table(folder, rows), str(folder / "index.csv"), str(folder / "split.csv")
    return {
        "index": _run(["index", str(table), "--out", index]),
        "split": _run(["split", index, "--out", split]),
        "audit": _run(["audit", split]),
    }


def _run(arguments: Sequence[str]) -> dict[str, float]:
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", CHILD, *arguments], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    code, talk, mebibytes, processor = json.loads(done.stdout)
    if code != 0:
        raise SystemExit(f"dermalens data {' '.join(arguments)}: {talk}")
    return {"seconds": round(seconds, 1), "processor_seconds": round(processor, 1), "peak_mib": round(mebibytes)}


def draw_files(folder: Path, count: int) -> None:
    """Small pictures of noise, no two alike."""
    random = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for number in range(count):
        small = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        small.resize((160, 120), Image.Resampling.BICUBIC).save(folder / "pictures" / f"{number}.jpg")


def write_table(folder: Path, rows: int) -> Path:
    """A table as hospitals have it: two images a lesion, the files in turn."""
    files = len(list((folder / "pictures").iterdir()))
    target = folder / f"table_{rows}.csv"
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image_id", "path", "label", "lesion_id", "age", "sex", "site"])
        for row in range(rows):
            lesion, label = f"lesion_{row // 2:07d}", CLASSES[row // 2 % len(CLASSES)]
            path = f"pictures/{row % files}.jpg"
            writer.writerow(
                [f"image_{row:07d}", path, label, lesion, 20 + row % 60, ("male", "female")[row % 2], "back"]
            )
    return target
