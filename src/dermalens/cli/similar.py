"""`dermalens gallery build` and `dermalens similar`: the nearest labelled images of one's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermalens.core.files import printable, visible

if TYPE_CHECKING:
    from dermalens.predict.similar import Similar

Bundle = Annotated[Path | None, typer.Option(metavar="PATH", help="A bundle other than the packaged one.")]


def build(
    index: Annotated[Path, typer.Argument(metavar="INDEX", help="Index or split of your labelled images.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The gallery to write, a name that ends in .npz.")],
    bundle: Bundle = None,
) -> None:
    """Make a gallery of similar cases of your own labelled images, for `dermalens similar`.

    Privacy: the file holds the image ids and labels of the index and, of each image, the numbers that the model makes
    of it; no picture, no path, no age or sex. Give it away only where you may give the ids and labels away.
    """
    from dermalens.cli.progress import counting
    from dermalens.data.split import read_rows
    from dermalens.predict.classifier import load
    from dermalens.predict.similar_build import build_gallery

    classifier, rows = load(bundle), read_rows(index)
    with counting(len(rows), "Embedding") as advance:
        cases = build_gallery(classifier, rows, out, advance=advance)
    typer.echo(f"{len(cases):,} images ({', '.join(cases.labels)}) written to {out}")
    typer.echo("The file holds their ids and labels: treat it as you treat those.", err=True)


def similar(  # noqa: PLR0913  (each is an option of the command)
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="The image to find similar cases for, or - for standard input.")
    ],
    gallery: Annotated[
        Path, typer.Option(metavar="FILE", help="A gallery of `dermalens gallery build`; it holds ids and labels.")
    ],
    count: Annotated[int, typer.Option(min=1, help="How many of the nearest are shown.")] = 16,
    bundle: Bundle = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Also for an image that cannot be judged.")] = False,
) -> None:
    """Show the labelled images of a gallery that are most similar to an image, and which share of them is malignant.

    Similar means that the model sees them alike. An image that `predict` abstains on has no similar cases. For research
    and education; not a medical device.
    """
    from dermalens.cli.answers import standard_input
    from dermalens.predict.classifier import load
    from dermalens.predict.similar_file import read_gallery
    from dermalens.predict.sources import STDIN

    classifier, cases = load(bundle), read_gallery(gallery)
    cases.check_made_with(classifier.manifest)
    prediction = classifier.predict(standard_input() if image == STDIN else image)
    refused = prediction.reasons if prediction.decision == "abstain" and not anyway else ()
    embedding = prediction.embedding
    found = [] if refused or embedding is None else cases.nearest(embedding, count)
    if as_json:
        _write_json(image, found, refused, classifier.manifest.limits)
        return
    lines = _refused(image, refused) if refused else _lines(image, found)
    typer.echo("\n".join([*lines, *classifier.manifest.limits]))


def _write_json(image: str, found: Sequence[Similar], refused: Sequence[str], limits: Sequence[str]) -> None:
    from dermalens.cli.forms import for_programs
    from dermalens.predict.similar import malignant_share

    for_programs()
    content = {
        "image": printable(image),
        "similar": None if refused else [one.as_dict() for one in found],
        "malignant_share": None if refused else malignant_share(found),
        "limits": list(limits),
        "refused": list(refused),
    }
    typer.echo(json.dumps(content, ensure_ascii=False))


def _shown(image: str) -> str:
    return visible(printable(image))


def _refused(image: str, reasons: Sequence[str]) -> list[str]:
    return [f"{_shown(image)}: no similar cases, as this picture cannot be judged; --anyway shows them.", *reasons]


def _lines(image: str, found: Sequence[Similar]) -> list[str]:
    from dermalens.cli.lesion_words import case_words

    malignant = sum(one.is_malignant for one in found)
    return [
        f"{_shown(image)}: {malignant} of the {len(found)} most similar images are malignant",
        *(f"  {case_words(one)}" for one in found),
        "Cosine distance of what the model sees; 0 is the same image.",
    ]
