"""The sentences of the core in the language of the page.

The core writes English sentences with numbers in them. Each kind stands here as a template whose `{placeholders}` are
what varies; a sentence that fits a template is said with the template's translation. One that fits none stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from dermalens.core.taxonomy import DIAGNOSES
from dermalens.serve.pages.i18n import N_, Language

TEMPLATES: Final = (
    # core/decision.py
    N_("The malignant probability {given} is at or above the threshold {needed}."),
    N_("The malignant probability {given} is below the threshold {needed}."),
    N_(
        "The malignant probability {given} is at or above the threshold {needed}, which found {value} % (95 % interval "
        "{low} to {high}) of {n} malignant validation images."
    ),
    N_(
        "The malignant probability {given} is below the threshold {needed}, which found {value} % (95 % interval {low} "
        "to {high}) of {n} malignant validation images."
    ),
    N_(
        "The malignant probability {given} is at or above the threshold {needed}, which found {value} % of {n} "
        "malignant validation images."
    ),
    N_(
        "The malignant probability {given} is below the threshold {needed}, which found {value} % of {n} malignant "
        "validation images."
    ),
    N_(
        "The most probable class is malignant, {class} with {value}: that asks for a referral even though the "
        "malignant classes together stay below the threshold of this operating point."
    ),
    N_(
        "The most probable class is benign, {class} with {value}; the malignant classes together ({parts}) still reach "
        "the threshold, which is low because a missed cancer weighs more than a needless visit."
    ),
    N_(
        "The most probable class is {class} with {value} against {against} for {other}: that asks for a referral even "
        "though the malignant probability stays below the threshold of this operating point."
    ),
    N_(
        "The most probable class is {class} with {value} against {against} for {other}; the malignant probability "
        "still reaches the threshold, which is low because a missed cancer weighs more than a needless visit."
    ),
    N_("The most probable class is {class} with {value} against {against} for {other}."),
    N_("The most probable class is {class} with {value}."),
    N_("The probabilities are not finite numbers: no decision can rest on them."),
    # records/query.py
    N_("The first day, {since}, is after the last one, {until}. Exchange them."),
    # predict/quality.py
    N_(
        "The picture shows the lesion in {side} x {side2} pixels; at least {least} x {least2} are needed to judge it. "
        "Move closer, or send the picture in its original size."
    ),
    N_(
        "The picture is too dark (mean brightness {value} of 255, at least {least} is needed). Switch on the lamp of "
        "the dermatoscope and lay it flat on the skin."
    ),
    N_(
        "Black covers {value} of the picture (at most {most} can be judged). Move closer, or cut the picture, so that "
        "lit skin fills it."
    ),
    N_(
        "The picture is overexposed: {value} of it is white (at most {most} can be judged). Lower the exposure or the "
        "lamp and take it again."
    ),
    N_(
        "Reflections cover {value} of the picture (at most {most} can be judged). Wipe the lens, use gel or polarised "
        "light, and keep other lamps away."
    ),
    N_(
        "The picture is an even surface without detail (contrast {value} of 255, at least {least} is needed): no "
        "lesion can be seen in it. Put one lesion in the middle."
    ),
    N_(
        "The picture is blurred (sharpness {value}, at least {least} is needed for its contrast). Wipe the lens, "
        "focus, hold still and take it again."
    ),
    N_(
        "Hair covers the lesion: dark lines take {value} of the picture (at most {most} can be judged). Part or trim "
        "the hair, or flatten it with gel."
    ),
    N_(
        "Ink or another strong colour covers {value} of the picture (at most {most} can be judged). Wipe the marks off "
        "and keep stickers out of the picture."
    ),
    # core/colour.py
    N_("The colours were converted from the profile '{name}' to sRGB."),
    # core/header.py, core/square.py: why a picture cannot be used
    N_(
        "The {kind} file says that it has more than {most} megapixels, the most that are decoded. Crop it to the "
        "lesion or reduce it."
    ),
    N_("The {kind} file is damaged or cut off ({detail}); needed is the complete file. Copy or export it again."),
    N_("The {kind} file carries more text beside the picture than is read. Export it without its metadata."),
    N_(
        "There is not enough memory to decode the picture; needed are some 10 bytes a pixel. Crop it to the lesion or "
        "reduce it."
    ),
    N_(
        "The file is {looks}, whatever its name says; needed is JPEG, PNG, WebP, TIFF, BMP or GIF. Export the picture "
        "in one of these formats."
    ),
    N_(
        "The picture has {width} x {height} pixels ({size} megapixels); at most {most} megapixels are decoded. Crop it "
        "to the lesion or reduce it."
    ),
    N_(
        "The picture has {width} x {height} pixels; needed are at least {least} on the shorter side. Use the original, "
        "not a thumbnail."
    ),
    N_(
        "The picture has {width} x {height} pixels, a strip of {ratio}:1; needed is at most {most}:1. Crop it to the "
        "lesion with some skin around it."
    ),
    N_("The file is empty (0 bytes); needed is JPEG, PNG, WebP, TIFF, BMP or GIF. Copy or export it again."),
    N_("The file has {size} MiB; at most {most} MiB are read. Save it as JPEG or crop it to the lesion."),
    N_("The picture has {looks}; needed is RGB or grey of 8 or 16 bits a channel. Save it as PNG or JPEG."),
    N_(
        "The TIFF has grey values of {bits} bits or white as zero; needed are 8 or 16 bits with black as zero. Save it "
        "as PNG or JPEG."
    ),
    N_(
        "The square begins at {left}, {upper} and has a side of {side} pixels; needed is a square within the {width} x "
        "{height} picture. Choose it anew."
    ),
    # predict/classifier.py, core/prevalence.py: an option that cannot be used
    N_(
        "{value} millimetres a pixel given; needed is the length of a pixel of the original picture on the skin, more "
        "than 0. Leave it out where it is not known."
    ),
    N_("A prevalence is a share between 0 and 1, such as 0.03 for 3 %; {value} was given."),
    N_("No operating point '{name}' in this bundle; it has {names}."),
    # Pillow, within those on damaged files
    N_("image file is truncated"),
    N_("image file is truncated ({n} bytes not processed)"),
    N_("broken data stream when reading image file"),
    N_("cannot identify image file"),
    # serve
    N_("{size} images wait already. Try again in a moment."),
    N_("The server finishes what it has accepted and takes nothing new. Try again in a moment."),
    N_("The answer was not ready in time. Try again later."),
    N_("The upload took longer than {seconds} s. Send less at once, or over a faster connection."),
    N_("Needed is a form with at least one of the texts {names}, and no file."),
    N_("The square needs three numbers: left, upper, side. Choose it anew."),
    N_("There is nothing at {path}. The API is described at /docs."),
    N_("There is no such kind of problem."),
    N_("The request has {n} bytes; at most {most} bytes are taken."),
    N_("The form is said to be in '{charset}'; needed is UTF-8."),
    N_("The request has more; at most {most} bytes are taken."),
    N_("This request came from a page of another site. Use the page of this server, or send a key."),
    N_("The key lacks the scope '{scope}'. Ask the operator for one with it."),
    N_("The key has a limit of {n} requests a minute."),
    N_("Another download of all your cases is under way. Try again when it has ended."),
    N_("This server keeps no records. Ask the operator."),
    # records
    N_("There is no such case among yours. It may have been deleted."),
    N_("There is no such lesion among your cases."),
    N_("The cursor is none that this record gave out. Take it from the answer before, or leave it out."),
    N_("The age is {age} years; needed is 0 to {most}, or none."),
    N_("The picture's day is {day}; needed is one from 1900 until today, or none."),
    N_("The {what} has {n} characters; at most {most} are kept. Shorten it."),
    N_("The diagnosis is '{given}'; needed is one of {names}."),
    N_("The image {hash} in the data folder is damaged. Bring it back from a backup."),
    N_("All connections to the database are in use; needed is a free one. Try again."),
    N_("The database cannot be used. Check that it runs, and DERMALENS_DATABASE_URL."),
    N_("The database cannot write. Make room on its disk."),
    N_("The database can only be read. Give one that may be written in DERMALENS_DATABASE_URL."),
    N_("The database is busy. Try again."),
    N_("The data folder cannot be written: {reason}. Make room on its disk."),
    N_("The data folder cannot be used: {reason}. Check that it may be written, and DERMALENS_DATA_FOLDER."),
)

TERMS: Final = (
    N_("an AVIF picture"),
    N_("a HEIC picture or a film"),
    N_("a DICOM file"),
    N_("a PDF"),
    N_("a ZIP archive or an office document"),
    N_("a JPEG 2000 picture"),
    N_("no picture of a known format"),
    N_("text"),
    N_("32-bit pixels, whose range is not known"),
    N_("floating-point pixels, whose range is not known"),
    N_("Lab colours"),
    N_("grey with premultiplied alpha"),
    N_("benign"),
    N_("malignant"),
    N_("note"),
    N_("comment"),
    N_("name of the lesion"),
    N_("site"),
)
"""What stands in a placeholder and is translated too."""

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_NUMBER: Final = re.compile(r"(?<![\w.])(?:(\d{1,3}(?:,\d{3})+)(?!\w|,\d)|(\d+\.(\d+))(?![\w.]))")
"""As the core writes it: 20,971,520 or 0.25."""


def say(sentence: str, language: Language) -> str:
    """A sentence of the core in the language; as it is where no template fits."""
    if sentence in language.texts:
        return language.texts[sentence]
    for template, pattern in _patterns():
        match = pattern.fullmatch(sentence)
        if match and template in language.texts:
            values = {name: _value(text, language) for name, text in match.groupdict().items()}
            return language.gettext(template, **values)
    return sentence


def say_with(sentence: str, language: Language, exact: Mapping[str, str]) -> str:
    """A sentence of the core in the language, with these values for placeholders in the place of its own."""
    for template, pattern in _patterns():
        match = pattern.fullmatch(sentence)
        if match:
            values = {name: exact.get(name) or _value(text, language) for name, text in match.groupdict().items()}
            return language.gettext(template, **values)
    return sentence


def is_known(sentence: str, language: Language) -> bool:
    """Whether the catalogue has the sentence, as it is or by its template."""
    return sentence in language.texts or any(
        pattern.fullmatch(sentence) and template in language.texts for template, pattern in _patterns()
    )


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each template and what finds it; those with much fixed text first, as they say most exactly what they fit."""
    ordered = sorted(TEMPLATES, key=lambda template: -len(_PLACEHOLDER.sub("", template)))
    return tuple((template, _pattern(template)) for template in ordered)


def _pattern(template: str) -> re.Pattern[str]:
    """What stands for a placeholder ends where the text after it first comes: to try further would take hours."""
    first, *rest = _PLACEHOLDER.split(template)
    pairs = [f"(?P<{name}>.+?){re.escape(text)}" for name, text in zip(rest[::2], rest[1::2], strict=True)]
    return re.compile("".join([re.escape(first), *(f"(?>{pair})" for pair in pairs[:-1]), *pairs[-1:]]), re.DOTALL)


def _value(text: str, language: Language) -> str:
    """What stands in a placeholder: a class with its clinical name, a known term, or numbers."""
    code, _, name = text.partition(" (")
    if code in DIAGNOSES and name == f"{DIAGNOSES[code].name})":
        return f"{code} ({language.gettext(DIAGNOSES[code].name)})"
    known = say(text, language)
    if known != text:
        return known
    written = _NUMBER.sub(lambda match: _number(match, language), text)
    return language.percent(float(text[:-1]) / 100) if re.fullmatch(r"\d+%", text) else written


def _number(match: re.Match[str], language: Language) -> str:
    whole, decimal, decimals = match.groups()
    return language.number(int(whole.replace(",", "")), 0) if whole else language.number(float(decimal), len(decimals))
