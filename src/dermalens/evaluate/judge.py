"""Ask a bundle about many images: the exported graphs, never the checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dermalens.core.bundle import Measured
from dermalens.core.decision import calibrate
from dermalens.core.spec import PreprocessSpec
from dermalens.data.index import Row
from dermalens.evaluate.metrics import Scored, measure
from dermalens.evaluate.predictions import Logits, Truth, malignant_mask, truth_of
from dermalens.predict.classifier import Classifier
from dermalens.predict.session import Squares
from dermalens.transforms.rows import read_square

BATCH = 8
"""Images a call; more brings nothing on a CPU."""
WORKERS = 2
"""One reads while the graph runs for the other."""


def read_squares(rows: Sequence[Row], spec: PreprocessSpec) -> Squares:
    """The preprocessed squares of `rows`, uint8 [N, S, S, 3]; an image that cannot be read is named."""
    return np.stack([read_square(row, spec) for row in rows])


def logits_of(classifier: Classifier, rows: Sequence[Row], *, advance: Callable[[int], None] | None = None) -> Logits:
    """Logits of `rows` before calibration, in their order; `advance` is told how many more images are done."""

    def ask(start: int) -> Logits:
        squares = read_squares(rows[start : start + BATCH], classifier.manifest.preprocess)
        return np.asarray(classifier.run(squares).logits, dtype=np.float64)

    parts: list[Logits] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for part in pool.map(ask, range(0, len(rows), BATCH)):
            parts.append(part)
            if advance:
                advance(len(part))
    return np.concatenate(parts)


def judge(
    classifier: Classifier, rows: Sequence[Row], *, draws: int = 1000, advance: Callable[[int], None] | None = None
) -> dict[str, Measured]:
    """Every figure of `METRICS` for the calibrated answers to `rows`, with intervals.

    Raises:
        DataError: no rows, or labels that the bundle does not know.
    """
    truth = truth_of(rows, classifier.manifest.classes)
    return measure(scored(classifier, logits_of(classifier, rows, advance=advance), truth), truth, draws=draws)


def scored(classifier: Classifier, logits: Logits, truth: Truth) -> Scored:
    """Calibrated probabilities with their labels."""
    manifest = classifier.manifest
    probabilities = calibrate(logits, manifest.calibration)
    return Scored(truth.labels, probabilities, tuple(manifest.classes), malignant_mask(manifest))
