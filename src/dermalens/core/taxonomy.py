"""The seven HAM10000 diagnoses, what they mean and which are malignant.

Source: P. Tschandl, C. Rosendahl, H. Kittler, The HAM10000 dataset, Scientific Data 5, 180161 (2018).
"""

from __future__ import annotations

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
