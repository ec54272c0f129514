"""The bundle's own answers for the rows of an index: what every figure of an evaluation is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermalens.core.bundle import Manifest
from dermalens.core.errors import DataError, name_some
from dermalens.core.taxonomy import class_of
from dermalens.data.index import Row

Logits = NDArray[np.float64]  # [images, classes], mean over members and views, before calibration
Probabilities = NDArray[np.float64]  # [images, classes], rows sum to one
Labels = NDArray[np.int64]  # [images], number of the class in the order of the bundle


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of the images: class number and lesion of each, in the order of the predictions."""

    labels: Labels
    lesions: tuple[str, ...]


def malignant_mask(manifest: Manifest) -> NDArray[np.bool_]:
    """Which classes of a bundle are malignant [K], in the order of its probabilities."""
    return np.array([code in manifest.malignant for code in manifest.classes])


def truth_of(rows: Sequence[Row], classes: Sequence[str]) -> Truth:
    """The truth of `rows` for a bundle with `classes`; a benign/malignant one takes the seven diagnoses as well.

    Raises:
        DataError: no rows, or labels that are not among the classes (names up to five).
    """
    if not rows:
        raise DataError("There are no images to evaluate: the index, or the part asked for, is empty.")
    labels = [class_of(row.label, classes) for row in rows]
    unknown = sorted(set(labels) - set(classes))
    if unknown:
        raise DataError(f"Labels {name_some(unknown)} are not classes of the bundle ({' '.join(classes)}).")
    number = {code: position for position, code in enumerate(classes)}
    return Truth(np.array([number[label] for label in labels]), tuple(row.lesion_id for row in rows))
