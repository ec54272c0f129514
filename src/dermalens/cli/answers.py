"""The answers for the images of a command line, one after the other; one bad image never ends the run."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import typer

from dermalens.cli.picture_files import HEAT_MAP, OUTLINE, make_folder, picture_files, save
from dermalens.cli.progress import counting
from dermalens.core.errors import DermaLensError, ImageError, name_some
from dermalens.core.files import IMAGE_SUFFIXES, printable, visible
from dermalens.core.header import MAX_BYTES
from dermalens.predict.classifier import Asked, Classifier
from dermalens.predict.prediction import Prediction
from dermalens.predict.prevalence import base_prevalence
from dermalens.predict.similar import CaseGallery
from dermalens.predict.sources import STDIN, refuse_folder

_NEEDED = "Needed is an image file: pipe one in or name it."
"""Of standard input."""

NOT_DRAWN = "Nothing was drawn on it, as it cannot be judged; --anyway draws all the same."
"""Of a picture whose heat map or outline was asked for."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, the images already found."""

    images: Sequence[str]
    operating_point: str | None = None
    heatmap_folder: Path | None = None
    prevalence: float | None = None
    outline_folder: Path | None = None
    millimetres_per_pixel: float | None = None
    gallery: CaseGallery | None = None
    anyway: bool = False

    def check(self, classifier: Classifier) -> None:
        """Refuse what no image could be answered with.

        Raises:
            DermaLensError: an operating point, a prevalence, an outline, a scale or a gallery that the bundle has no
                answer for.
        """
        asked = Asked(
            classifier.operating_point(self.operating_point),
            self.prevalence,
            outline=self.outline_folder is not None,
            millimetres_per_pixel=self.millimetres_per_pixel,
            gallery=self.gallery,
        )
        classifier.check(asked)
        if self.prevalence is not None:
            base_prevalence(classifier.manifest)


@dataclass(frozen=True, slots=True)
class Targets:
    """Where the pictures of one image go; None for one that was not asked for."""

    heatmap: Path | None
    outline: Path | None


@dataclass(frozen=True, slots=True)
class Answered:
    """An image with its answer, and the files of heat map and outline where these were asked for and drawn.

    What they are drawn from is dropped once they are written: the table keeps all rows until the end.
    """

    prediction: Prediction
    heatmap: str | None = None
    outline: str | None = None

    @property
    def image(self) -> str:
        """The image as it was named."""
        return self.prediction.image


@dataclass(frozen=True, slots=True)
class Failed:
    """An image without an answer."""

    image: str
    error: str


Row = Answered | Failed
AnyRow = TypeVar("AnyRow")


def answers(classifier: Classifier, request: Request) -> Iterator[Row]:
    """A row for every image, in order, each worked out when it is asked for.

    Raises:
        DermaLensError: at once, when a picture would overwrite one of the images or its folder takes no files; later,
            anything but a bad image, such as an unknown operating point.
    """
    heatmaps = picture_files(request.images, request.heatmap_folder, HEAT_MAP)
    outlines = picture_files(request.images, request.outline_folder, OUTLINE)
    make_folder(request.heatmap_folder, HEAT_MAP)
    make_folder(request.outline_folder, OUTLINE)
    targets = map(Targets, heatmaps, outlines)
    return (_row(classifier, request, path, target) for path, target in zip(request.images, targets, strict=True))


def _row(classifier: Classifier, request: Request, path: str, targets: Targets) -> Row:
    shown = printable(path)
    try:
        prediction = classifier.predict(
            standard_input() if path == STDIN else _file(path),
            operating_point=request.operating_point,
            prevalence=request.prevalence,
            heatmap=targets.heatmap is not None,
            outline=targets.outline is not None,
            millimetres_per_pixel=request.millimetres_per_pixel,
            gallery=request.gallery,
            anyway=request.anyway,
            name=shown,
        )
    except ImageError as error:
        return Failed(shown, printable(str(error).removeprefix(f"{path}: ")))
    if prediction.decision == "abstain" and not request.anyway and (targets.heatmap or targets.outline):
        prediction = replace(prediction, notes=(NOT_DRAWN, *prediction.notes))
    try:
        heatmap, outline = save(prediction.explanation, targets.heatmap), save(prediction.drawing, targets.outline)
    except DermaLensError as error:
        return Failed(shown, str(error))
    return Answered(replace(prediction, explanation=None, drawing=None), heatmap, outline)


def for_terminal(rows: Iterable[Row]) -> Iterator[Row]:
    """The same rows with the control characters of file names written as escapes, which JSON and CSV keep."""
    for row in rows:
        if isinstance(row, Failed):
            yield Failed(visible(row.image), visible(row.error))
        else:
            prediction = replace(row.prediction, image=visible(row.image))
            yield Answered(prediction, row.heatmap and visible(row.heatmap), row.outline and visible(row.outline))


def _file(path: str) -> str:
    refuse_folder(path)
    return path


def standard_input() -> bytes:
    """All of standard input, one byte above the limit at most.

    Raises:
        ImageError: it is closed (`<&-`) or cannot be read.
    """
    if sys.stdin is None:
        raise ImageError(f"Standard input is closed. {_NEEDED}")
    try:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    except OSError as error:
        raise ImageError(f"Standard input cannot be read: {error.strerror or error}. {_NEEDED}") from error


def with_progress(rows: Iterable[AnyRow], *, total: int, streams: bool) -> Iterator[AnyRow]:
    """The same rows, with a bar on standard error while there are several to wait for and none is shown yet."""
    if total == 1 or (streams and sys.stdout.isatty()):
        yield from rows
        return
    with counting(total, "Classifying") as advance:
        for row in rows:
            advance(1)
            yield row


def say_passed_over(paths: Sequence[str]) -> None:
    """A line on standard error that names up to five files of the folders that were not taken for images."""
    if paths:
        many = f"{len(paths)} files were passed over, as their names end"
        what = "1 file was passed over, as its name ends" if len(paths) == 1 else many
        names = visible(printable(name_some(sorted(Path(path).name for path in paths))))
        typer.echo(f"{what} in none of {' '.join(IMAGE_SUFFIXES)}: {names}", err=True)


def refuse_failures(failures: Sequence[Failed], *, total: int) -> None:
    """End the command with an error if any image has no answer.

    Raises:
        DermaLensError: says why for a single image, names up to five of many.
    """
    if failures and total == 1:
        image, error = failures[0].image, failures[0].error
        raise DermaLensError(error if error.startswith(image) else f"{image}: {error}")
    if failures:
        names = name_some(failure.image for failure in failures)
        raise DermaLensError(f"{len(failures)} of {total} images have no answer, their rows say why: {names}")
