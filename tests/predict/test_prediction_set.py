from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from dermalens.core.bundle import Conformal
from dermalens.core.taxonomy import CLASSES
from dermalens.predict.classifier import load
from dermalens.predict.prediction_set import prediction_set
from tests.tiny_bundle import lesion, tiny_graph, tiny_manifest, write_tiny_bundle


def conformal(**thresholds: float) -> Conformal:
    return Conformal(coverage=0.9, thresholds=[thresholds.get(code, 0.5) for code in CLASSES], n=[20] * 7)


def test_a_class_is_in_the_set_from_its_own_threshold_on() -> None:
    manifest = tiny_manifest({"model.onnx": tiny_graph()}, conformal=conformal(mel=0.2, nv=0.7, df=0.0))
    shown = dict(zip(CLASSES, [0.0, 0.0, 0.0, 0.0, 0.2, 0.69, 0.11], strict=True))
    found = prediction_set(shown, manifest)
    assert found is not None
    assert found.as_dict() == {"coverage": 0.9, "classes": ["df", "mel"]}


def test_an_answer_carries_the_set_of_its_bundle(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "with", conformal=conformal())
    write_tiny_bundle(tmp_path / "without")
    assert load(tmp_path / "with").predict(lesion("vasc")).as_dict()["prediction_set"]["classes"] == ["vasc"]
    assert load(tmp_path / "without").predict(lesion("vasc")).as_dict()["prediction_set"] is None


def test_thresholds_for_other_classes_than_those_of_the_bundle_are_refused() -> None:
    few = Conformal(coverage=0.9, thresholds=[0.5], n=[20])
    with pytest.raises(ValidationError, match="conformal needs 7 thresholds"):
        tiny_manifest({"model.onnx": tiny_graph()}, conformal=few)


def test_a_stated_share_of_malignant_lesions_changes_no_set(tmp_path):
    conformal = Conformal(coverage=0.9, thresholds=[0.01] * 7, n=[20] * 7)
    write_tiny_bundle(tmp_path / "bundle", conformal=conformal, prevalence=0.2)
    classifier = load(tmp_path / "bundle")
    own = classifier.predict(lesion("mel"))
    for share in (0.001, 0.9):
        stated = classifier.predict(lesion("mel"), prevalence=share)
        assert stated.probabilities != own.probabilities
        assert stated.prediction_set == own.prediction_set
