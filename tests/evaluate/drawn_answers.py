"""Answers drawn at random for the tests of figures: better than chance, several images a lesion, ties."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from dermalens.core.taxonomy import BINARY, CLASSES, MALIGNANT
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.predictions import Truth

Value = TypeVar("Value")

SHARES = np.array([0.1, 0.1, 0.15, 0.05, 0.15, 0.4, 0.05])
"""Of the seven classes."""


def answers(images: int = 240, *, seed: int = 0, skill: float = 1.5, binary: bool = False) -> Scored:
    """Probabilities rounded to two decimals, so that some scores are tied; every class has images."""
    random = np.random.default_rng(seed)
    classes = BINARY if binary else CLASSES
    shares = np.array([0.8, 0.2]) if binary else SHARES
    labels = np.concatenate(
        [np.arange(len(classes)), random.choice(len(classes), size=images - len(classes), p=shares)]
    )
    return of_labels(labels, classes, random, skill)


def of_labels(labels: np.ndarray, classes: tuple[str, ...], random: np.random.Generator, skill: float = 1.5) -> Scored:
    """Answers to images with these labels."""
    odds = np.exp(random.normal(size=(len(labels), len(classes))) + skill * np.eye(len(classes))[labels])
    rounded = (odds / odds.sum(axis=1, keepdims=True)).round(2)
    rounded[:, 0] += 1 - rounded.sum(axis=1)
    malignant = np.array([code in (*MALIGNANT, "malignant") for code in classes])
    return Scored(labels, np.abs(rounded), classes, malignant)


def defined(value: Value | None) -> Value:
    """The value, which must be there."""
    assert value is not None
    return value


def truth_of_answers(scored: Scored, *, seed: int = 0) -> Truth:
    """Lesions of one or several images."""
    images = len(scored.labels)
    lesions = np.random.default_rng(seed).integers(max(1, 3 * images // 4), size=images)
    return Truth(scored.labels, tuple(f"lesion_{number}" for number in lesions))
