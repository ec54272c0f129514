"""The ABCD measures in words, for an answer and for the comparison of a lesion over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dermalens.predict.abcd_border import SEGMENTS
from dermalens.serve.pages.i18n import Language
from dermalens.serve.pages.words import COLOURS

LEAST_SHOWN_SHARE = 0.005
"""A colour with less is 0 % when it is rounded."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One of the four letters."""

    letter: str
    name: str
    value: str
    about: str


def measures_of(abcd: Mapping[str, Any], language: Language) -> tuple[Measure, ...]:
    """Asymmetry, border, colours and diameter."""
    return (_asymmetry(abcd, language), _border(abcd, language), _colours(abcd, language), _diameter(abcd, language))


def _asymmetry(abcd: Mapping[str, Any], language: Language) -> Measure:
    long, short = (language.percent(share) for share in abcd["asymmetry"]["shares"])
    return Measure(
        "A",
        language.gettext("Asymmetry"),
        language.gettext("about {n} of 2 axes", n=abcd["asymmetry"]["score"]),
        language.gettext(
            "{long} and {short} of the area have no counterpart about the long and the short axis.",
            long=long,
            short=short,
        ),
    )


def _border(abcd: Mapping[str, Any], language: Language) -> Measure:
    return Measure(
        "B",
        language.gettext("Border"),
        language.gettext("irregularity {value}", value=language.number(abcd["border"]["irregularity"])),
        language.gettext(
            "1 is a circle. The border ends abruptly in {n} of {all} segments.",
            n=abcd["border"]["abrupt_segments"],
            all=SEGMENTS,
        ),
    )


def _colours(abcd: Mapping[str, Any], language: Language) -> Measure:
    shares = sorted(abcd["colours"]["shares"].items(), key=lambda entry: -entry[1])
    named = (
        f"{colour(name, language)} {language.percent(share)}" for name, share in shares if share >= LEAST_SHOWN_SHARE
    )
    return Measure(
        "C",
        language.gettext("Colours"),
        language.gettext("{n} of 6", n=abcd["colours"]["count"]),
        ", ".join(named),
    )


def _diameter(abcd: Mapping[str, Any], language: Language) -> Measure:
    share = language.gettext("{share} of the side of the square", share=language.percent(abcd["diameter"]))
    length = abcd["diameter_mm"]
    if length is None:
        return Measure("D", language.gettext("Diameter"), share, "")
    shown = language.gettext("{length} mm", length=language.number(length, 1))
    source = language.gettext("By the scale that was given.")
    return Measure("D", language.gettext("Diameter"), shown, f"{share}. {source}")


def colour(name: str, language: Language) -> str:
    """A colour by its name in the answer."""
    return language.gettext(COLOURS[name]) if name in COLOURS else name.replace("_", " ")
