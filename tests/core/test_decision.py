from __future__ import annotations

import numpy as np
import pytest

from dermalens.core.bundle import Calibration, Measured, OperatingPoint
from dermalens.core.decision import RECOMMENDATIONS, by_code, calibrate, decide, malignant_probability, most_probable
from dermalens.core.errors import BundleError
from dermalens.core.taxonomy import CLASSES, DIAGNOSES, MALIGNANT

NOTHING = Measured(value=None, low=None, high=None, n=0)


def calibration(scale=1.0, shift=(0.0,) * 7):
    return Calibration(method="vector", scale=[scale] * 7, shift=list(shift), n=10)


def point(threshold, found: float | None = 0.95):
    low, high = (None, None) if found is None else (found - 0.03, found + 0.03)
    sensitivity = Measured(value=found, low=low, high=high, n=0 if found is None else 50)
    return OperatingPoint(name="p", threshold=threshold, sensitivity=sensitivity, specificity=NOTHING)


def shares(**given):
    """Probabilities with the rest on vasc."""
    return {code: given.get(code, 0.0) for code in CLASSES} | {"vasc": round(1 - sum(given.values()), 6)}


def test_calibration_is_the_softmax_of_scaled_and_shifted_logits():
    logits = np.array([1.0, 2.0, 0.0, 0.0, 0.0, 0.0, -1.0])
    shift = np.array([0.5, 0, 0, 0, 0, 0, 0])
    expected = np.exp(2 * logits + shift)
    found = calibrate(logits, calibration(2.0, shift.tolist()))
    assert found == pytest.approx(expected / expected.sum())


def test_many_images_are_calibrated_as_each_alone():
    logits = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    together = calibrate(logits, calibration(1.3))
    assert np.array_equal(together, np.stack([calibrate(one, calibration(1.3)) for one in logits]))


def two(malignant):
    return {"benign": round(1 - malignant, 6), "malignant": malignant}


@pytest.mark.parametrize(
    ("malignant", "threshold", "verdict", "reason"),
    [
        (0.83, 0.2, "refer", "The most probable class is malignant with 0.83 against 0.17 for benign."),
        (0.05, 0.2, "reassure", "The most probable class is benign with 0.95 against 0.05 for malignant."),
        (0.3, 0.2, "refer", "is benign with 0.70 against 0.30 for malignant; the malignant probability still reaches"),
        (0.55, 0.9, "refer", "is malignant with 0.55 against 0.45 for benign: that asks for a referral even though"),
        (0.5, 0.9, "refer", "is malignant with 0.500000 against 0.500000 for benign: that asks for a referral"),
    ],
)
def test_two_classes_have_sentences_of_their_own(malignant, threshold, verdict, reason):
    decision = decide(two(malignant), ["malignant"], point(threshold))
    assert decision.verdict == verdict
    assert reason in decision.reasons[1]


def test_huge_logits_do_not_overflow():
    found = calibrate(np.array([1e4, -1e4, 0, 0, 0, 0, 0]), calibration())
    assert found.tolist() == [1, 0, 0, 0, 0, 0, 0]


def test_probabilities_are_shown_with_six_decimals_that_still_sum_to_one():
    random = np.random.default_rng(1)
    for _ in range(200):
        shown = by_code(random.dirichlet(np.ones(7)), CLASSES)
        assert sum(shown.values()) == pytest.approx(1, abs=1e-5)
        assert all(value == round(value, 6) for value in shown.values())


def test_malignant_probability_is_the_sum_of_what_is_shown():
    assert malignant_probability(shares(akiec=0.1, bcc=0.02, mel=0.003, nv=0.5), MALIGNANT) == 0.123


def test_malignant_probability_never_exceeds_one():
    assert malignant_probability(dict.fromkeys(CLASSES, 0.333334), MALIGNANT) == 1


@pytest.mark.parametrize(("mel", "verdict"), [(0.119999, "reassure"), (0.12, "refer"), (0.120001, "refer")])
def test_the_threshold_itself_refers(mel, verdict):
    assert decide(shares(mel=mel, nv=0.7), MALIGNANT, point(0.12)).verdict == verdict


