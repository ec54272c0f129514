"""`dermalens predict`: classify images with a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dermalens.core.errors import DermaLensError


def predict(  # noqa: PLR0913  (each is an option of the command)
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE...", help="Files, folders (with all below them), or - for standard input."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each image.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One CSV row for each image.")] = False,
    heatmap: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write there, as NAME_heatmap.png, where the model looked in each image."),
    ] = None,
    bundle: Annotated[Path | None, typer.Option(metavar="PATH", help="A bundle other than the packaged one.")] = None,
    operating_point: Annotated[
        str | None, typer.Option(metavar="NAME", help="A threshold of the bundle other than its default.")
    ] = None,
    prevalence: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Shift the answer to this malignant share, such as 0.03.")
    ] = None,
) -> None:
    """Classify images: refer, reassure or abstain, with the reasons. Exit code 2 if any image has no answer.

    For research and education; not a medical device.
    """
    if as_json and as_csv:
        raise DermaLensError("--json and --csv were both given; choose one.")
    import logging

    from dermalens.cli.answers import Request, answers, refuse_failures, with_progress
    from dermalens.cli.forms import write_csv, write_json, write_table
    from dermalens.predict.classifier import load
    from dermalens.predict.sources import find_images

    logging.getLogger("PIL").addHandler(logging.NullHandler())  # or Pillow's words stand beside our error
    request = Request(find_images(images), operating_point, heatmap, prevalence)
    classifier = load(bundle)
    request.check(classifier)
    write = write_json if as_json else write_csv if as_csv else write_table
    rows = with_progress(answers(classifier, request), total=len(request.images), streams=as_json or as_csv)
    refuse_failures(write(rows, classifier.manifest), total=len(request.images))
