"""Build a gallery of cases from labelled images: each is embedded once, and goes to the file at once.

How many numbers an image has in the gallery follows from how many images there are, so that a search stays fast:
100,000 images keep 1,280 numbers each, the whole embedding of many a network, a million keep 128 principal
directions. benchmarks/similar.py measures what that costs in speed and in neighbours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from dermalens.core.errors import DataError, name_some
from dermalens.core.taxonomy import LABELS, malignant_of
from dermalens.data.index import Row, made_images
from dermalens.predict.classifier import Classifier
from dermalens.predict.embed import embeddings_of
from dermalens.predict.similar import Cases, Embeddings, Names, Projection, Vectors, embedding_sha256, unit_vectors
from dermalens.predict.similar_file import SUFFIX, write_gallery

NUMBERS: Final = 128_000_000
"""In all vectors together, 512 MB in memory: what two cores go through in some 30 ms."""
LEAST_DIRECTIONS: Final = 64
"""Of an image, however many there are."""
MOST_DIRECTIONS: Final = 1024
"""Where not all are kept: four images of the sample for each."""
SAMPLE: Final = 4 * MOST_DIRECTIONS
"""Images that the principal directions are worked out from; drawn with a fixed seed."""

Advance = Callable[[int], None]


def build_gallery(
    classifier: Classifier, rows: Sequence[Row], target: Path, *, advance: Advance | None = None
) -> Cases:
    """Write the gallery of `rows` to `target`, whole or not at all; `advance` is told how many more images are done.

    Raises:
        DataError: no rows, a label that the bundle does not know, made images, an image id that stands twice, an
            image that cannot be read, or a file that cannot be written or whose name does not end in .npz.
    """
    if target.suffix != SUFFIX:
        raise DataError(f"{target} given; a gallery is written as {SUFFIX}. Give --out a name that ends in {SUFFIX}.")
    cases = cases_of(classifier, rows)
    width = next(embeddings_of(classifier, rows[:1])).shape[1]
    count = directions(len(rows), width)
    projection = None if count == width else _fitted(classifier, rows, count)
    write_gallery(target, cases, projection, _vectors(classifier, rows, projection, advance))
    return cases


def cases_of(classifier: Classifier, rows: Sequence[Row]) -> Cases:
    """What is known of the images of `rows`.

    Raises:
        DataError: as `build_gallery`, for rows that cannot be a gallery.
    """
    manifest = classifier.manifest
    known = {*LABELS, *manifest.classes}
    if not rows:
        raise DataError("The index has no images to make a gallery of.")
    unknown = sorted({row.label for row in rows} - known)
    if unknown:
        raise DataError(f"Labels {name_some(unknown)} are unknown; a gallery takes {' '.join(sorted(known))}.")
    if made := made_images(rows):
        raise DataError(f"{len(made)} made images: {name_some(made)}. As copies they would be nearest; leave them out.")
    twice = [name for name, count in Counter(row.image_id for row in rows).items() if count > 1]
    if twice:
        raise DataError(f"{len(twice)} image id(s) stand more than once: {name_some(twice)}. Keep one row of each.")
    labels = tuple(sorted({row.label for row in rows}))
    malignant = {*malignant_of(labels), *manifest.malignant}
    number = {label: place for place, label in enumerate(labels)}
    return Cases(
        names=Names.of(row.image_id for row in rows),
        labels=labels,
        is_malignant=np.array([label in malignant for label in labels]),
        label_numbers=np.array([number[row.label] for row in rows], dtype=np.uint16),
        embedding_sha256=embedding_sha256(manifest),
    )


def directions(images: int, width: int) -> int:
    """How many numbers each of `images` keeps of an embedding with `width` numbers.

    >>> directions(100_000, 1280), directions(1_000_000, 1280), directions(50, 3)
    (1280, 128, 3)
    """
    if images * width <= NUMBERS:
        return width
    return min(width, max(LEAST_DIRECTIONS, min(MOST_DIRECTIONS, NUMBERS // images)))


def principal_directions(embeddings: Embeddings, count: int) -> Projection:
    """The `count` orthonormal directions [D, count] that keep most of embeddings [n, D] brought to length one.

    Not centred: the cosine distance has the origin for its centre. C. Eckart, G. Young, Psychometrika 1:211, 1936.
    """
    rows = np.linalg.svd(unit_vectors(embeddings, None), full_matrices=False)[2]
    return np.ascontiguousarray(rows[:count].T, dtype=np.float32)


def _fitted(classifier: Classifier, rows: Sequence[Row], count: int) -> Projection:
    chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:SAMPLE])
    sample = list(embeddings_of(classifier, [rows[place] for place in chosen]))
    return principal_directions(np.concatenate(sample), count)


def _vectors(
    classifier: Classifier, rows: Sequence[Row], projection: Projection | None, advance: Advance | None
) -> Iterator[Vectors]:
    for embeddings in embeddings_of(classifier, rows):
        yield unit_vectors(embeddings, projection)
        if advance:
            advance(len(embeddings))
