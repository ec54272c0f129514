"""What the machine could do at most: one classifier of one thread on every core at once, bytes to answer."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from statistics import mean, median
from typing import Final

from dermalens.core.cores import usable_cores

CORES: Final = usable_cores()
WARM_UP: Final = 3


def bound(pictures: Sequence[bytes], repeats: int) -> dict[str, float]:
    """Images a second of all cores by the median time of an image; each core takes the pictures in turn, in memory."""
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(CORES), context.Queue()
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    processes = [context.Process(target=_bare, args=(pictures, repeats, barrier, answers)) for _ in range(CORES)]
    for process in processes:
        process.start()
    times = [time_ for _ in processes for time_ in answers.get()]
    for process in processes:
        process.join()
    if before is None:
        del os.environ["OMP_NUM_THREADS"]
    else:
        os.environ["OMP_NUM_THREADS"] = before
    wall, used = zip(*times, strict=True)
    return {
        "images_per_second": round(CORES / median(wall), 3),
        "median_ms": round(1000 * median(wall), 2),
        "processor_ms": round(1000 * mean(used), 2),
    }


def between(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """The mean of two bounds, for what was measured between them."""
    return {name: round((before[name] + after[name]) / 2, 3) for name in before}


def _bare(pictures: Sequence[bytes], repeats: int, barrier: Barrier, answers: Queue[list[tuple[float, float]]]) -> None:
    import dermalens

    classifier = dermalens.load(threads=1)
    for data in pictures[:WARM_UP]:
        classifier.predict(data)
    barrier.wait()
    times = []
    for turn in range(repeats):
        began, used = time.perf_counter(), time.process_time()
        classifier.predict(pictures[turn % len(pictures)])
        times.append((time.perf_counter() - began, time.process_time() - used))
    answers.put(times)
