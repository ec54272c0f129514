"""`dermalens train`: a recipe to a run folder with checkpoints, log and curves."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lightning.pytorch.callbacks import Callback
    from rich.console import Console

    from dermalens.train.run import TrainingSummary


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="TOML file; the repository's are in recipes/.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key, such as optimizer.lr=1e-4.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Run folder; runs/NAME if not given.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
) -> None:
    """Train a classifier by a recipe; the best epoch on the validation part is kept.

    The recipe of an ensemble trains its members one after the other.
    """
    from rich.console import Console

    from dermalens.cli.extras import needing
    from dermalens.train.ensemble_recipe import EnsembleRecipe, read_any_recipe

    wanted = read_any_recipe(recipe, changes or ())
    with needing("train", "Training"):
        from dermalens.train.ensemble import train_ensemble
        from dermalens.train.progress import progress_callbacks
        from dermalens.train.run import train as run
    console, folder = Console(stderr=True), out or Path("runs") / wanted.name
    if isinstance(wanted, EnsembleRecipe):
        for name, done in train_ensemble(wanted, folder, resume=resume, watch=_titled(console)).items():
            _say(done, f"{name}: best epoch")
    else:
        done = run(wanted, folder, resume=resume, callbacks=progress_callbacks(console))
        if not done.is_first_process:
            return
        _say(done, "Best epoch")
    typer.echo(f"Next: dermalens export {quote(str(folder))}", err=True)


def _titled(console: Console) -> Callable[[str], Sequence[Callback]]:
    """Says which member and fold is next, and watches it."""
    from dermalens.train.progress import progress_callbacks

    def watch(title: str) -> Sequence[Callback]:
        console.print(title, highlight=False)
        return progress_callbacks(console)

    return watch


def _say(done: TrainingSummary, beginning: str) -> None:
    best = done.best
    typer.echo(
        f"{beginning} {best.epoch} of {done.epochs} (counted from 0): on the validation part balanced accuracy "
        f"{best.val_balanced_accuracy:.3f}, macro AUC {best.val_macro_auc:.3f}."
    )
    typer.echo(f"  checkpoint {done.checkpoint}\n  curves     {done.curves}\n  log        {done.log}")
