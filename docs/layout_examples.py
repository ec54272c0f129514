"""Write docs/examples/layouts.json: what `dermalens data folders` and `data balance` print for a real split.

    python docs/layout_examples.py SPLIT.csv

The commands run in a temporary folder in which the split lies at work/split.csv; the images stay where they are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from generate import ROOT

from dermalens.data.index import write_index
from dermalens.data.split import read_split

COMMANDS = (
    "data folders work/split.csv --out work/dataset",
    "data balance work/split.csv --out work/balanced --per-class 500",
)


def main() -> None:
    """Run the commands on the split named on the command line."""
    rows = read_split(Path(sys.argv[1])).rows
    with tempfile.TemporaryDirectory() as place:
        write_index(rows, Path(place, "work/split.csv"))
        outputs = {command: output_of(command, Path(place)) for command in COMMANDS}
        head = Path(place, "work/balanced/made.csv").read_text(encoding="utf-8").splitlines()[:3]
    target = ROOT / "docs/examples/layouts.json"
    content = {"outputs": outputs, "made": "\n".join(head)}
    target.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print("\n".join(outputs.values()))


def output_of(command: str, folder: Path) -> str:
    """Standard output of a command that is run in `folder`."""
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    call = [sys.executable, "-m", "dermalens", *command.split()]
    run = subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return run.stdout.strip("\n")


if __name__ == "__main__":
    main()
