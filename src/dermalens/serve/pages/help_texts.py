"""The longer texts of the help page."""

from __future__ import annotations

from dermalens.core.decision import RECOMMENDATIONS
from dermalens.serve.pages.i18n import Language
from dermalens.serve.pages.sentences import say
from dermalens.serve.pages.words import DECISIONS
from dermalens.serve.service import Service


def meanings(language: Language) -> list[tuple[str, str]]:
    """What the words of an answer mean: the three decisions with what each recommends, and the figures."""
    _ = language.gettext
    decisions = [(_(DECISIONS[verdict]), say(words, language)) for verdict, words in RECOMMENDATIONS.items()]
    return [
        *decisions,
        (
            _("Malignant probability"),
            _(
                "How probable the malignant classes are together. Calibrated: of the lesions that get 10 %, about one "
                "in ten is malignant, where malignant lesions are as frequent as the model assumes or as was stated."
            ),
        ),
        (
            _("Threshold"),
            _(
                "From it on a referral is advised. It is low, because a missed cancer weighs more than a needless "
                "visit."
            ),
        ),
        (
            _("Prediction set"),
            _("The classes that the image may well have. One class means that the model is sure, many that it is not."),
        ),
        (
            _("Heat map"),
            _("Bright where the image speaks for the class. It explains the model; it is not the border of a disease."),
        ),
    ]


def privacy(language: Language, service: Service, *, is_open: bool) -> list[str]:
    """What happens with images and entries on this server; `is_open`: it needs no key."""
    _ = language.gettext
    sentences = [
        _("Images are answered by this server and sent to no other. The page loads nothing from other servers."),
        _("An image is forgotten as soon as it is answered, unless “Keep this case” was ticked."),
    ]
    if service.records is None:
        return [*sentences, _("This server keeps no cases at all.")]
    sentences += [
        _("A kept image is stripped of everything but its pixels: no place, no time, no name of a camera."),
        _("Whoever can open this page sees all kept cases, can take them away whole, and can erase them.")
        if is_open
        else _(
            "Kept cases are seen only with the key that kept them, can be taken away whole, and are erased on demand."
        ),
    ]
    days = service.settings.retention_days
    if days is not None:
        sentences.append(
            language.ngettext("Kept cases are erased after {n} day.", "Kept cases are erased after {n} days.", days)
        )
    return sentences
