"""Outline, measures and similar cases of an answer in plain words, for the table that people read."""

from __future__ import annotations

from collections.abc import Iterator

from dermalens.core.decision import describe
from dermalens.predict.abcd import Measures
from dermalens.predict.abcd_border import SEGMENTS
from dermalens.predict.prediction import Prediction
from dermalens.predict.similar import Similar

Section = tuple[str, list[str]]
"""A title and its sentences."""

_SHOWN_CASES = 5
"""How many of the similar cases the table names; JSON has all."""


def lesion_sections(prediction: Prediction, picture: str | None) -> Iterator[Section]:
    """What the answer has of them; `picture` is the file with the drawn outline."""
    if prediction.abcd is not None:
        yield "Measures of the lesion (they describe; no diagnosis is made of them)", list(_measures(prediction.abcd))
    if picture is not None:
        yield "Outline", [picture]
    if prediction.similar is not None:
        yield "Similar cases of the gallery", list(_cases(prediction))


def _measures(found: Measures) -> Iterator[str]:
    long, short = (f"{share:.0%}" for share in found.asymmetry.shares)
    yield (
        f"Asymmetry: {found.asymmetry.score} of 2 axes; {long} and {short} of the area have no counterpart about the "
        "long and the short one."
    )
    yield (
        f"Border: irregularity {found.border.irregularity:.2f} (1 is a circle); it ends abruptly in "
        f"{found.border.abrupt_segments} of {SEGMENTS} segments."
    )
    shares = sorted(found.colours.shares.items(), key=lambda entry: -entry[1])
    named = ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in shares if share >= 0.005)
    yield f"Colours: {found.colours.count} of 6{f' ({named})' if named else ''}."
    length = "" if found.diameter_mm is None else f", {found.diameter_mm:.1f} mm by the scale that was given"
    yield f"Diameter: {found.diameter:.0%} of the side of the square{length}."
    if found.is_partial:
        yield "The lesion goes on outside the square: all of these are of a part."


def _cases(prediction: Prediction) -> Iterator[str]:
    cases = prediction.similar or ()
    malignant = sum(one.is_malignant for one in cases)
    yield f"{malignant} of the {len(cases)} most similar images are malignant. The nearest:"
    for one in cases[:_SHOWN_CASES]:
        yield case_words(one)


def case_words(case: Similar) -> str:
    """Distance, name and label of a similar case."""
    return f"{case.distance:.3f}  {case.name}  {describe(case.label)}{', malignant' if case.is_malignant else ''}"
