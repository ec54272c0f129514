"""`dermalens predict`: classify images with a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dermalens.core.errors import DermaLensError

Images = Annotated[
    list[str],
    typer.Argument(metavar="IMAGE...", help="Files, folders (with all below them), or - for standard input."),
]
Heatmap = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Write there, as NAME_heatmap.png, where the model looked in each image."),
]
Outline = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Write there, as NAME_outline.png, the outline of the lesion; adds its measures."),
]
Scale = Annotated[
    float | None,
    typer.Option(metavar="MM", help="With --outline: millimetres on the skin of a pixel of the original picture."),
]
Gallery = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Add the most similar cases of a gallery (dermalens gallery build)."),
]
Anyway = Annotated[
    bool, typer.Option("--anyway", help="Show class, probabilities and all else even where it abstains.")
]
BundleFolder = Annotated[Path | None, typer.Option(metavar="PATH", help="A bundle other than the packaged one.")]
Point = Annotated[str | None, typer.Option(metavar="NAME", help="A threshold of the bundle other than its default.")]
Share = Annotated[
    float | None, typer.Option(metavar="SHARE", help="Shift the answer to this malignant share, such as 0.03.")
]


def predict(  # noqa: PLR0913  (each is an option of the command)
    images: Images,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each image.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One CSV row for each image.")] = False,
    heatmap: Heatmap = None,
    outline: Outline = None,
    mm_per_pixel: Scale = None,
    gallery: Gallery = None,
    anyway: Anyway = False,
    bundle: BundleFolder = None,
    operating_point: Point = None,
    prevalence: Share = None,
) -> None:
    """Classify images: refer, reassure or abstain, with the reasons. Exit code 2 if any image has no answer.

    For research and education; not a medical device.
    """
    if as_json and as_csv:
        raise DermaLensError("--json and --csv were both given; choose one.")
    if images.count("-") > 1:
        raise DermaLensError(f"- was given {images.count('-')} times; standard input can be read once. Give it once.")
    import logging

    from dermalens.cli.answers import Request, answers, refuse_failures, say_passed_over, with_progress
    from dermalens.cli.forms import write_csv, write_json, write_table
    from dermalens.predict.classifier import load
    from dermalens.predict.similar_file import read_gallery
    from dermalens.predict.sources import find_images

    logging.getLogger("PIL").addHandler(logging.NullHandler())  # or Pillow's words stand beside our error
    cases = read_gallery(gallery) if gallery else None
    passed_over: list[str] = []
    found = find_images(images, passed_over=passed_over)
    say_passed_over(passed_over)
    request = Request(found, operating_point, heatmap, prevalence, outline, mm_per_pixel, cases, anyway=anyway)
    classifier = load(bundle)
    request.check(classifier)
    write = write_json if as_json else write_csv if as_csv else write_table
    rows = with_progress(answers(classifier, request), total=len(request.images), streams=as_json or as_csv)
    refuse_failures(write(rows, classifier.manifest), total=len(request.images))
