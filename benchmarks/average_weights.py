"""The mean of the weights of several epochs of one run, as a run that `dermalens export` reads.

    python -m benchmarks.average_weights OUT RUN CHECKPOINT [CHECKPOINT ...]

An average over many epochs lies flatter than that of `optimizer.ema_decay`, which reaches back two or three:
P. Izmailov et al., Averaging weights leads to wider optima and better generalization, UAI 2018. The checkpoints are
those of RUN, such as its best.ckpt and its last.ckpt, or copies of its last.ckpt after some epochs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from dermalens.train.checkpoint import BEST
from dermalens.train.epochs import METRICS, read_metrics
from dermalens.train.notes import finish_notes, read_notes, write_notes

State = dict[str, Tensor]


def main() -> None:
    """Write the folder and say which epochs are in it."""
    out, run, *files = map(Path, sys.argv[1:])
    if not files:
        raise SystemExit(__doc__)
    checkpoints = [torch.load(file, map_location="cpu", weights_only=True) for file in files]
    epochs = ", ".join(str(checkpoint["epoch"]) for checkpoint in checkpoints)
    out.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": mean_of([checkpoint["state_dict"] for checkpoint in checkpoints])}, out / BEST)
    write_notes(out, read_notes(run))
    finish_notes(read_metrics(run / METRICS), torch.device("cpu"), out)
    notes = read_notes(out)
    write_notes(out, {**notes, "training": {**notes["training"], "averaged_epochs": epochs}})
    print(f"Written to {out}: the mean of the weights of the epochs {epochs}")


def mean_of(states: Sequence[State]) -> State:
    """The mean of each tensor; of counters the last."""
    return {
        name: torch.stack([state[name].double() for state in states]).mean(0).to(last.dtype)
        if last.is_floating_point()
        else last
        for name, last in states[-1].items()
    }


if __name__ == "__main__":
    main()
