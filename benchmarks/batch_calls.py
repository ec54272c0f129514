"""A batch run whose workers note when each call of their scorer began and ended, for its rate without start-up and end.

benchmarks/batch_run.py makes such a run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from dermalens.batch.scorer import Image, Rows, Scorer

LOG: Final = "DERMALENS_BENCH_CALLS"
"""Names the folder of the notes, which also the workers of Ray inherit."""
READERS: Final = "DERMALENS_BENCH_READERS"
"""Threads of a worker that read ahead, in the place of what the scorer chooses."""

READ_WAIT: Final = "DERMALENS_BENCH_READ_WAIT"
"""Seconds that each read waits in addition, as one over a network does."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a worker's scorer; seconds of a clock that all processes of the machine share."""

    worker: int
    began: float
    ended: float
    images: int
    processor_s: float = 0
    """Of the worker, which goes on when something else has the core."""


class NotingScorer(Scorer):
    """The scorer of every engine, which appends a line to the file of its process at each call."""

    def _readers(self, keys: Sequence[str]) -> int:
        return int(os.environ[READERS]) if READERS in os.environ else super()._readers(keys)

    def _open(self, key: str) -> Image:
        time.sleep(float(os.environ.get(READ_WAIT, "0")))
        return super()._open(key)

    def __call__(self, batch: Mapping[str, NDArray[Any]]) -> Rows:
        """Rows, as the scorer gives them."""
        began, used = time.monotonic(), time.process_time()
        rows = super().__call__(batch)
        line = [os.getpid(), began, time.monotonic(), len(rows["path"]), time.process_time() - used]
        with Path(os.environ[LOG], f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        return rows


def read_calls(folder: Path) -> list[Call]:
    """What all workers noted."""
    lines = [line for file in folder.glob("*.jsonl") for line in file.read_text(encoding="utf-8").splitlines()]
    return [Call(*json.loads(line)) for line in lines]


def steady(calls: Sequence[Call]) -> dict[str, float]:
    """Images a second while every worker was at work: from the first call of the last one to the last of the first one.

    A call that reaches over an end counts with its share. What a worker waits between two calls is lost to the rate;
    `busy` is the share that it did not wait. `end_s` is how long the others still worked when the first had no more.

    >>> steady([Call(1, 0, 2, 4), Call(1, 2, 4, 4), Call(2, 1, 3, 4), Call(2, 3, 5, 4)])
    {'images_per_second': 4.0, 'busy': 1.0, 'images': 12.0, 'end_s': 1}
    """
    workers = {call.worker for call in calls}
    begin = max(min(call.began for call in calls if call.worker == one) for one in workers)
    ends = [max(call.ended for call in calls if call.worker == one) for one in workers]
    span = min(ends) - begin
    if span <= 0:
        raise SystemExit("The workers were never at work together; more images are needed.")
    shares = [(call, max(0.0, min(call.ended, *ends) - max(call.began, begin))) for call in calls]
    images = sum(call.images * inside / (call.ended - call.began) for call, inside in shares)
    return {
        "images_per_second": round(images / span, 3),
        "busy": round(sum(inside for _, inside in shares) / span / len(workers), 4),
        "images": round(images, 1),
        "end_s": round(max(ends) - min(ends), 3),
    }
