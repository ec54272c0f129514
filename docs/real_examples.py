"""Write docs/examples/real.json: what `dermalens predict` prints for three real images of the test part.

    python docs/real_examples.py SPLIT.csv

The images stay where they are (HAM10000, CC BY-NC 4.0); the first test image of each of three classes is taken, in
order of image id, so that nobody chose them by their answers.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from generate import ROOT, run_dermalens

from dermalens.data.split import read_split

CLASSES = ("mel", "bcc", "nv")


def main() -> None:
    """Take the images from the split named on the command line."""
    rows = sorted(read_split(Path(sys.argv[1])).part("test"), key=lambda row: row.image_id)
    chosen = [next(row for row in rows if row.label == label) for label in CLASSES]
    paths = [Path(os.path.relpath(row.path, ROOT)).as_posix() for row in chosen]
    content = {
        "labels": {row.image_id: row.label for row in chosen},
        "command": ["predict", *paths],
        "output": run_dermalens("predict", *paths),
    }
    target = ROOT / "docs/examples/real.json"
    target.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(content["output"])


if __name__ == "__main__":
    main()
