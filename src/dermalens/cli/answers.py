"""The answers for the images of a command line, one after the other; one bad image never ends the run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dermalens.cli.progress import counting
from dermalens.core.errors import DermaLensError, ImageError, name_some
from dermalens.core.header import MAX_BYTES
from dermalens.predict.classifier import Classifier
from dermalens.predict.prediction import Prediction
from dermalens.predict.sources import STDIN


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, the images already found."""

    images: Sequence[str]
    operating_point: str | None
    heatmap_folder: Path | None


@dataclass(frozen=True, slots=True)
class Answered:
    """An image with its answer, and the file of its heat map when that was asked for."""

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


def answers(classifier: Classifier, request: Request) -> Iterator[Row]:
    """A row for every image, in order.

    Raises:
        DermaLensError: anything but a bad image: an unknown operating point, a heat map that cannot be written.
    """
    names = _HeatmapNames(request.heatmap_folder) if request.heatmap_folder else None
    for path in request.images:
        shown = _printable(path)
        try:
            prediction = classifier.predict(
                sys.stdin.buffer.read(MAX_BYTES + 1) if path == STDIN else path,
                operating_point=request.operating_point,
                heatmap=names is not None,
                name=shown,
            )
        except ImageError as error:
            yield Failed(shown, _printable(str(error).removeprefix(f"{path}: ")))
        else:
            yield Answered(prediction, names.write(prediction, path) if names else None)


class _HeatmapNames:
    """Heat-map files in one folder, under the images' own names; it remembers which are taken."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: set[str] = set()

    def write(self, prediction: Prediction, image: str) -> str:
        """Write the overlay and give its path; a second `a.jpg` becomes `a-2.png`, in any case of letters."""
        assert prediction.explanation is not None
        stem = "stdin" if image == STDIN else Path(image).stem
        name, number = stem, 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{stem}-{number}"
        self._taken.add(name.casefold())
        target = self._folder / f"{name}.png"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            target.write_bytes(prediction.explanation.png())
        except OSError as error:
            raise DermaLensError(f"The heat map {target} cannot be written: {error.strerror}.") from error
        return _printable(str(target))


def _printable(text: str) -> str:
    r"""The text with what is not UTF-8 in a file name written as \xff, which JSON and a terminal do not take."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def with_progress(rows: Iterable[Row], *, total: int, streams: bool) -> Iterator[Row]:
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
