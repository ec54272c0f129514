"""What it brings a worker to read and decode the next image in a thread while this one is classified.

Runs without and with the thread take turns: on files that the system has in memory, on files that it must fetch from
the disk, and with reads that wait as those of a disk in a network do. All cores have a worker, so that a thread can
only gain where the worker would wait.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.batch_calls import READ_WAIT, READERS
from benchmarks.batch_run import steady_run
from benchmarks.many_pictures import drawn, fill
from benchmarks.pictures import SMALL

ROUNDS: Final = 4
DISTINCT: Final = 20
WAITS: Final = {"in_memory": 0.0, "from_disk": 0.0, "each_read_waits_10_ms": 0.01}


def reader_thread(images: int, rounds: int = ROUNDS) -> dict[str, Any]:
    """Rates and processor time without and with the thread, and the median ratio of the rounds."""
    pictures = drawn(min(DISTINCT, images), SMALL)
    with tempfile.TemporaryDirectory() as name:
        every = [pictures[number % len(pictures)] for number in range(images)]
        source = fill(Path(name) / "pictures", images, every)
        return {where: _compared(source, rounds, where) for where in WAITS}


def _compared(source: Path, rounds: int, where: str) -> dict[str, Any]:
    runs = [{readers: _run(source, readers, where) for readers in (0, 1)} for _ in range(rounds)]
    rates = {readers: [run[readers]["images_per_second"] for run in runs] for readers in (0, 1)}
    used = {readers: [run[readers]["processor_ms_per_image"] for run in runs] for readers in (0, 1)}
    return {
        "images_per_second_without": round(median(rates[0]), 2),
        "images_per_second_with": round(median(rates[1]), 2),
        "ratio": round(median(one / none for none, one in zip(rates[0], rates[1], strict=True)), 3),
        "ratio_of_each_round": [round(one / none, 3) for none, one in zip(rates[0], rates[1], strict=True)],
        "processor_ms_without": round(median(used[0]), 2),
        "processor_ms_with": round(median(used[1]), 2),
    }


def _run(source: Path, readers: int, where: str) -> dict[str, float]:
    if where == "from_disk":
        _forget(source)
    with tempfile.TemporaryDirectory() as out:
        return steady_run(source, Path(out), environment={READERS: str(readers), READ_WAIT: str(WAITS[where])})


def _forget(folder: Path) -> None:
    """Have the system drop the contents of the files; it keeps what is not yet written."""
    os.sync()
    for path in folder.rglob("*.jpg"):
        handle = os.open(path, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)
