"""Parity: the graph of a bundle must give what the checkpoint gives, or there is no bundle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from scipy.special import softmax

from dermalens.core.errors import ExportError
from dermalens.models.heads import LesionClassifier
from dermalens.predict.session import Session, Squares

LEAST_IMAGES: Final = 64
LARGEST_DIFFERENCE: Final = 1e-4
"""Largest difference of any class probability between PyTorch and ONNX Runtime."""


def largest_difference(classifier: LesionClassifier, session: Session, squares: Squares) -> float:
    """The largest difference of a class probability over `squares`, one image at a time as in use."""
    differences = [0.0]
    for square in squares:
        given = torch.from_numpy(square[None].copy()).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            expected = classifier(given).softmax(1).numpy()
        found = softmax(session.run(square[None]).logits.astype(np.float64), axis=1)
        differences.append(float(np.abs(found - expected).max()))
    return largest(differences)


def largest(differences: Sequence[float]) -> float:
    """The largest of them; not a number, where one is none, which `max` would pass over."""
    return float(np.max(differences))


def check_parity(
    classifier: LesionClassifier, session: Session, squares: Squares, *, limit: float = LARGEST_DIFFERENCE
) -> float:
    """The largest difference, if it is small enough.

    Raises:
        ExportError: fewer than 64 images, or a difference above 1e-4.
    """
    if len(squares) < LEAST_IMAGES:
        raise ExportError(
            f"{len(squares)} validation image(s) for the parity check; at least {LEAST_IMAGES} are needed. "
            "Use a split with a larger validation part."
        )
    difference = largest_difference(classifier, session, squares)
    if not difference <= limit:
        raise ExportError(
            f"The exported graph differs from the checkpoint by {difference:.2g} in a class probability; at most "
            f"{limit:g} is allowed. No bundle was written."
        )
    return difference
