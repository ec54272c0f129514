"""The seven HAM10000 diagnoses, what they mean and which are malignant.

Source: P. Tschandl, C. Rosendahl, H. Kittler, The HAM10000 dataset, Scientific Data 5, 180161 (2018).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One diagnosis: HAM10000 code, clinical name, a name a lay reader understands, malignancy."""

    code: str
    name: str
    lay_name: str
    malignant: bool


DIAGNOSES: Final = MappingProxyType(
    {
        d.code: d
        for d in (
            Diagnosis("akiec", "actinic keratosis or Bowen's disease", "sun damage that can become skin cancer", True),
            Diagnosis("bcc", "basal cell carcinoma", "basal cell skin cancer", True),
            Diagnosis("bkl", "benign keratosis", "benign age spot or wart-like growth", False),
            Diagnosis("df", "dermatofibroma", "benign firm skin nodule", False),
            Diagnosis("mel", "melanoma", "melanoma, a dangerous skin cancer", True),
            Diagnosis("nv", "melanocytic naevus", "benign mole", False),
            Diagnosis("vasc", "vascular lesion", "benign blood-vessel spot", False),
        )
    }
)
CLASSES: Final = tuple(DIAGNOSES)
"""Class codes in the one order that every array of probabilities uses."""

MALIGNANT: Final = tuple(code for code, d in DIAGNOSES.items() if d.malignant)

BINARY: Final = ("benign", "malignant")
"""The two classes of a model that tells malignant from benign only, in their one order."""

LABELS: Final = (*CLASSES, *BINARY)
"""What an image of an index may be labelled."""


def is_binary(classes: Iterable[str]) -> bool:
    """Whether `classes` are benign and malignant, in any order."""
    return set(classes) == set(BINARY)


def needed_order(classes: Sequence[str]) -> tuple[str, ...]:
    """The order in which `classes` must stand: that of `CLASSES` or `BINARY` for these sets, else their own."""
    return next((order for order in (CLASSES, BINARY) if set(classes) == set(order)), tuple(classes))


def malignant_of(classes: Sequence[str]) -> tuple[str, ...]:
    """Which of `classes` are malignant, in their order.

    >>> malignant_of(CLASSES), malignant_of(BINARY)
    (('akiec', 'bcc', 'mel'), ('malignant',))
    """
    return tuple(code for code in classes if code in (*MALIGNANT, BINARY[1]))


def class_of(label: str, classes: Sequence[str]) -> str:
    """What a label counts as for a model with `classes`: a diagnosis as benign or malignant where these are all.

    Any other label stays as it is, whether the model knows it or not.

    >>> class_of("mel", BINARY), class_of("mel", CLASSES), class_of("benign", BINARY)
    ('malignant', 'mel', 'benign')
    """
    if label not in DIAGNOSES or not is_binary(classes):
        return label
    return BINARY[DIAGNOSES[label].malignant]
