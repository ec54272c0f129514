"""The answers for the images of a command line, one after the other; one bad image never ends the run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from dermalens.cli.progress import counting
from dermalens.core.errors import DermaLensError, ImageError, name_some
from dermalens.core.header import MAX_BYTES
from dermalens.core.prevalence import check_prevalence
from dermalens.predict.classifier import Classifier
from dermalens.predict.explain import Explanation
from dermalens.predict.prediction import Prediction
from dermalens.predict.prevalence import base_prevalence
from dermalens.predict.sources import STDIN, refuse_folder

_NEEDED = "Needed is an image file: pipe one in or name it."
"""Of standard input."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, the images already found."""

    images: Sequence[str]
    operating_point: str | None = None
    heatmap_folder: Path | None = None
    prevalence: float | None = None

    def check(self, classifier: Classifier) -> None:
        """Refuse what no image could be answered with.

        Raises:
            DermaLensError: an operating point or a prevalence that the bundle has no answer for.
        """
        classifier.operating_point(self.operating_point)
        if self.prevalence is not None:
            check_prevalence(self.prevalence)
            base_prevalence(classifier.manifest)


@dataclass(frozen=True, slots=True)
class Answered:
    """An image with its answer, and the file of its heat map when that was asked for.

    The explanation itself is dropped once it is written: the table keeps all rows until the end.
    """

    prediction: Prediction
    heatmap: str | None = None

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
        DermaLensError: at once, when a heat map would overwrite one of the images; later, anything but a bad image:
            an unknown operating point, a heat map that cannot be written.
    """
    folder = request.heatmap_folder
    targets: Sequence[Path | None]
    targets = [None] * len(request.images) if folder is None else _heatmap_files(request.images, folder)
    return (_row(classifier, request, path, target) for path, target in zip(request.images, targets, strict=True))


def _row(classifier: Classifier, request: Request, path: str, target: Path | None) -> Row:
    shown = _printable(path)
    try:
        prediction = classifier.predict(
            _standard_input() if path == STDIN else _file(path),
            operating_point=request.operating_point,
            prevalence=request.prevalence,
            heatmap=target is not None,
            name=shown,
        )
    except ImageError as error:
        return Failed(shown, _printable(str(error).removeprefix(f"{path}: ")))
    if target is None or prediction.explanation is None:
        return Answered(prediction)
    _save(prediction.explanation, target)
    return Answered(replace(prediction, explanation=None), _printable(str(target)))


def _file(path: str) -> str:
    refuse_folder(path)
    return path


def _standard_input() -> bytes:
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


def _heatmap_files(images: Sequence[str], folder: Path) -> list[Path]:
    """A file for each image under its own name; a second `a.jpg` gets `a-2_heatmap.png`, in any case of letters.

    Raises:
        DermaLensError: one of them is itself among the images.
    """
    inputs = {_identity(image) for image in images if image != STDIN}
    taken: set[str] = set()
    stems = ["stdin" if image == STDIN else Path(image).stem for image in images]
    targets = [folder / f"{_free(stem, taken)}_heatmap.png" for stem in stems]
    overwritten = [target for target in targets if _identity(target) in inputs]
    if overwritten:
        names = _printable(name_some(overwritten))
        raise DermaLensError(f"Heat maps would overwrite images that were given: {names}. Name another folder.")
    return targets


def _free(stem: str, taken: set[str]) -> str:
    """The stem, or with the first number from 2 that is free; it is taken then."""
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.casefold())
    return name


def _identity(path: str | Path) -> str:
    """The path after all links, in one case of letters, as two file systems of three do not tell them apart."""
    return os.path.realpath(path).casefold()


def _save(explanation: Explanation, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(explanation.png())
    except OSError as error:
        where = _printable(str(target))
        raise DermaLensError(f"The heat map {where} cannot be written: {error.strerror}.") from error


def _printable(text: str) -> str:
    r"""The text with what is not UTF-8 in a file name written as \xff, which JSON and a terminal do not take."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def with_progress(rows: Iterable[AnyRow], *, total: int, streams: bool) -> Iterator[AnyRow]:
    """The same rows, with a bar on standard error while there are several to wait for and none is shown yet."""
    if total == 1 or (streams and sys.stdout.isatty()):
        yield from rows
        return
    with counting(total, "Classifying") as advance:
        for row in rows:
            advance(1)
            yield row


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