def test_a_referral_names_the_numbers_it_rests_on():
    decision = decide(shares(mel=0.41, nv=0.3), MALIGNANT, point(0.12))
    assert decision.reasons == (
        (
            "The malignant probability 0.41 is at or above the threshold 0.12, which found 95 % (95 % interval 92 to "
            "98) of 50 malignant validation images."
        ),
        "The most probable class is mel (melanoma) with 0.41.",
    )
    assert decision.recommendation == RECOMMENDATIONS["refer"]


def test_numbers_that_look_equal_are_shown_with_more_digits():
    reasons = decide(shares(mel=0.1204, nv=0.7), MALIGNANT, point(0.1199)).reasons
    assert "probability 0.1204 is at or above the threshold 0.1199" in reasons[0]


def test_an_unknown_sensitivity_is_not_claimed():
    assert "found" not in decide(shares(mel=0.5), MALIGNANT, point(0.12, None)).reasons[0]


def test_a_referral_with_a_benign_class_on_top_is_explained():
    reasons = decide(shares(mel=0.1, bcc=0.05, nv=0.8), MALIGNANT, point(0.12)).reasons
    assert "is benign, nv (melanocytic naevus) with 0.80" in reasons[1]
    assert "akiec 0.00 + bcc 0.05 + mel 0.10" in reasons[1]


def test_a_malignant_class_on_top_is_referred_even_below_the_threshold():
    decision = decide(shares(mel=0.3, nv=0.25, bkl=0.25), MALIGNANT, point(0.5))
    assert decision.verdict == "refer"
    assert "0.30 is below the threshold 0.50" in decision.reasons[0]
    assert "is malignant, mel (melanoma) with 0.30: that asks for a referral" in decision.reasons[1]


def test_a_malignant_class_in_a_draw_for_the_first_place_is_referred():
    decision = decide(shares(bkl=0.3, mel=0.3, nv=0.25), MALIGNANT, point(0.5))
    assert decision.verdict == "refer"
    assert "is malignant, mel (melanoma) with 0.30" in decision.reasons[1]


@pytest.mark.parametrize("code", ["nv", "mel"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_never_reassured(code, value):
    decision = decide(shares() | {code: value}, MALIGNANT, point(0.5))
    assert decision.verdict == "abstain"
    assert "not finite" in decision.reasons[0]


def test_a_calibration_that_overflows_is_the_fault_of_the_bundle():
    with pytest.raises(BundleError, match="not finite"):
        calibrate(np.array([1e4, 2e4, 0, 0, 0, 0, 0]), calibration(1e308))


def test_no_lay_name_promises_that_a_lesion_is_harmless():
    assert not any("harmless" in diagnosis.lay_name for diagnosis in DIAGNOSES.values())
    benign = [diagnosis.lay_name for diagnosis in DIAGNOSES.values() if not diagnosis.malignant]
    assert all(name.startswith("benign ") for name in benign)


def test_reassurance_says_that_cancer_is_not_ruled_out_and_what_to_watch():
    decision = decide(shares(nv=0.99), MALIGNANT, point(0.12))
    assert "does not rule out cancer" in decision.recommendation
    assert "ABCDE" in decision.recommendation


def test_a_finding_about_the_picture_abstains_even_when_melanoma_is_certain():
    decision = decide(shares(mel=1.0), MALIGNANT, point(0.12), ["It is blank."])
    assert decision.verdict == "abstain"
    assert decision.reasons == ("It is blank.",)
    assert "another picture" in decision.recommendation


def test_the_first_class_wins_a_draw():
    assert most_probable({"akiec": 0.4, "mel": 0.4, "nv": 0.2}) == "akiec"


def test_classes_that_are_not_of_ham10000_are_named_by_their_code():
    decision = decide({"bad": 0.9, "good": 0.1}, ["bad"], point(0.5))
    assert decision.reasons[1] == "The most probable class is bad with 0.90."


def test_no_sentence_calls_a_classification_a_diagnosis():
    texts = [*RECOMMENDATIONS.values(), *decide(shares(nv=0.8, mel=0.2), MALIGNANT, point(0.1)).reasons]
    assert not any("diagnos" in text.lower() for text in texts)
