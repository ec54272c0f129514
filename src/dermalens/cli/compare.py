"""`dermalens compare`: the same images through several bundles."""

from __future__ import annotations

from typing import Annotated

import typer

from dermalens.core.errors import DermaLensError


def compare(
    bundles: Annotated[
        list[str], typer.Argument(metavar="BUNDLE...", help="Bundle folders; packaged is the one of the package.")
    ],
    images: Annotated[
        list[str], typer.Option("--image", metavar="PATH", help="File or folder (with all below it); may be repeated.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each image.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One CSV row for each image.")] = False,
) -> None:
    """Classify the same images with several bundles, side by side, and mark where they differ.

    Exit code 2 if any image has no answer. For research and education; not a medical device.
    """
    if as_json and as_csv:
        raise DermaLensError("--json and --csv were both given; choose one.")
    import logging

    from dermalens.cli.answers import refuse_failures, say_passed_over, with_progress
    from dermalens.cli.comparison import compared, load_named, write_csv, write_json, write_table
    from dermalens.predict.sources import STDIN, find_images

    if STDIN in images:
        raise DermaLensError("--image - was given; every bundle reads each image, so it must be a file or a folder.")
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # or Pillow's words stand beside our error
    passed_over: list[str] = []
    found = find_images(images, passed_over=passed_over)
    say_passed_over(passed_over)
    classifiers = load_named(bundles)
    write = write_json if as_json else write_csv if as_csv else write_table
    rows = with_progress(compared(classifiers, found), total=len(found), streams=as_json or as_csv)
    refuse_failures(write(rows, classifiers), total=len(found))
