"""`make bench`: run every benchmark that needs no data and write benchmarks/results/*.json.

`make docs` turns them into tables.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks import answer_parts, cleaning, evaluation, inference_paths, load, single_image

RESULTS = Path(__file__).resolve().parent / "results"
BENCHMARKS = {
    "single_image": single_image.measure,
    "cleaning": cleaning.measure,
    "answer_parts": answer_parts.measure_packaged,
    "evaluation": evaluation.measure,
    "inference_paths": inference_paths.measure,
    "load": load.measure,
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
