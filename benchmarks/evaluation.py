"""`dermalens evaluate` with the packaged bundle on 1,500 drawn images of 256 pixels and 1,000 bootstrap draws.

    make bench ARGS=evaluation

The whole command is timed in a process of its own, from the first import to the last figure. The aim is two minutes
on two cores. The labels are dealt out in turn: what is measured is time, the figures mean nothing.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from benchmarks.pictures import EXAMPLE
from benchmarks.timing import machine
from dermalens.core.taxonomy import CLASSES
from dermalens.data.index import Row, write_index

IMAGES: Final = 1500
SIDE: Final = 256
DRAWS: Final = 1000
AIM_S: Final = 120


def measure(images: int = IMAGES) -> dict[str, Any]:
    """Seconds of the whole command, and of its steps as the report states them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        index = draw_index(folder, images)
        arguments = ["evaluate", "packaged", str(index), "--part", "all", "--draws", str(DRAWS), "--out", str(folder)]
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "dermalens", *arguments], check=True, capture_output=True)
        seconds = round(time.perf_counter() - start, 1)
        steps = json.loads((folder / "report.json").read_text(encoding="utf-8"))["seconds"]
    return {
        "machine": machine(),
        "images": images,
        "side_pixels": SIDE,
        "draws": DRAWS,
        "seconds": seconds,
        "steps_s": steps,
        "aim_s": AIM_S,
        "aim_reached": seconds < AIM_S,
    }


def draw_index(folder: Path, images: int) -> Path:
    """An index of the drawn lesion, each time turned and in another light, two images a lesion."""
    random = np.random.default_rng(0)
    with Image.open(EXAMPLE) as picture:
        drawn = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    rows = []
    for number in range(images):
        turned = np.asarray(drawn.rotate(float(random.uniform(0, 360)), fillcolor=(205, 160, 140)), dtype=np.float32)
        light, grain = random.uniform(0.8, 1.15, 3), random.normal(0, 4, (SIDE, SIDE, 1))
        stream = io.BytesIO()
        Image.fromarray((turned * light + grain).clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=90)
        target = folder / f"drawn_{number}.jpg"
        target.write_bytes(stream.getvalue())
        label, lesion = CLASSES[number // 2 % len(CLASSES)], f"lesion_{number // 2}"
        rows.append(Row(target.stem, str(target), label, lesion, age_years=float(20 + number % 60), sex="female"))
    write_index(rows, folder / "index.csv")
    return folder / "index.csv"
