"""`dermalens train` on a CPU with the depthwise convolutions and norms of benchmarks/fast_cpu.

    python -m benchmarks.train_fast recipes/default_lite1.toml --out runs/default_lite1

The recipe, the run folder and `--resume` are those of `dermalens train`; the numbers differ by rounding. How much
faster it is stands in docs/decisions/0014-training-throughput.md.
"""

from __future__ import annotations

import sys

from benchmarks.fast_cpu.depthwise import speed_up
from benchmarks.fast_cpu.norm import speed_up_norms
from dermalens.cli.main import main
from dermalens.train.module import LesionModule


class FastModule(LesionModule):
    """Sets convolutions and norms before the network is first asked."""

    def on_fit_start(self) -> None:
        super().on_fit_start()
        speed_up(self.network)  # last, as a run in bfloat16 sets others; compiled at the first step
        if not self.recipe.trainer.compile:
            speed_up_norms(self.network)  # which the compiler cannot see into


if __name__ == "__main__":
    from dermalens.train import run

    setattr(run, "LesionModule", FastModule)  # noqa: B010  (what `train` builds its network with)
    sys.argv.insert(1, "train")
    main()
