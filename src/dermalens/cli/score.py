"""`dermalens score`: score a prediction file of anyone's model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dermalens.cli.evaluate import AsJson, Draws, Prevalence


def score(  # noqa: PLR0913  (each is an option of the command)
    context: typer.Context,
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="CSV in the layout of the ISIC challenge or in ours.")
    ],
    truth: Annotated[
        Path, typer.Argument(metavar="TRUTH", help="Index or split of labelled images, or the ISIC ground truth.")
    ],
    part: Annotated[
        str | None, typer.Option(help="train, val, test or all.", show_default="test of a split, else all")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write report.html, report.json and figures.")] = None,
    normalise: Annotated[
        bool, typer.Option("--normalise", help="Divide each row by its sum, for confidences that do not sum to one.")
    ] = False,
    prevalence: Prevalence = None,
    draws: Draws = 1000,
    as_json: AsJson = False,
) -> None:
    """Score predictions against the truth: each figure with its 95 % interval from a bootstrap over lesions.

    Missing, unknown or duplicate images, and rows that are no probabilities, are refused by name.
    """
    from dermalens.cli.extras import needing

    with needing("eval", "Scoring"):
        from dermalens.cli.summary import print_summary, typed
        from dermalens.evaluate.evaluation_types import EvaluationSettings
        from dermalens.evaluate.run import ScoreOrder, run_scoring

    settings = EvaluationSettings(draws=draws, prevalence=prevalence)
    order = ScoreOrder(predictions, truth, typed(context), part, out, normalise=normalise, settings=settings)
    print_summary(run_scoring(order), as_json=as_json)
    if out:
        typer.echo(f"report: {out / 'report.html'}", err=True)
