"""`make bench`: run every benchmark that needs no data and write benchmarks/results/*.json.

`make docs` turns them into tables.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import (
    answer_parts,
    cleaning,
    evaluation,
    faults,
    folder,
    inference_paths,
    load,
    million_rows,
    ray_engine,
    scaling,
    single_image,
    training,
)

RESULTS = Path(__file__).resolve().parent / "results"
BENCHMARKS: dict[str, Callable[[], Mapping[str, object]]] = {
    "single_image": single_image.measure,
    "folder": folder.measure,
    "ray_engine": ray_engine.measure,
    "scaling": scaling.measure,
    "cleaning": cleaning.measure,
    "answer_parts": answer_parts.measure_packaged,
    "evaluation": evaluation.measure,
    "inference_paths": inference_paths.measure,
    "load": load.measure,
    "load_memory": load.measure_memory,
    "faults": faults.measure,
    "training": training.measure,
    "million_rows": million_rows.measure,
}


def main() -> None:
    """Run the benchmarks named on the command line, or all."""
    RESULTS.mkdir(exist_ok=True)
    for name in sys.argv[1:] or BENCHMARKS:
        result = BENCHMARKS[name]()
        target = RESULTS / f"{name}.json"
        target.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        print(f"{target.relative_to(RESULTS.parents[1])}:\n{json.dumps(result, indent=2)}")


if __name__ == "__main__":
    main()
