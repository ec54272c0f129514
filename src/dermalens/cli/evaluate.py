"""`dermalens evaluate`: figures of a bundle on labelled images, with intervals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Bundle folder.")],
    index: Annotated[Path, typer.Argument(metavar="INDEX", help="Index or split of labelled images.")],
    part: Annotated[str, typer.Option(help="train, val, test, or all for an index without parts.")] = "test",
    record: Annotated[
        bool, typer.Option("--record", help="Write the figures into the bundle (test part only).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The figures as JSON.")] = False,
) -> None:
    """Judge the exported bundle: each figure with its 95 % interval from a bootstrap over lesions."""
    from dermalens.cli.extras import needing
    from dermalens.cli.progress import counting
    from dermalens.core.errors import DermaLensError

    with needing("eval", "Evaluation"):
        from dermalens.evaluate.card import FIGURE_NAMES, show
        from dermalens.evaluate.judge import judge
        from dermalens.evaluate.record import record_figures, rows_of
    from dermalens.predict.classifier import load

    if record and part != "test":
        raise DermaLensError(f"--record takes the test part only; --part {part} was given.")
    classifier, rows = load(bundle), rows_of(index, part)
    with counting(len(rows), "Classifying") as advance:
        figures = judge(classifier, rows, advance=advance)
    if record:
        record_figures(bundle, classifier.bundle, figures, index)
    if as_json:
        typer.echo(json.dumps({name: figure.model_dump() for name, figure in figures.items()}, indent=2))
        return
    typer.echo(f"{len(rows)} images of {index} ({part})")
    for name, figure in figures.items():
        typer.echo(f"  {FIGURE_NAMES.get(name, name)}: {show(figure)}, n = {figure.n}")
