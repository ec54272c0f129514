"""What the page calls things: classes, decisions, sites, colours. Each is a text of the catalogues."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from dermalens.core.taxonomy import BINARY, DIAGNOSES
from dermalens.serve.pages.i18n import N_, Language

HEADLINES: Final = MappingProxyType(
    {
        "refer": N_("Show this lesion to a dermatologist"),
        "reassure": N_("No referral from this image alone"),
        "abstain": N_("This image cannot be judged"),
    }
)

DECISIONS: Final = MappingProxyType(
    {"refer": N_("Refer"), "reassure": N_("No referral"), "abstain": N_("Cannot be judged")}
)

SEXES: Final = (("unknown", N_("not stated")), ("female", N_("female")), ("male", N_("male")))

SITES: Final = MappingProxyType(
    {
        "abdomen": N_("abdomen"),
        "acral": N_("palm or sole"),
        "back": N_("back"),
        "chest": N_("chest"),
        "ear": N_("ear"),
        "face": N_("face"),
        "foot": N_("foot"),
        "genital": N_("genitals"),
        "hand": N_("hand"),
        "lower extremity": N_("leg"),
        "neck": N_("neck"),
        "scalp": N_("scalp"),
        "trunk": N_("trunk"),
        "upper extremity": N_("arm"),
    }
)
"""The `localization` of HAM10000, so that kept cases can be set beside it."""

COLOURS: Final = MappingProxyType(
    {
        "white": N_("white"),
        "red": N_("red"),
        "light_brown": N_("light brown"),
        "dark_brown": N_("dark brown"),
        "blue_grey": N_("blue-grey"),
        "black": N_("black"),
    }
)

BINARY_NAMES: Final = MappingProxyType({"benign": N_("benign lesion"), "malignant": N_("malignant lesion")})

BINARY_ABOUT: Final = MappingProxyType(
    {
        "benign": N_("A harmless change of the skin."),
        "malignant": N_("Skin cancer, or an early form that can become one."),
    }
)

FEEDBACK_KINDS: Final = (
    ("agree", N_("I agree")),
    ("other", N_("I think it is something else")),
    ("histology", N_("Histology has a result")),
)

TIPS: Final = (
    N_("Wipe the lens and lay the dermatoscope flat on the skin, with gel or polarised light against reflections."),
    N_("Put one lesion in the middle, so that it fills about half of the image, with some skin around it."),
    N_("Part or trim hair, and wipe off ink and stickers."),
    N_("Focus, hold still, and let the lamp of the dermatoscope light the image evenly."),
    N_("Give the original file, not a screenshot or a thumbnail."),
)
"""How to take a good image."""


def lay_name(code: str, language: Language) -> str:
    """What a lay reader calls the class; the code for one that is not known."""
    if code in DIAGNOSES:
        return capital(language.gettext(DIAGNOSES[code].lay_name))
    return capital(language.gettext(BINARY_NAMES[code])) if code in BINARY else code


def clinical_name(code: str, language: Language) -> str:
    """What a physician calls the class."""
    if code in DIAGNOSES:
        return capital(language.gettext(DIAGNOSES[code].name))
    return capital(language.gettext(code)) if code in BINARY else code


def about(code: str, language: Language) -> str:
    """A sentence or two on the class; nothing for one that is not known."""
    if code in DIAGNOSES:
        return language.gettext(DIAGNOSES[code].about)
    return language.gettext(BINARY_ABOUT[code]) if code in BINARY else ""


def site_choices(language: Language, own: str = "") -> list[tuple[str, str]]:
    """The sites to choose from, and one that a case has from elsewhere."""
    known = [(code, capital(language.gettext(words))) for code, words in SITES.items()]
    return known if own in ("", *SITES) else [*known, (own, own)]


def capital(text: str) -> str:
    """The text with a capital at its beginning.

    >>> capital("benign mole")
    'Benign mole'
    """
    return text[:1].upper() + text[1:]
