"""What every surface says of DermaLens: intended use, limits, and the data behind a bundle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dermalens.core.taxonomy import is_binary

INTENDED_USE: Final = (
    "Decision support for research and education on dermatoscopic images of a single skin lesion. "
    "Not a medical device: it does not replace an examination by a physician."
)

_NO_GATE: Final = "Does not notice that there is no lesion: a picture of anything with contrast gets an answer."
_GATE: Final = (
    "Refuses most pictures that are not dermatoscopic images of a lesion, not all of them: what its gate lets through "
    "gets an answer."
)

LIMITS: Final = (
    "Not a medical device; for research and education. When in doubt, see a dermatologist.",
    "Knows seven kinds of lesion only; any other (such as squamous cell carcinoma) is forced into one of them.",
    (
        "Learned from dermatoscopic images, mostly of light skin; on dark skin, nails, mucosa, children and smartphone "
        "photographs without a dermatoscope it has not been measured."
    ),
    _NO_GATE,
    "Sees one square of one image: not the history, not the change over time, not the rest of the skin.",
)

_BINARY_LIMIT: Final = (
    "Tells malignant from benign only and names no diagnosis; it has learned from seven kinds of lesion, and any other "
    "(such as squamous cell carcinoma) is forced into one of the two."
)


NO_ANSWER: Final = (
    "The picture cannot be judged: class, probabilities and all that is drawn of it are what the model makes of any "
    "picture, and no answer."
)
"""Stands beside what an answer that abstains still holds."""


def limits_for(classes: Iterable[str]) -> list[str]:
    """The limits of a bundle without a gate; two classes have a sentence of their own in the place of the second."""
    return [LIMITS[0], _BINARY_LIMIT, *LIMITS[2:]] if is_binary(classes) else list(LIMITS)


def limits_at_gate(limits: Iterable[str], *, has_gate: bool) -> list[str]:
    """The limits of a bundle that got or lost a gate: the sentence on pictures without a lesion becomes the other.

    All others stay as they are; limits that have neither of the two get none.

    >>> limits_at_gate(["One.", _NO_GATE], has_gate=True) == ["One.", _GATE]
    True
    """
    needed = _GATE if has_gate else _NO_GATE
    return [needed if limit in (_GATE, _NO_GATE) else limit for limit in limits]


@dataclass(frozen=True, slots=True)
class DataSet:
    """How a data set is cited and under which licence it may be used."""

    citation: str
    licence: str


DATA_SETS: Final = MappingProxyType(
    {
        "HAM10000": DataSet(
            "P. Tschandl, C. Rosendahl, H. Kittler, The HAM10000 dataset, Scientific Data 5, 180161 (2018), "
            "doi 10.1038/sdata.2018.161",
            "CC BY-NC 4.0",
        ),
        "ISIC2018": DataSet(
            "N. Codella et al., Skin lesion analysis toward melanoma detection 2018 (arXiv 1902.03368); its task 3 "
            "images are HAM10000: P. Tschandl et al., Scientific Data 5, 180161 (2018)",
            "CC BY-NC 4.0",
        ),
        "ISIC-archive": DataSet(
            "N. Codella et al., Skin lesion analysis toward melanoma detection, ISIC 2017 (arXiv 1710.05006) and "
            "ISIC 2018 (arXiv 1902.03368)",
            "CC0 or CC BY-NC by image",
        ),
    }
)


def citations(sources: Iterable[str]) -> list[str]:
    """One line a source: its name, citation and licence; an unknown source is named as it is."""
    known = {name: f"{name}: {entry.citation}; {entry.licence}" for name, entry in DATA_SETS.items()}
    return [known.get(name, f"{name}: citation not known to DermaLens") for name in sorted(set(sources)) if name]


def weights_licence(sources: Iterable[str]) -> str:
    """The licence that trained weights inherit from their data; non-commercial as soon as one source is."""
    named = set(sources)
    if named & set(DATA_SETS):
        return "CC BY-NC 4.0 (non-commercial, inherited from the training data)"
    return "as the training data; not known to DermaLens"
