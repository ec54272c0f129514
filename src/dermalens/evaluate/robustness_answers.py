"""The answers of a bundle to changed squares: every corruption in every severity, every perturbation step by step."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.core.decision import calibrate
from dermalens.core.errors import DataError, name_some
from dermalens.data.index import Row
from dermalens.evaluate.corruptions import CORRUPTIONS, corrupt
from dermalens.evaluate.flip_sequences import PERTURBATIONS, STEPS, sequence
from dermalens.evaluate.judge import BATCH, read_squares
from dermalens.evaluate.severity import SEVERITIES
from dermalens.predict.classifier import Classifier
from dermalens.predict.session import Squares
from dermalens.transforms.clean import clean
from dermalens.transforms.preprocess import SquarePixels

CLEAN: Final = "clean"
"""The name of the squares as they are."""

Answers = NDArray[np.float64]  # [images, variants, classes], calibrated probabilities
Change = Callable[[SquarePixels, str], Squares]
"""Square and image id to its variants [V, S, S, 3]."""


@dataclass(frozen=True, slots=True)
class RobustnessOptions:
    """How much is asked of a bundle."""

    images: int | None = 150
    """At most so many, as many of each class as there are; None takes all."""
    families: tuple[str, ...] = tuple(CORRUPTIONS)
    severities: tuple[int, ...] = SEVERITIES
    perturbations: tuple[str, ...] = tuple(PERTURBATIONS)
    seed: int = 0
    """Of the choice of images and of every corruption."""
    draws: int = 1000

    def check(self) -> None:
        """See to it that there is something to do and that it is known.

        Raises:
            DataError: fewer than one image, or unknown or no families, severities or perturbations.
        """
        if self.images is not None and self.images < 1:
            raise DataError(f"{self.images} images given for robustness; at least one is needed.")
        _check_known("corruption", self.families, CORRUPTIONS)
        _check_known("severity", self.severities, SEVERITIES)
        _check_known("perturbation", self.perturbations, PERTURBATIONS)

    def runs(self, images: int) -> int:
        """How many squares are classified for so many images: what a progress bar counts to."""
        each = 1 + len(self.families) * len(self.severities) + len(self.perturbations) * (STEPS + 1)
        return images * each


def _check_known(what: str, given: Sequence[object], known: Sequence[object] | Mapping[str, object]) -> None:
    unknown = [item for item in given if item not in known]
    if unknown or not given:
        found = name_some(unknown) if unknown else "none"
        raise DataError(f"{found} given as {what}; choose among {', '.join(map(str, known))}.")


def answers_to_changes(
    classifier: Classifier,
    rows: Sequence[Row],
    options: RobustnessOptions,
    *,
    workers: int = 2,
    advance: Callable[[int], None] | None = None,
) -> dict[str, Answers]:
    """Calibrated probabilities by name: `CLEAN` (one variant), each family (its severities), each perturbation (steps).

    A corruption comes before the cleaning steps of the bundle, as it would in a picture. The randomness of a family
    is the same for all severities of an image, so that they differ in the severity alone.
    """
    changes = _changes(options)
    found: dict[str, list[Answers]] = {name: [] for name in changes}
    with ThreadPoolExecutor(workers) as pool:
        for squares, ids in _read(classifier, rows):
            asked = {
                name: pool.submit(_answers, classifier, [change(*pair) for pair in zip(squares, ids, strict=True)])
                for name, change in changes.items()
            }
            for name, answer in asked.items():
                found[name].append(answer.result())
                if advance:
                    advance(found[name][-1].shape[0] * found[name][-1].shape[1])
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _changes(options: RobustnessOptions) -> dict[str, Change]:
    changes: dict[str, Change] = {CLEAN: lambda square, _: square[None]}
    changes |= {family: _corruption(family, options) for family in options.families}
    changes |= {name: _perturbation(name) for name in options.perturbations}
    return changes


def _corruption(family: str, options: RobustnessOptions) -> Change:
    def change(square: SquarePixels, image_id: str) -> Squares:
        key = [options.seed, zlib.crc32(f"{family}/{image_id}".encode())]
        return np.stack([corrupt(square, family, at, np.random.default_rng(key)) for at in options.severities])

    return change


def _perturbation(name: str) -> Change:
    return lambda square, _: sequence(square, name)


def _read(classifier: Classifier, rows: Sequence[Row]) -> Iterator[tuple[Squares, list[str]]]:
    """Some squares at a time, before any cleaning, with their ids."""
    as_it_came = classifier.manifest.preprocess.model_copy(update={"clean": []})
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        yield read_squares(some, as_it_came), [row.image_id for row in some]


def _answers(classifier: Classifier, variants: Sequence[Squares]) -> Answers:
    """Calibrated probabilities of the variants [V, S, S, 3] of each image."""
    manifest = classifier.manifest
    squares = np.concatenate(variants)
    if manifest.preprocess.clean:
        squares = np.stack([clean(square, manifest.preprocess.clean) for square in squares])
    logits = [classifier.run(squares[start : start + BATCH]).logits for start in range(0, len(squares), BATCH)]
    probabilities = calibrate(np.concatenate(logits), manifest.calibration)
    return probabilities.reshape(len(variants), -1, len(manifest.classes))
