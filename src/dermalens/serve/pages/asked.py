"""What the form of the classify page asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from fastapi import Request

from dermalens.core.square import Square
from dermalens.predict.classifier import Classifier
from dermalens.predict.prevalence import LEAST, MOST
from dermalens.records.cases import Patient
from dermalens.records.errors import BadValue
from dermalens.serve.answering import Order
from dermalens.serve.pages.days import read_day
from dermalens.serve.pages.i18n import N_, Language
from dermalens.serve.pages.numbers import read_number
from dermalens.serve.problems import Refusal
from dermalens.serve.running import running_of
from dermalens.serve.upload import Form

PREVALENCE_COOKIE: Final = "prevalence"

CONSENT: Final = N_(
    "I agree that this server keeps the image (its pixels only), the answer and what I enter here, until the case is "
    "deleted. Without this tick nothing is kept."
)
"""The sentence beside the tick; it is kept with the case in the language in which it was read."""

CONSENT_FOR_DAYS: Final = N_(
    "I agree that this server keeps the image (its pixels only), the answer and what I enter here, until the case is "
    "deleted, at the latest after {days} days. Without this tick nothing is kept."
)
"""The same where the server erases cases by itself."""

TYPED: Final = (
    *("operating_point", "age_years", "sex", "site", "millimetres_per_pixel", "prevalence"),
    *("keep", "lesion", "taken_on", "note"),
)
"""The fields that a reader fills in, without the image and its square."""

_FORM_NUMBER: Final = re.compile("[0-9a-f]{32}")

NO_IMAGE: Final = N_("No image was chosen. Choose one first.")
TWO_IMAGES: Final = N_("Two images were chosen, and only one is judged at a time. Choose one of them.")


@dataclass(frozen=True, slots=True)
class AskedFor:
    """An order, and what is to be kept with its answer."""

    order: Order
    is_kept: bool
    patient: Patient
    lesion: str
    note: str
    taken_on: date | None
    form_number: str | None
    """Of the form that was sent; None where it came without one."""
    said: str
    """All fields of the form."""


def read_asked(form: Form, classifier: Classifier, language: Language) -> AskedFor:
    """The order of a form.

    Raises:
        Refusal: there is no image, or there are two, or a field holds what is no number.
    """
    fields = form.fields
    image = _image(form)
    has_outline = classifier.outline is not None
    order = Order(
        image,
        heatmap=True,
        outline=has_outline,
        operating_point=fields.get("operating_point"),
        prevalence=_prevalence(fields, language) if classifier.manifest.prevalence else None,
        square=_square(fields.get("square", "")),
        millimetres_per_pixel=_number(fields, "millimetres_per_pixel", language) if has_outline else None,
    )
    patient = Patient(_number(fields, "age_years", language), fields.get("sex", "unknown"), fields.get("site", ""))
    is_kept = fields.get("keep") == "yes"
    return AskedFor(
        order,
        is_kept,
        patient,
        fields.get("lesion", ""),
        fields.get("note", ""),
        _day(fields, language) if is_kept else None,
        form_number(fields),
        json.dumps(fields, sort_keys=True),
    )


def consent_words(retention_days: int | None, language: Language) -> str:
    """What is agreed to with the tick."""
    if retention_days is None:
        return language.gettext(CONSENT)
    return language.gettext(CONSENT_FOR_DAYS, days=language.number(retention_days, 0))


def _image(form: Form) -> bytes:
    images = [content for content in form.images if content]  # the field that was left empty comes as well
    if len(images) != 1:
        raise Refusal("invalid", TWO_IMAGES if images else NO_IMAGE)
    return images[0]


def form_number(fields: Mapping[str, str]) -> str | None:
    """The number under which the form was handed out; None where there is none."""
    number = fields.get("form", "")
    return number if _FORM_NUMBER.fullmatch(number) else None


def _day(fields: dict[str, str], language: Language) -> date | None:
    try:
        return read_day(fields.get("taken_on", ""), language)
    except BadValue as error:
        raise Refusal("invalid", str(error), is_translated=True) from error


def _number(fields: dict[str, str], name: str, language: Language) -> float | None:
    try:
        return read_number(fields.get(name, ""), language)
    except BadValue as error:
        raise Refusal("invalid", str(error), is_translated=True) from error


def _prevalence(fields: dict[str, str], language: Language) -> float | None:
    percent = _number(fields, "prevalence", language)
    if percent is None or LEAST <= percent / 100 <= MOST:
        return None if percent is None else percent / 100
    words = language.gettext(
        "“{text}” is no share that can be used: write it in per cent, from {least} to {most}, such as 3.",
        text=fields["prevalence"].strip()[:40],
        least=language.number(100 * LEAST),
        most=language.number(100 * MOST),
    )
    raise Refusal("invalid", words, is_translated=True)


def _square(text: str) -> Square | None:
    """`left,upper,side`; nothing is the centre square.

    Raises:
        Refusal: these are not three numbers.
    """
    if not text.strip():
        return None
    try:
        left, upper, side = (float(part) for part in text.split(","))
    except ValueError as error:
        raise Refusal("invalid", "The square needs three numbers: left, upper, side. Choose it anew.") from error
    return Square(left, upper, side)


def own_points(classifier: Classifier, language: Language) -> list[dict[str, object]]:
    """The operating points of the bundle as the form offers them."""
    manifest, points = classifier.manifest, []
    for point in manifest.operating_points:
        found, spared = point.sensitivity.value, point.specificity.value
        words, about = point.name, ""
        if found is not None and spared is not None:
            words = language.gettext("Finds {share} of the malignant lesions", share=language.percent(found))
            about = language.gettext("and refers {share} of the benign ones", share=language.percent(1 - spared))
        is_default = point.name == manifest.default_operating_point
        points.append({"name": point.name, "words": words, "about": about, "is_default": is_default})
    return points


def percent_text(share: float | None, language: Language) -> str:
    """A share as the field of the form shows it, in per cent."""
    return "" if share is None else f"{100 * share:g}".replace(".", language.number(0.5, 1)[1])


def remembered_share(request: Request) -> float | None:
    """The malignant share that this browser was told, or else the one that the server assumes."""
    assumed = running_of(request).service.settings.default_prevalence
    return share_of(request.cookies.get(PREVALENCE_COOKIE)) or assumed


def share_of(text: str | None) -> float | None:
    """The share that the cookie remembers; None where it holds none."""
    try:
        share = float(text or "")
    except ValueError:
        return None
    return share if LEAST <= share <= MOST else None
