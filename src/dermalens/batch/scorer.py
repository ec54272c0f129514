"""The scoring of a batch of images: one class for the local workers, for Ray Data and for Spark.

On a CPU images are scored one by one, as several in one run of ONNX Runtime bring nothing there; on a GPU they go
together.
"""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dermalens.batch.ahead import ahead
from dermalens.batch.errors import BatchError
from dermalens.batch.gpu import TOGETHER, Cut, answers_together, cut, on_gpu
from dermalens.batch.keys import chunked
from dermalens.batch.storage import is_url, located, read_image
from dermalens.core.errors import ImageError
from dermalens.core.files import printable
from dermalens.core.image import Decoded
from dermalens.predict.classifier import Asked, load
from dermalens.predict.prediction import Prediction

Rows = dict[str, NDArray[Any]]  # columns of one length: text as objects, "" for none; numbers as float64, NaN for none

BEFORE: Final = ("path", "sha256", "bundle_sha256")
"""Columns of text before the probabilities by class code."""
AFTER: Final = ("decision", "quality", "error")
"""Columns of text after them."""
NUMBERS: Final = ("malignant_probability", "lesion_image")

READERS: Final = 8
"""Requests to a bucket under way in a worker: one takes some 50 ms, an image some 20 to 40 ms on one core. For a GPU as
many threads read and cut."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the images are to be scored."""

    operating_point: str | None = None
    prevalence: float | None = None
    base: str = ""
    """Folder or URL that relative names belong to."""
    bundle_sha256: str | None = None
    """The bundle that is meant; another one is refused."""
    gpu: bool = False


PLAIN: Final = Options()


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was read and hashed, and decoded where that was possible."""

    key: str
    sha256: str = ""
    decoded: Decoded | None = None
    error: str = ""


class Scorer:
    """A loaded bundle that makes rows of paths. It holds one session of one thread (on a GPU, the GPU)."""

    def __init__(self, bundle: str | None = None, options: Options = PLAIN) -> None:
        """Load the bundle.

        Raises:
            DermaLensError: the bundle cannot be loaded, is not the one that is meant, or has no such operating point.
        """
        logging.getLogger("PIL").addHandler(logging.NullHandler())  # or its words stand between the lines
        self._classifier = load(bundle, threads=1)
        found = self._classifier.bundle.sha256
        if options.bundle_sha256 not in (None, found):
            raise BatchError(
                f"The bundle has changed: SHA-256 {found} found, {options.bundle_sha256} needed. Put it back."
            )
        self._options = options
        self._asked = Asked(self._classifier.operating_point(options.operating_point), options.prevalence)
        self._classifier.check(self._asked)
        if options.gpu:
            self._classifier = on_gpu(self._classifier)

    def __call__(self, batch: Mapping[str, NDArray[Any]]) -> Rows:
        """Rows for the column `path` of paths or URLs (text, or bytes as `os.fsencode` gives); one for each, in order.

        A bad image is a row with an error.
        """
        keys = [os.fsdecode(key) for key in batch["path"]]
        with warnings.catch_warnings():  # of odd metadata, as in `cli/main.py`, which no worker process passes through
            warnings.filterwarnings("ignore", module=r"PIL\.")
            return self._columns(list(self._rows(keys)))

    def _rows(self, keys: Sequence[str]) -> Iterator[tuple[Image, Prediction | None]]:
        if self._options.gpu:
            yield from self._together(keys)
            return
        images = ahead(self._open, keys, threads=self._readers(keys))
        yield from ((replace(image, decoded=None), self._answered(image)) for image in images)

    def _together(self, keys: Sequence[str]) -> Iterator[tuple[Image, Prediction | None]]:
        """On a GPU: the next images are read and cut while it runs."""
        opened = ahead(self._open_and_cut, keys, threads=READERS, kept=TOGETHER)
        for group in chunked(opened, TOGETHER):
            answers = answers_together(self._classifier, [square for _, square in group if square], self._asked)
            yield from ((image, next(answers) if square else None) for image, square in group)

    def _readers(self, keys: Sequence[str]) -> int:
        """Threads that read ahead: none for files here, several where a read is a wait.

        With a worker on every core a thread saves no processor time: an image took 61 to 68 ms with one and 63 to 68
        without, on a busy machine. benchmarks/reader_thread.py measures this and the rates.
        """
        remote = any(is_url(located(key, self._options.base)) for key in keys)
        return READERS if remote else 0

    def _open(self, key: str) -> Image:
        sha256 = ""
        try:
            data = read_image(key, self._options.base)
            sha256 = hashlib.sha256(data).hexdigest()
            return Image(key, sha256, self._classifier.read(data, self._asked))
        except ImageError as error:
            return Image(key, sha256, error=_without_path(str(error), key, self._options.base))

    def _open_and_cut(self, key: str) -> tuple[Image, Cut | None]:
        image = self._open(key)
        if image.decoded is None:
            return image, None
        square = cut(printable(key), image.decoded, self._classifier.manifest.preprocess)
        return replace(image, decoded=None), square

    def _answered(self, image: Image) -> Prediction | None:
        if image.decoded is None:
            return None
        return self._classifier.answer(image.decoded, printable(image.key), self._asked)

    def _columns(self, rows: Sequence[tuple[Image, Prediction | None]]) -> Rows:
        classes, own = self._classifier.manifest.classes, self._classifier.bundle.sha256
        given = [answer for _, answer in rows]
        gates = [answer.lesion_image if answer else None for answer in given]
        return {
            "path": _texts([printable(image.key) for image, _ in rows]),
            "sha256": _texts([image.sha256 for image, _ in rows]),
            "bundle_sha256": _texts([own] * len(rows)),
            **{
                code: _numbers([answer.probabilities[code] if answer else None for answer in given]) for code in classes
            },
            "malignant_probability": _numbers([answer.malignant_probability if answer else None for answer in given]),
            "decision": _texts([answer.decision if answer else "" for answer in given]),
            "quality": _texts([" ".join(answer.quality.findings) if answer else "" for answer in given]),
            "lesion_image": _numbers([gate.score if gate else None for gate in gates]),
            "error": _texts([image.error for image, _ in rows]),
        }


def joined(pieces: Sequence[Rows]) -> Rows:
    """The rows of all pieces, one after the other."""
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def failed_rows(keys: Sequence[str], classes: Sequence[str], bundle_sha256: str, error: str) -> Rows:
    """Rows for images that no worker could say anything of."""
    nothing = [None] * len(keys)
    known = {"path": list(map(printable, keys)), "bundle_sha256": [bundle_sha256] * len(keys)}
    known["error"] = [error] * len(keys)
    return {
        name: _numbers(nothing) if name in (*classes, *NUMBERS) else _texts(known.get(name, [""] * len(keys)))
        for name in column_names(classes)
    }


def column_names(classes: Sequence[str]) -> tuple[str, ...]:
    """The columns of a shard, in order."""
    decision, quality, error = AFTER
    return (*BEFORE, *classes, "malignant_probability", decision, quality, "lesion_image", error)


def _without_path(error: str, key: str, base: str) -> str:
    """The path has its own column, and its temporary place is nobody's."""
    place = str(Path(located(key, base)))
    return printable(error.removeprefix(f"{place}: ").removeprefix(f"{place} ").removeprefix(f"{key} "))


def _texts(values: Sequence[str]) -> NDArray[Any]:
    return np.array(values, dtype=object)


def _numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
