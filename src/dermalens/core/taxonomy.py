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
    about: str
    """A sentence or two for a lay reader."""


DIAGNOSES: Final = MappingProxyType(
    {
        d.code: d
        for d in (
            Diagnosis(
                "akiec",
                "actinic keratosis or Bowen's disease",
                "sun damage that can become skin cancer",
                True,
                "A rough or scaly patch on skin that has had much sun. It is an early form that can grow into squamous "
                "cell carcinoma if it is not treated.",
            ),
            Diagnosis(
                "bcc",
                "basal cell carcinoma",
                "basal cell skin cancer",
                True,
                "The most common skin cancer. It grows slowly and hardly ever spreads to other organs, but it destroys "
                "the skin around it and should be removed.",
            ),
            Diagnosis(
                "bkl",
                "benign keratosis",
                "benign age spot or wart-like growth",
                False,
                "A harmless thickening or dark spot of the skin that becomes common with age, such as a seborrhoeic "
                "keratosis or a solar lentigo.",
            ),
            Diagnosis(
                "df",
                "dermatofibroma",
                "benign firm skin nodule",
                False,
                "A small, firm, harmless nodule, often on a leg, which may follow an insect bite or a scratch.",
            ),
            Diagnosis(
                "mel",
                "melanoma",
                "melanoma, a dangerous skin cancer",
                True,
                "A cancer of the pigment cells. It can spread to other organs; removed early it is nearly always "
                "cured, which is why time matters.",
            ),
            Diagnosis(
                "nv",
                "melanocytic naevus",
                "benign mole",
                False,
                "A mole: a harmless group of pigment cells. Most people have many; what matters is whether one of "
                "them changes.",
            ),
            Diagnosis(
                "vasc",
                "vascular lesion",
                "benign blood-vessel spot",
                False,
                "A harmless spot made of blood vessels or of blood in the skin, such as a cherry angioma.",
            ),
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
