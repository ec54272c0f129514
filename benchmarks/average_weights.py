"""The mean of the weights of several epochs of one run, as a run that `dermalens export` reads.

    python -m benchmarks.average_weights OUT RUN CHECKPOINT [CHECKPOINT ...]

An average over many epochs lies flatter than that of `optimizer.ema_decay`, which reaches back two or three:
P. Izmailov et al., Averaging weights leads to wider optima and better generalization, UAI 2018. The checkpoints are
those of RUN, such as its best.ckpt and its last.ckpt, or copies of its last.ckpt after some epochs.

A checkpoint may also be the file of weights that RUN started from (`benchmarks.recover_weights`): half way from there,
a network that was trained on for pictures of another kind keeps more of what it knew: M. Wortsman et al., Robust
fine-tuning of zero-shot models, CVPR 2022.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
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
    own = torch.load(run / BEST, map_location="cpu", weights_only=True)["state_dict"]
    states, names = zip(*(read_state(file, own) for file in files), strict=True)
    epochs = ", ".join(names)
    out.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": mean_of(states)}, out / BEST)
    write_notes(out, read_notes(run))
    finish_notes(read_metrics(run / METRICS), torch.device("cpu"), out)
    notes = read_notes(out)
    write_notes(out, {**notes, "training": {**notes["training"], "averaged_epochs": epochs}})
    print(f"Written to {out}: the mean of the weights of the epochs {epochs}")


def read_state(file: Path, own: State) -> tuple[State, str]:
    """The weights of a checkpoint and its epoch; what a file of weights lacks, such as counters, is that of `own`."""
    if file.suffix != ".safetensors":
        checkpoint = torch.load(file, map_location="cpu", weights_only=True)
        return checkpoint["state_dict"], str(checkpoint["epoch"])
    given = {f"network.{name}": tensor for name, tensor in load_file(file).items()}
    if unknown := sorted(set(given) - set(own)):
        raise SystemExit(
            f"{file} is of another network: {unknown[0]} is not in it. Give the weights that RUN began with."
        )
    return {**own, **given}, "start"


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
