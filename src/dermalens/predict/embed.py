"""The embeddings that a bundle gives of many rows of an index, as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from dermalens.data.index import Row
from dermalens.predict.classifier import Classifier
from dermalens.predict.session import Embedding
from dermalens.transforms.rows import read_square

BATCH: Final = 8
"""Images a call; more brings nothing on a CPU."""
WORKERS: Final = 2
"""One reads while the graph runs for the other."""


def embeddings_of(classifier: Classifier, rows: Sequence[Row]) -> Iterator[Embedding]:
    """The embeddings of `rows` in their order, [m, D] with at most 8 images at a time.

    Raises:
        DataError: names the image that cannot be read.
    """
    spec = classifier.manifest.preprocess

    def ask(start: int) -> Embedding:
        squares = np.stack([read_square(row, spec) for row in rows[start : start + BATCH]])
        return classifier.run(squares).embedding

    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(ask, range(0, len(rows), BATCH))
