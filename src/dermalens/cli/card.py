"""`dermalens card`: the model card of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def card(
    bundle: Annotated[Path | None, typer.Argument(metavar="[BUNDLE]", help="The packaged bundle if not given.")] = None,
) -> None:
    """Print the model card of a bundle as Markdown: intended use, limits, figures with intervals, data and licence."""
    from dermalens.core.bundlefile import read_bundle
    from dermalens.evaluate.card import model_card
    from dermalens.predict.classifier import DEFAULT_BUNDLE

    found = read_bundle(bundle or DEFAULT_BUNDLE)
    typer.echo(model_card(found.manifest, found.sha256), nl=False)
