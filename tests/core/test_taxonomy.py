from __future__ import annotations

import pytest

from dermalens.core.statements import LIMITS, limits_at_gate, limits_for
from dermalens.core.taxonomy import BINARY, CLASSES, DIAGNOSES, class_of, malignant_of, needed_order


def test_every_diagnosis_counts_as_what_it_is_for_a_model_of_two_classes():
    assert {code: class_of(code, BINARY) for code in CLASSES} == {
        code: "malignant" if diagnosis.malignant else "benign" for code, diagnosis in DIAGNOSES.items()
    }
    assert [class_of(code, BINARY) for code in ("benign", "malignant", "scc")] == ["benign", "malignant", "scc"]


@pytest.mark.parametrize("classes", [CLASSES, ("mel", "nv"), ("benign", "malignant", "unsure")])
def test_for_any_other_classes_a_label_stays(classes):
    assert [class_of(code, classes) for code in (*CLASSES, "benign")] == [*CLASSES, "benign"]


def test_known_sets_of_classes_have_one_order():
    assert needed_order(CLASSES[::-1]) == CLASSES
    assert needed_order(["malignant", "benign"]) == BINARY
    assert needed_order(["nv", "mel"]) == ("nv", "mel")


def test_the_malignant_classes_are_known_in_any_selection():
    assert malignant_of(["nv", "mel", "akiec"]) == ("mel", "akiec")
    assert malignant_of(["other"]) == ()


def test_a_model_of_two_classes_says_that_it_knows_no_seven():
    assert limits_for(CLASSES) == list(LIMITS)
    assert len(limits_for(BINARY)) == len(LIMITS)
    assert not any("Knows seven kinds" in limit for limit in limits_for(BINARY))


def test_a_bundle_with_a_gate_does_not_say_that_it_notices_nothing():
    limits = limits_at_gate(LIMITS, has_gate=True)
    assert len(limits) == len(LIMITS)
    assert not any("Does not notice" in limit for limit in limits)
    assert sum("Refuses most pictures" in limit for limit in limits) == 1
    assert limits_at_gate(limits, has_gate=False) == list(LIMITS)
    assert limits_at_gate(["Own."], has_gate=True) == ["Own."]
