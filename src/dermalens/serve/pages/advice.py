"""What to do next, how soon and why, in plain words.

What is the guideline's: NICE NG12, Suspected cancer: recognition and referral (2015 and later), section 1.7. A lesion
in which dermoscopy suggests a melanoma goes the urgent way (a suspected cancer pathway referral, in 2015 "for an
appointment within 2 weeks"; health services have set other times since), a suspected basal cell carcinoma the ordinary
one, unless its site or size makes a delay weigh more. It is written for physicians, not for a model's figures.

What is ours: both shares below, that they decide how soon, the weeks named for an actinic keratosis and for a referral
out of caution, and every sentence. Nobody has tested them on patients; so the page says that the physician decides.

What to watch for: N. R. Abbasi et al., Early diagnosis of cutaneous melanoma, JAMA 292, 2771 (2004).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from dermalens.core.prevalence import shift_classes
from dermalens.core.taxonomy import BINARY, malignant_of
from dermalens.serve.pages.i18n import N_, Language
from dermalens.serve.pages.words import TIPS

Haste = Literal["melanoma", "malignant", "carcinoma", "keratosis", "caution"]

MELANOMA_SHARE: Final = 0.1
"""From this probability of a melanoma on, the appointment is as soon as for one, whatever comes first. Ours: one in ten
is too much to call an ordinary appointment soon enough."""

MALIGNANT_SHARE: Final = 0.5
"""From here on a malignant lesion is the more probable one, at the share that was stated. Ours, as is the haste that
follows."""

WHEN: Final[Mapping[Haste, str]] = {
    "melanoma": N_("Soon: best within two weeks"),
    "malignant": N_("Soon: best within two weeks"),
    "carcinoma": N_("In the next weeks"),
    "keratosis": N_("In the next weeks"),
    "caution": N_("In the next weeks"),
}

WHY: Final[Mapping[Haste, str]] = {
    "melanoma": N_(
        "It may be a melanoma; this image alone cannot tell. A melanoma that is removed early can nearly always be "
        "cured, so do not wait. How urgent it is, the physician decides."
    ),
    "malignant": N_(
        "A malignant lesion is more likely than a benign one, and a melanoma is not ruled out; so do not wait. How "
        "urgent it is, the physician decides."
    ),
    "carcinoma": N_(
        "It may be a basal cell carcinoma; this image alone cannot tell. This skin cancer grows slowly and hardly ever "
        "spreads, so an ordinary appointment is usually soon enough, an earlier one near the eye, nose, lip or ear. "
        "How urgent it is, the physician decides."
    ),
    "keratosis": N_(
        "It may be an actinic keratosis or Bowen's disease, early forms that can become skin cancer. An ordinary "
        "appointment is usually soon enough, an earlier one if it grows fast, thickens, hurts or is open. How urgent "
        "it is, the physician decides."
    ),
    "caution": N_(
        "A harmless lesion is the most likely, but a malignant one is not unlikely enough to leave it at that. Most "
        "lesions that are shown for this reason turn out to be benign. How urgent it is, the physician decides."
    ),
}

REASSURE_WHY: Final = N_(
    "Nothing in this image alone asks for a referral. This does not rule out cancer: watch the lesion for changes."
)
MISSED: Final = N_("On validation images, {missed} of the malignant lesions lay below this threshold too.")
ABSTAIN_WHY: Final = N_(
    "There is no answer, because the image does not let the model see what it needs. Take another one."
)

REFER_STEPS: Final = (
    N_("Make an appointment with a dermatologist, or ask your family doctor for a referral."),
    N_("Ask to be seen at once, without waiting for the appointment, if it bleeds, grows or changes quickly."),
    N_("Take the image with you, and say since when the lesion has been there and what has changed."),
)

REASSURE_STEPS: Final = (
    N_("A, asymmetry: one half no longer looks like the other."),
    N_("B, border: it becomes ragged, notched or blurred."),
    N_("C, colour: several colours appear, or one that is new."),
    N_("D, diameter: it grows beyond 6 mm."),
    N_("E, evolution: it changes in any way, itches or bleeds."),
    N_("Show the lesion to a dermatologist if one of these happens or is so already, or if it worries you."),
)

ABSTAIN_LAST: Final = N_("If that does not succeed, or if the lesion worries you, show it to a dermatologist.")


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do."""

    when: str
    """How soon; nothing where there is no appointment to make."""
    why: str
    title: str
    """Of the steps."""
    steps: tuple[str, ...]


def advice(answer: Mapping[str, Any], language: Language, assumed: float | None = None) -> Advice:
    """The advice for an answer, in the language; `assumed` as for `haste_of`."""
    say = language.gettext
    if answer["decision"] == "abstain":
        return Advice(
            "", say(ABSTAIN_WHY), say(N_("How to take a better image")), tuple(map(say, (*TIPS, ABSTAIN_LAST)))
        )
    if answer["decision"] == "reassure":
        return Advice("", _reassurance(answer, language), say(N_("What to watch for")), tuple(map(say, REASSURE_STEPS)))
    haste = haste_of(answer, assumed)
    return Advice(say(WHEN[haste]), say(WHY[haste]), say(N_("What to do next")), tuple(map(say, REFER_STEPS)))


def _reassurance(answer: Mapping[str, Any], language: Language) -> str:
    """Why there is no referral, and how often that is wrong where the bundle says so."""
    found = answer["operating_point"]["sensitivity"]
    if found is None:
        return language.gettext(REASSURE_WHY)
    missed = language.gettext(MISSED, missed=language.percent(1 - found))
    return f"{language.gettext(REASSURE_WHY)} {missed}"


def haste_of(answer: Mapping[str, Any], assumed: float | None = None) -> Haste:
    """How soon a lesion that is referred is to be seen, and why.

    A stated share of malignant lesions moves the threshold as it moves the probabilities, and so no decision; it does
    not make a melanoma wait either. `assumed` is the share that the model assumes, to which the shift is undone; None
    where it is not known, and then the probabilities are taken as they are.
    """
    probabilities = _without_shift(answer, assumed)
    first = max(probabilities, key=lambda code: probabilities[code])
    if first == "mel" or probabilities.get("mel", 0.0) >= MELANOMA_SHARE:
        return "melanoma"
    if first == "bcc":
        return "carcinoma"
    if first == "akiec":
        return "keratosis"
    if first == BINARY[1] or answer["malignant_probability"] >= MALIGNANT_SHARE:
        return "malignant"
    return "caution"


def _without_shift(answer: Mapping[str, Any], assumed: float | None) -> dict[str, float]:
    """The probabilities at the share that the model assumes."""
    probabilities, stated = answer["probabilities"], answer["prevalence"]
    if stated is None or assumed is None:
        return dict(probabilities)
    malignant = np.isin(list(probabilities), malignant_of(tuple(probabilities)))
    given = np.array(list(probabilities.values()))
    back = shift_classes(given, malignant, base=stated["malignant"], wanted=assumed)
    return dict(zip(probabilities, back.tolist(), strict=True))
