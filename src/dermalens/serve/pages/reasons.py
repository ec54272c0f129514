"""Why an answer is as it is, with the figures as the page writes them: in per cent and by the names of the classes.

The core's sentences say 0.05 where the page says 4.5 %, and `mel (melanoma)`; both on one page would seem two things.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dermalens.core.taxonomy import BINARY, DIAGNOSES, is_binary, malignant_of
from dermalens.serve.pages.i18n import Language
from dermalens.serve.pages.sentences import say, say_with

MOST_DECIMALS: Final = 4

ABOUT_THRESHOLD: Final = "The malignant probability "
ABOUT_CLASS: Final = "The most probable class is "
"""How the core's sentences on a decision begin; others, as what hinders an image, are said as they are."""


def reasons_of(answer: Mapping[str, Any], language: Language) -> tuple[str, ...]:
    """The reasons of an answer in the language."""
    return tuple(_reason(sentence, answer, language) for sentence in answer["reasons"])


def _reason(sentence: str, answer: Mapping[str, Any], language: Language) -> str:
    if sentence.startswith(ABOUT_THRESHOLD):
        pair = answer["malignant_probability"], answer["operating_point"]["threshold"]
        given, needed = percents_apart(*pair, language)
        return say_with(sentence, language, {"given": given, "needed": needed})
    if sentence.startswith(ABOUT_CLASS):
        return say_with(sentence, language, _of_classes(answer, language))
    return say(sentence, language)


def _of_classes(answer: Mapping[str, Any], language: Language) -> dict[str, str]:
    probabilities, first = answer["probabilities"], answer["diagnosis"]
    values = {"class": _name(first, language), "value": language.percent(probabilities[first], 1)}
    if is_binary(probabilities):
        other = BINARY[first == BINARY[0]]
        value, against = percents_apart(probabilities[first], probabilities[other], language)
        return values | {"value": value, "against": against, "other": _name(other, language)}
    parts = (
        f"{_name(code, language)} {language.percent(probabilities[code], 1)}"
        for code in malignant_of(tuple(probabilities))
    )
    return values | {"parts": ", ".join(parts)}


def _name(code: str, language: Language) -> str:
    return language.gettext(DIAGNOSES[code].name if code in DIAGNOSES else code)


def percents_apart(first: float, second: float, language: Language) -> tuple[str, str]:
    """Both in per cent, with as many decimals as it takes to tell them apart."""
    for decimals in range(1, MOST_DECIMALS):
        texts = language.percent(first, decimals), language.percent(second, decimals)
        if texts[0] != texts[1]:
            return texts
    return language.percent(first, MOST_DECIMALS), language.percent(second, MOST_DECIMALS)
