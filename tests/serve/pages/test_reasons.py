"""The reasons have the figures that stand beside them on the page."""

import pytest

from dermalens.core.bundle import Measured, OperatingPoint
from dermalens.core.decision import decide
from dermalens.core.taxonomy import BINARY, CLASSES, MALIGNANT
from dermalens.serve.pages.i18n import languages
from dermalens.serve.pages.reasons import reasons_of

ENGLISH, GERMAN = languages()["en"], languages()["de"]


def answered(threshold, **shares):
    probabilities = {code: shares.get(code, 0.0) for code in (BINARY if "benign" in shares else CLASSES)}
    malignant = ("malignant",) if "benign" in shares else MALIGNANT
    found = Measured(value=0.95, low=0.92, high=0.98, n=295)
    point = OperatingPoint(name="usual", threshold=threshold, sensitivity=found, specificity=found)
    return {
        "reasons": list(decide(probabilities, malignant, point).reasons),
        "probabilities": probabilities,
        "malignant_probability": sum(probabilities[code] for code in malignant),
        "diagnosis": max(probabilities, key=probabilities.get),
        "operating_point": {"threshold": threshold},
    }


def test_a_threshold_below_one_per_cent_is_not_rounded_to_one():
    threshold, first = reasons_of(answered(0.005, mel=0.634, nv=0.366), ENGLISH)
    assert "63.4%" in threshold
    assert "0.5%" in threshold
    assert "found 95 %" in threshold
    assert first == "The most probable class is melanoma with 63.4%."


def test_a_benign_class_that_is_referred_names_the_malignant_ones_in_german():
    _, first = reasons_of(answered(0.045, nv=0.9, mel=0.06, bcc=0.04), GERMAN)
    assert "Melanom 6,0\xa0%" in first
    assert "Basalzellkarzinom 4,0\xa0%" in first
    assert "melanozytärer Nävus mit 90,0\xa0%" in first


def test_a_probability_at_the_threshold_is_told_apart_from_it():
    threshold, _ = reasons_of(answered(0.045, nv=0.9551, mel=0.0449), ENGLISH)
    assert "4.49% is below the threshold 4.50%" in threshold


@pytest.mark.parametrize("language", [ENGLISH, GERMAN], ids=["en", "de"])
def test_two_classes_have_both_shares(language):
    _, first = reasons_of(answered(0.045, benign=0.7, malignant=0.3), language)
    assert language.percent(0.7, 1) in first
    assert language.percent(0.3, 1) in first
    assert language.gettext("malignant") in first


def test_what_hinders_an_image_is_said_as_it_is():
    finding = "The picture does not look like a dermatoscopic image of a skin lesion."
    assert reasons_of({"reasons": [finding]}, ENGLISH) == (finding,)
