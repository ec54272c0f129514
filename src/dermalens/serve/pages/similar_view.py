"""The similar cases of an answer in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dermalens.serve.pages.i18n import Language
from dermalens.serve.pages.words import clinical_name

SHOWN = 8
"""How many of them the page names; the JSON has all."""


@dataclass(frozen=True, slots=True)
class SimilarCase:
    """One labelled image that is near."""

    name: str
    label: str
    malignant: bool
    distance: float


@dataclass(frozen=True, slots=True)
class SimilarView:
    """The nearest of them, and how many of all are malignant."""

    summary: str
    cases: tuple[SimilarCase, ...]


def similar_of(answer: Mapping[str, Any], language: Language) -> SimilarView:
    """The view of the key `similar`."""
    found = answer["similar"]
    malignant = sum(bool(one["malignant"]) for one in found)
    words = language.ngettext(
        "{malignant} of the {n} most similar image of the gallery is malignant.",
        "{malignant} of the {n} most similar images of the gallery are malignant.",
        len(found),
        malignant=malignant,
    )
    cases = (
        SimilarCase(one["name"], clinical_name(one["label"], language), bool(one["malignant"]), one["distance"])
        for one in found[:SHOWN]
    )
    return SimilarView(words, tuple(cases))
