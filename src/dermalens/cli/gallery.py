"""`dermalens gallery`: pictures of where a bundle looked, and the file of one's own cases for `dermalens similar`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dermalens.cli.similar import build

app = typer.Typer(no_args_is_help=True, help="Draw Grad-CAM galleries; build a gallery of similar cases.")
app.command()(build)


@app.command()
def draw(  # noqa: PLR0913  (each is an option of the command)
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Bundle folder; packaged is the one of the package.")],
    index: Annotated[Path, typer.Argument(metavar="INDEX", help="Index or split of labelled images.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the two figures.")] = Path("gallery"),
    part: Annotated[str, typer.Option(help="train, val, test, or all for an index without parts.")] = "test",
    each: Annotated[int, typer.Option(min=1, max=20, help="Images of each class, right or wrong.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the random choice.")] = 0,
    heat_only: Annotated[
        bool, typer.Option("--heat-only", help="Heat maps without the photographs, to be shown where those may not be.")
    ] = False,
) -> None:
    """Draw Grad-CAM galleries: images of each class, and of each class those that were right against wrong."""
    from dermalens.cli.comparison import open_bundle
    from dermalens.cli.extras import needing
    from dermalens.cli.progress import counting

    with needing("eval", "A gallery"):
        from dermalens.evaluate.gallery import class_gallery, draw_gallery, judge_rows, right_and_wrong
        from dermalens.evaluate.record import rows_of

    classifier, rows = open_bundle(bundle), rows_of(index, part)
    with counting(len(rows), "Classifying") as advance:
        judged = judge_rows(classifier, rows, advance=advance)
    for choose in (class_gallery, right_and_wrong):
        target = out / f"{choose.__name__}.png"
        draw_gallery(choose(judged, each=each, seed=seed), target, photographs=not heat_only)
        typer.echo(target)
