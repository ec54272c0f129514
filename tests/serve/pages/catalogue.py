"""Every text that the catalogues must have: what templates and modules mark, and the core's own fixed sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract_from_dir

import dermalens.serve
from dermalens.core import colour, image, statements
from dermalens.core.bundlefile import read_bundle
from dermalens.core.decision import RECOMMENDATIONS
from dermalens.core.taxonomy import DIAGNOSES
from dermalens.predict import drawing, gate
from dermalens.predict.classifier import DEFAULT_BUNDLE
from dermalens.serve.problems import PROBLEMS

SERVE = Path(dermalens.serve.__file__).parent
KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
METHODS = [("pages/**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]


def marked() -> set[str | tuple[str, ...]]:
    """What templates and modules mark."""
    found = extract_from_dir(SERVE, METHODS, keywords=KEYWORDS)
    return {message for _, _, message, _, _ in found}


def of_the_core() -> set[str]:
    """Sentences that the core writes as they are, and what the table of problems says."""
    return {sentence for sentence in _of_the_core() if sentence}


def _of_the_core() -> Iterator[str]:
    for one in DIAGNOSES.values():
        yield from (one.name, one.lay_name, one.about)
    for problem in PROBLEMS.values():
        yield from (problem.title, problem.about)
    yield from RECOMMENDATIONS.values()
    yield from (statements.INTENDED_USE, statements.NO_ANSWER, drawing.NO_OUTLINE, gate.FINDING, gate.ADVICE)
    for classes in (("benign", "malignant"), tuple(DIAGNOSES)):
        for has_gate in (True, False):
            yield from statements.limits_at_gate(statements.limits_for(classes), has_gate=has_gate)
    manifest = read_bundle(DEFAULT_BUNDLE).manifest
    yield from (manifest.intended_use, *manifest.limits)
    yield from (image.NOTE_ANIMATION, image.NOTE_PAGES, image.NOTE_BAD_EXIF)
    yield from (colour.NOTE_16_BIT, colour.NOTE_ALPHA, colour.NOTE_BAD_PROFILE)
