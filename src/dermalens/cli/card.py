"""`dermalens card`: the model card of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def card(
    bundle: Annotated[str | None, typer.Argument(metavar="[BUNDLE]", help="The packaged bundle if not given.")] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="PATH", help="report.json of dermalens evaluate: classes, gaps, calibration.")
    ] = None,
    as_html: Annotated[bool, typer.Option("--html", help="As one HTML file instead of Markdown.")] = False,
) -> None:
    """Print the model card of a bundle as Markdown: intended use, limits, figures with intervals, data and licence."""
    from dermalens.cli.comparison import PACKAGED, folder_of
    from dermalens.core.bundlefile import read_bundle
    from dermalens.evaluate.card import model_card
    from dermalens.evaluate.card_html import model_card_html
    from dermalens.evaluate.card_report import read_judged
    from dermalens.predict.classifier import DEFAULT_BUNDLE

    found = read_bundle(folder_of(PACKAGED if bundle is None else bundle) or DEFAULT_BUNDLE)
    judged = read_judged(report, found.sha256) if report else None
    write = model_card_html if as_html else model_card
    typer.echo(write(found.manifest, found.sha256, judged), nl=False)
