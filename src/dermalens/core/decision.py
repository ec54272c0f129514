"""From logits to the decision: calibrated probabilities, malignant probability, refer, reassure or abstain.

Everything after `calibrate` works on probabilities rounded to six decimals, the ones that an answer shows, so that
whoever adds them up or compares them with the threshold comes to the same decision.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from dermalens.core.bundle import Calibration, Measured, OperatingPoint
from dermalens.core.errors import BundleError
from dermalens.core.taxonomy import BINARY, DIAGNOSES, is_binary

Logits = NDArray[np.floating]  # [K] or [N, K], before calibration
Probabilities = NDArray[np.float64]  # [K] or [N, K], the last axis sums to one

Verdict = Literal["refer", "reassure", "abstain"]

DECIMALS: Final = 6
"""Of every probability in an answer; the thresholds of the operating points have as many."""

RECOMMENDATIONS: Final[Mapping[Verdict, str]] = {
    "refer": (
        "Have a dermatologist look at this lesion soon, and without delay if it bleeds, grows or changes quickly. "
        "Take the image with you."
    ),
    # ABCDE: N. R. Abbasi et al., Early diagnosis of cutaneous melanoma, JAMA 292, 2771 (2004).
    "reassure": (
        "Nothing in this image alone asks for a referral, which does not rule out cancer. Watch the lesion: show it "
        "to a dermatologist if it becomes asymmetric, its border ragged or its colours several, if it grows beyond "
        "6 mm, evolves in any way (ABCDE), itches or bleeds, or if it worries you."
    ),
    "abstain": (
        "Take another picture with a dermatoscope: the lesion sharp and evenly lit in the middle, filling about half "
        "of the frame. If that does not succeed or the lesion worries you, show it to a dermatologist."
    ),
}
"""The next step for each decision."""

_NOT_FINITE: Final = "The probabilities are not finite numbers: no decision can rest on them."


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, why, and the next step."""

    verdict: Verdict
    reasons: tuple[str, ...]
    recommendation: str


def calibrate(logits: Logits, calibration: Calibration) -> Probabilities:
    """softmax(scale * logits + shift) over the last axis, in float64.

    Raises:
        BundleError: the result is not finite, as with a calibration so steep that the product overflows.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = logits.astype(np.float64) * np.array(calibration.scale) + np.array(calibration.shift)
        exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
        probabilities = np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))
    if not np.isfinite(probabilities).all():
        raise BundleError(
            "The bundle gives probabilities that are not finite numbers; its calibration does not fit its graphs. "
            "Export it again: dermalens export RUN"
        )
    return probabilities


def by_code(probabilities: Probabilities, classes: Sequence[str]) -> dict[str, float]:
    """The probabilities [K] of one image by class code, rounded as an answer shows them."""
    return {code: round(float(value), DECIMALS) for code, value in zip(classes, probabilities, strict=True)}


def malignant_probability(probabilities: Mapping[str, float], malignant: Sequence[str]) -> float:
    """Sum over the malignant classes, 0 to 1."""
    return round(min(sum(probabilities[code] for code in malignant), 1.0), DECIMALS)


def most_probable(probabilities: Mapping[str, float]) -> str:
    """The class code with the highest probability; the first of them in a draw."""
    return max(probabilities, key=lambda code: probabilities[code])


def decide(
    probabilities: Mapping[str, float], malignant: Sequence[str], point: OperatingPoint, findings: Sequence[str] = ()
) -> Decision:
    """Refer at or above the threshold of `point` or where a malignant class comes first (a draw counts), else reassure.

    It abstains when there are `findings`, which say why, and never reassures on numbers that are not finite.
    """
    if findings:
        return Decision("abstain", tuple(findings), RECOMMENDATIONS["abstain"])
    if not all(map(math.isfinite, probabilities.values())):
        return Decision("abstain", (_NOT_FINITE,), RECOMMENDATIONS["abstain"])
    total = malignant_probability(probabilities, malignant)
    worst = most_probable({code: probabilities[code] for code in malignant})
    comes_first = probabilities[worst] == max(probabilities.values())
    verdict: Verdict = "reassure" if total < point.threshold and not comes_first else "refer"
    top = worst if comes_first else most_probable(probabilities)
    reasons = (_against_threshold(total, point), _about_class(top, probabilities, malignant, total < point.threshold))
    return Decision(verdict, reasons, RECOMMENDATIONS[verdict])


def _against_threshold(total: float, point: OperatingPoint) -> str:
    relation = "at or above" if total >= point.threshold else "below"
    given, needed = _apart(total, point.threshold)
    return f"The malignant probability {given} is {relation} the threshold {needed}{_found(point.sensitivity)}."


def _found(sensitivity: Measured) -> str:
    """What the threshold found when it was chosen, with its interval; nothing where that is not known."""
    value, low, high = sensitivity.value, sensitivity.low, sensitivity.high
    if value is None:
        return ""
    bounds = "" if low is None or high is None else f" (95 % interval {100 * low:.0f} to {100 * high:.0f})"
    return f", which found {100 * value:.0f} %{bounds} of {sensitivity.n} malignant validation images"


def _apart(first: float, second: float) -> tuple[str, str]:
    """Both with two decimals, or as many as it takes to tell them apart."""
    for decimals in range(2, DECIMALS):
        texts = f"{first:.{decimals}f}", f"{second:.{decimals}f}"
        if texts[0] != texts[1]:
            return texts
    return f"{first:.{DECIMALS}f}", f"{second:.{DECIMALS}f}"


def _about_class(top: str, probabilities: Mapping[str, float], malignant: Sequence[str], is_below: bool) -> str:
    if is_binary(probabilities):
        return _about_two_classes(top, probabilities, is_below)
    seen = f"{describe(top)} with {probabilities[top]:.2f}"
    if top in malignant and is_below:
        return (
            f"The most probable class is malignant, {seen}: that asks for a referral even though the malignant classes "
            "together stay below the threshold of this operating point."
        )
    if top not in malignant and not is_below:
        parts = " + ".join(f"{code} {probabilities[code]:.2f}" for code in malignant)
        return (
            f"The most probable class is benign, {seen}; the malignant classes together ({parts}) still reach the "
            "threshold, which is low because a missed cancer weighs more than a needless visit."
        )
    return f"The most probable class is {seen}."


def _about_two_classes(top: str, probabilities: Mapping[str, float], is_below: bool) -> str:
    other = BINARY[top == BINARY[0]]
    given, against = _apart(probabilities[top], probabilities[other])
    seen = f"The most probable class is {top} with {given} against {against} for {other}"
    if top == BINARY[1] and is_below:
        return (
            f"{seen}: that asks for a referral even though the malignant probability stays below the threshold of this "
            "operating point."
        )
    if top == BINARY[0] and not is_below:
        return (
            f"{seen}; the malignant probability still reaches the threshold, which is low because a missed cancer "
            "weighs more than a needless visit."
        )
    return f"{seen}."


def describe(code: str) -> str:
    """A class code with its clinical name; the code alone for one not of HAM10000.

    >>> describe("nv"), describe("benign")
    ('nv (melanocytic naevus)', 'benign')
    """
    return f"{code} ({DIAGNOSES[code].name})" if code in DIAGNOSES else code
