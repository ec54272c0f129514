"""`dermalens equip`: add to a finished bundle what validation images say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def equip(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Bundle folder; its bundle.json is written anew.")],
    split: Annotated[Path, typer.Option(metavar="CSV", help="The split that the bundle was trained on.")],
    coverage: Annotated[float, typer.Option(help="Of the prediction sets: 0.9 for nine images of ten.")] = 0.9,
) -> None:
    """Add prediction sets and the prevalence that the probabilities assume to a bundle made before they existed.

    Bundles that `dermalens export` writes have them already; its graphs and thresholds stay as they are.
    """
    from dermalens.cli.extras import needing
    from dermalens.cli.progress import counting
    from dermalens.core.bundlefile import read_bundle

    with needing("eval", "Fitting prediction sets"):
        from dermalens.data.split import read_split
        from dermalens.export.equip import equip as add
    loaded = read_bundle(bundle)
    with counting(len(read_split(split).part("val")), "Classifying") as advance:
        written = add(bundle, loaded, split, coverage=coverage, advance=advance)
    conformal, prevalence = written.manifest.conformal, written.manifest.prevalence
    if conformal is None or prevalence is None:
        return
    typer.echo(f"{bundle}: prediction sets at {100 * coverage:g} % coverage, prevalence {prevalence:.3f}")
    thresholds = zip(written.manifest.classes, conformal.thresholds, strict=True)
    always = [code for code, threshold in thresholds if threshold == 0]
    if always:
        typer.echo(f"  in every set, as validation has too few images of them: {', '.join(always)}")
