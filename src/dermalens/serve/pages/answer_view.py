"""An answer in the words of the page: the same for one that was just given and for one that was kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dermalens.core.bundlefile import Bundle
from dermalens.core.prevalence import shift_to_prevalence
from dermalens.core.statements import NO_ANSWER
from dermalens.core.taxonomy import is_binary, malignant_of
from dermalens.serve.pages.advice import advice
from dermalens.serve.pages.i18n import Language
from dermalens.serve.pages.measures_view import Measure, measures_of
from dermalens.serve.pages.reasons import percents_apart, reasons_of
from dermalens.serve.pages.sentences import say
from dermalens.serve.pages.similar_view import SimilarView, similar_of
from dermalens.serve.pages.words import HEADLINES, about, clinical_name, lay_name

Answer = Mapping[str, Any]  # `Prediction.as_dict()`

OTHER_SHARE: Final = 0.03
"""Malignant share at which the number is given too: that of the help texts, far below the data sets of training."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One class and its probability."""

    code: str
    name: str
    clinical: str
    about: str
    probability: float
    is_malignant: bool
    in_set: bool


@dataclass(frozen=True, slots=True)
class PrevalenceView:
    """What the operating point comes to where the stated share of the lesions is malignant."""

    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnswerView:
    """What `_answer.html` shows. Of an answer that abstains it has no class and no number of one."""

    verdict: str
    headline: str
    urgency: str
    why: str
    steps_title: str
    steps: tuple[str, ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    findings: tuple[str, ...]
    quality_words: str
    size_words: str
    limits: tuple[str, ...]
    bundle: Mapping[str, str]
    point_words: str
    is_shown: bool
    is_binary: bool
    malignant_probability: float = 0.0
    threshold: float = 0.0
    tendency: str = ""
    share_words: str = ""
    """For which malignant share the number holds; empty where the share was stated, as `prevalence` says it then."""
    number_words: str = ""
    """The malignant probability, told apart from the threshold."""
    gauge_words: str = ""
    binary_words: str = ""
    bars: tuple[Bar, ...] = ()
    set_words: str = ""
    prevalence: PrevalenceView | None = None
    measures: tuple[Measure, ...] = ()
    is_partial: bool = False
    similar: SimilarView | None = None


def view_of(answer: Answer, language: Language, bundle: Bundle) -> AnswerView:
    """The view of an answer in the language.

    `bundle` is the one that is here: where it gave the answer, it is known for which malignant share the number holds.
    """
    assumed = bundle.manifest.prevalence if answer["bundle"]["sha256"] == bundle.sha256 else None
    advised = advice(answer, language, assumed)
    verdict = answer["decision"]
    is_shown = verdict != "abstain"
    findings = _said(answer["quality"]["findings"], language)
    return AnswerView(
        verdict=verdict,
        headline=language.gettext(HEADLINES[verdict]),
        urgency=advised.when,
        why=advised.why,
        steps_title=advised.title,
        steps=advised.steps,
        reasons=reasons_of(answer, language),
        notes=_said([note for note in answer["notes"] if note != NO_ANSWER], language),
        findings=findings,
        quality_words=_quality_words(is_shown, language),
        size_words=_size_words(answer, language),
        limits=_said(answer["limits"], language),
        bundle=answer["bundle"],
        point_words=point_words(answer["operating_point"], language),
        is_shown=is_shown,
        is_binary=is_binary(answer["probabilities"]),
        **(_numbers(answer, language, assumed) if is_shown else {}),
    )


def point_words(point: Mapping[str, Any], language: Language) -> str:
    """The threshold and what it found on validation images."""
    threshold = language.percent(point["threshold"], 1)
    if point["sensitivity"] is None or point["specificity"] is None:
        return language.gettext("{name}: threshold {threshold}.", name=point["name"], threshold=threshold)
    return language.gettext(
        "{name}: threshold {threshold}. On validation images it found {found} of the malignant lesions and left out "
        "{spared} of the benign ones.",
        name=point["name"],
        threshold=threshold,
        found=language.percent(point["sensitivity"]),
        spared=language.percent(point["specificity"]),
    )


def _numbers(answer: Answer, language: Language, assumed: float | None) -> dict[str, Any]:
    """What only an answer has that does not abstain."""
    stated = answer["prevalence"]
    total, threshold = answer["malignant_probability"], answer["operating_point"]["threshold"]
    given, needed = percents_apart(total, threshold, language)
    abcd = answer["abcd"]
    return {
        "malignant_probability": total,
        "threshold": threshold,
        "tendency": _tendency(answer, language, stated["malignant"] if stated else assumed),
        "share_words": "" if stated else _share_words(total, assumed, language),
        "gauge_words": language.gettext(
            "Malignant probability {value}. From the threshold {threshold} on, a referral is advised.",
            value=given,
            threshold=needed,
        ),
        "number_words": given,
        "binary_words": _binary_words(answer, language),
        "bars": bars_of(answer, language),
        "set_words": _set_words(answer, language),
        "prevalence": _prevalence(answer, language),
        "measures": measures_of(abcd, language) if abcd else (),
        "is_partial": bool(abcd and abcd["is_partial"]),
        "similar": similar_of(answer, language) if answer["similar"] else None,
    }


def _said(sentences: list[str], language: Language) -> tuple[str, ...]:
    return tuple(say(sentence, language) for sentence in sentences)


def _tendency(answer: Answer, language: Language, share: float | None) -> str:
    if answer["malignant_probability"] >= 0.5:
        if share is None:
            return language.gettext("More likely malignant than benign, at the share that the model assumes")
        return language.gettext(
            "More likely malignant than benign, where {share} of the lesions are malignant",
            share=language.percent(share, 1),
        )
    if answer["decision"] == "refer":
        return language.gettext("More likely benign, but not safely so")
    return language.gettext("More likely benign than malignant")


def _share_words(probability: float, assumed: float | None, language: Language) -> str:
    """That the number is one of the share that the model assumes, and what it is where fewer lesions are malignant."""
    if assumed is None:
        return language.gettext(
            "Where as many of the lesions seen are malignant as the model assumes; where fewer are, it is lower."
        )
    share = language.percent(assumed, 1)
    if assumed <= OTHER_SHARE:
        return language.gettext(
            "Where {share} of the lesions seen are malignant, as this model assumes; where fewer are, it is lower.",
            share=share,
        )
    return language.gettext(
        "Where {share} of the lesions seen are malignant, as this model assumes; where fewer are, it is lower: "
        "{value} at {other}.",
        share=share,
        value=language.percent(float(shift_to_prevalence(probability, assumed, OTHER_SHARE)), 1),
        other=language.percent(OTHER_SHARE),
    )


def _binary_words(answer: Answer, language: Language) -> str:
    if not is_binary(answer["probabilities"]):
        return ""
    if answer["diagnosis"] == "malignant":
        return language.gettext("It looks malignant: skin cancer is possible, not proven.")
    return language.gettext("It looks benign: skin cancer is not ruled out.")


def bars_of(answer: Answer, language: Language) -> tuple[Bar, ...]:
    """The classes, the most probable first."""
    probabilities = answer["probabilities"]
    malignant, found = malignant_of(tuple(probabilities)), answer["prediction_set"]
    return tuple(
        Bar(
            code,
            lay_name(code, language),
            clinical_name(code, language),
            about(code, language),
            probability,
            is_malignant=code in malignant,
            in_set=bool(found and code in found["classes"]),
        )
        for code, probability in sorted(probabilities.items(), key=lambda entry: -entry[1])
    )


def _set_words(answer: Answer, language: Language) -> str:
    found = answer["prediction_set"]
    if not found:
        return ""
    names = ", ".join(clinical_name(code, language) for code in found["classes"])
    return language.gettext(
        "Prediction set: {names}. Of the images of each class, {coverage} or more get a set that holds their class.",
        names=names or language.gettext("none, it is unlike every class"),
        coverage=language.percent(found["coverage"]),
    )


def _prevalence(answer: Answer, language: Language) -> PrevalenceView | None:
    stated = answer["prevalence"]
    if not stated:
        return None
    sentences = []
    if stated["ppv"] is not None:
        number = language.number(100 * stated["ppv"], 1)
        sentences.append(
            language.gettext(
                "Of 100 lesions at or above the threshold, {number} are malignant (positive predictive value).",
                number=number,
            )
        )
    if stated["npv"] is not None:
        number = language.number(100 * stated["npv"], 1)
        sentences.append(
            language.gettext(
                "Of 100 lesions below the threshold, {number} are benign (negative predictive value).", number=number
            )
        )
    share = language.percent(stated["malignant"], 1)
    return PrevalenceView(
        language.gettext("Over all lesions, where {share} of them are malignant", share=share), tuple(sentences)
    )


def _quality_words(is_shown: bool, language: Language) -> str:
    if is_shown:
        return language.gettext("Size, sharpness, light, reflections, hair and ink: nothing was found that hinders.")
    return language.gettext("Size, sharpness and light would do; it is what the image shows that hinders.")


def _size_words(answer: Answer, language: Language) -> str:
    side = round(answer["quality"]["source_side_pixels"])
    return language.gettext("The square has {side} × {side} pixels of the original.", side=language.number(side, 0))
