"""`dermalens train`: a recipe to a run folder with checkpoints, log and curves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="TOML file; the repository's are in recipes/.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key, such as optimizer.lr=1e-4.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Run folder; runs/NAME if not given.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
) -> None:
    """Train a classifier by a recipe; the best epoch on the validation part is kept."""
    from rich.console import Console

    from dermalens.cli.extras import needing
    from dermalens.train.recipe import read_recipe

    wanted = read_recipe(recipe, changes or ())
    with needing("train", "Training"):
        from dermalens.train.progress import progress_callbacks
        from dermalens.train.run import train as run
    console = Console(stderr=True)
    done = run(wanted, out or Path("runs") / wanted.name, resume=resume, callbacks=progress_callbacks(console))
    if not done.is_first_process:
        return
    best = done.best
    typer.echo(
        f"Best epoch {best.epoch} of {done.epochs} (counted from 0): on the validation part balanced accuracy "
        f"{best.val_balanced_accuracy:.3f}, macro AUC {best.val_macro_auc:.3f}."
    )
    typer.echo(f"  checkpoint {done.checkpoint}\n  curves     {done.curves}\n  log        {done.log}")
    typer.echo(f"Next: dermalens export {done.folder}", err=True)
