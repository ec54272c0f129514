"""`dermalens train` on a CPU with the depthwise convolutions of benchmarks/fast_depthwise.

    python -m benchmarks.train_fast recipes/default_lite1.toml --out runs/default_lite1

The recipe, the run folder and `--resume` are those of `dermalens train`; the numbers differ by rounding. How much
faster it is stands in docs/decisions/0014-training-throughput.md.
"""

from __future__ import annotations

import sys

from benchmarks.fast_depthwise.operator import speed_up
from dermalens.cli.main import main
from dermalens.train.module import LesionModule


class FastModule(LesionModule):
    """Sets the convolutions before the network is compiled."""

    def on_fit_start(self) -> None:
        speed_up(self.network)
        super().on_fit_start()


if __name__ == "__main__":
    from dermalens.train import run

    setattr(run, "LesionModule", FastModule)  # noqa: B010  (what `train` builds its network with)
    sys.argv.insert(1, "train")
    main()
