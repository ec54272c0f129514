"""What to do next, how soon and why, in plain words.

How soon: NICE guideline NG12, Suspected cancer: recognition and referral (2015, updated 2023), section 1.7: an
appointment within two weeks for a suspected melanoma, a routine referral for a suspected basal cell carcinoma.
What to watch for: N. R. Abbasi et al., Early diagnosis of cutaneous melanoma, JAMA 292, 2771 (2004).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from dermalens.core.taxonomy import BINARY
from dermalens.serve.pages.i18n import N_, Language
from dermalens.serve.pages.words import TIPS

Haste = Literal["melanoma", "malignant", "carcinoma", "keratosis", "caution"]

MELANOMA_SHARE: Final = 0.2
"""From this probability of a melanoma on, the appointment is as soon as for one, whatever comes first."""

MALIGNANT_SHARE: Final = 0.5
"""From here on a malignant lesion is the more probable one."""

WHEN: Final[Mapping[Haste, str]] = {
    "melanoma": N_("Within two weeks"),
    "malignant": N_("Within two weeks"),
    "carcinoma": N_("In the next weeks"),
    "keratosis": N_("In the next weeks"),
    "caution": N_("In the next weeks"),
}

WHY: Final[Mapping[Haste, str]] = {
    "melanoma": N_(
        "It may be a melanoma. Removed early it is nearly always cured, so time matters: the guideline NICE NG12 asks "
        "for an appointment within two weeks."
    ),
    "malignant": N_(
        "A malignant lesion is more likely than a benign one. A melanoma cannot be ruled out, and for a suspected "
        "melanoma the guideline NICE NG12 asks for an appointment within two weeks."
    ),
    "carcinoma": N_(
        "It may be a basal cell carcinoma. This skin cancer grows slowly and hardly ever spreads: an ordinary "
        "appointment is soon enough (a routine referral in the guideline NICE NG12)."
    ),
    "keratosis": N_(
        "It may be an actinic keratosis or Bowen's disease, which can become skin cancer if it is not treated. An "
        "ordinary appointment is soon enough, unless it grows fast, hurts or is open."
    ),
    "caution": N_(
        "A harmless lesion is the most likely, but a malignant one is not unlikely enough to leave it at that. This is "
        "a matter of caution: most lesions that are shown for this reason turn out to be benign."
    ),
}

REASSURE_WHY: Final = N_(
    "Nothing in this image alone asks for a referral. This does not rule out cancer: watch the lesion for changes."
)
ABSTAIN_WHY: Final = N_(
    "There is no answer, because the image does not let the model see what it needs. Take another one."
)

REFER_STEPS: Final = (
    N_("Make an appointment with a dermatologist, or ask your family doctor for a referral."),
    N_("Go at once, without waiting for the appointment, if the lesion bleeds, grows or changes quickly."),
    N_("Take the image with you, and say since when the lesion has been there and what has changed."),
)

REASSURE_STEPS: Final = (
    N_("A, asymmetry: one half no longer looks like the other."),
    N_("B, border: it becomes ragged, notched or blurred."),
    N_("C, colour: several colours appear, or one that is new."),
    N_("D, diameter: it grows beyond 6 mm."),
    N_("E, evolution: it changes in any way, itches or bleeds."),
    N_("Show the lesion to a dermatologist if one of these happens, or if it worries you."),
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


def advice(answer: Mapping[str, Any], language: Language) -> Advice:
    """The advice for an answer, in the language."""
    say = language.gettext
    if answer["decision"] == "abstain":
        return Advice(
            "", say(ABSTAIN_WHY), say(N_("How to take a better image")), tuple(map(say, (*TIPS, ABSTAIN_LAST)))
        )
    if answer["decision"] == "reassure":
        return Advice("", say(REASSURE_WHY), say(N_("What to watch for")), tuple(map(say, REASSURE_STEPS)))
    haste = haste_of(answer)
    return Advice(say(WHEN[haste]), say(WHY[haste]), say(N_("What to do next")), tuple(map(say, REFER_STEPS)))


def haste_of(answer: Mapping[str, Any]) -> Haste:
    """How soon a lesion that is referred is to be seen, and why."""
    first, probabilities = answer["diagnosis"], answer["probabilities"]
    if first == "mel" or probabilities.get("mel", 0.0) >= MELANOMA_SHARE:
        return "melanoma"
    if first == "bcc":
        return "carcinoma"
    if first == "akiec":
        return "keratosis"
    if first == BINARY[1] or answer["malignant_probability"] >= MALIGNANT_SHARE:
        return "malignant"
    return "caution"
