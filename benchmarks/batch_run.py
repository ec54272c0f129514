"""What `dermalens batch` does, with the same engine and the same shards, but with workers that note their calls.

python -m benchmarks.batch_run SOURCE OUT local|ray WORKERS          (prints the figures as JSON)
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.batch_calls import LOG, NotingScorer, read_calls, steady
from benchmarks.bound import CORES
from benchmarks.watched import printed


def run(source: str, out: str, engine: str, workers: int) -> dict[str, float]:
    """A whole run, and the figures of its calls."""
    from dermalens.batch.output import open_output
    from dermalens.batch.ray_engine import score_with_ray
    from dermalens.batch.run import Wanted, finish, prepare
    from dermalens.batch.workers import score_locally

    score = {"local": score_locally, "ray": score_with_ray}[engine]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as notes:
        os.environ[LOG] = notes
        found = prepare(Wanted(source), open_output(out))
        prepared, own = time.monotonic(), time.process_time()
        finish(replace(found, work=replace(found.work, scorer=NotingScorer)), partial(score, workers=workers))
        calls = read_calls(Path(notes))
    images = sum(call.images for call in calls)
    first = min(call.began for call in calls)
    return {
        **steady(calls),
        "processor_ms_per_image": round(1000 * sum(call.processor_s for call in calls) / images, 3),
        "processor_ms_per_image_of_this_process": round(1000 * (time.process_time() - own) / images, 3),
        "prepare_s": round(prepared - began, 3),
        "engine_start_s": round(first - prepared, 3),
        "write_and_stop_s": round(time.monotonic() - max(call.ended for call in calls), 3),
    }


def steady_run(
    source: Path, out: Path, *, engine: str = "local", environment: Mapping[str, str] | None = None
) -> dict[str, float]:
    """Such a run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.batch_run", str(source), str(out), engine, str(CORES)]
    found: dict[str, float] = json.loads(printed(command, environment))
    return found


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))))
