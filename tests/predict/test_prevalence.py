from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermalens.core.errors import DermaLensError
from dermalens.predict.classifier import Asked, Classifier, load
from dermalens.predict.prevalence import LEAST, MOST, at_prevalence, values_at
from tests.tiny_bundle import lesion, tiny_graph, tiny_manifest, write_tiny_bundle

FLAT = np.full(7, 1 / 7)


@pytest.fixture
def tiny(tmp_path: Path) -> Classifier:
    write_tiny_bundle(tmp_path / "tiny", prevalence=0.2)
    return load(tmp_path / "tiny")


def test_probabilities_and_threshold_are_shifted_alike(tiny: Classifier) -> None:
    point = tiny.operating_point()
    shifted, moved, stated = at_prevalence(FLAT, point, tiny.manifest, 0.03)
    # Odds 3/4 of the three malignant classes and 1/9 of the threshold, times (0.03 / 0.97) / (0.2 / 0.8).
    factor = (0.03 / 0.97) / 0.25
    malignant = shifted[[code in tiny.manifest.malignant for code in tiny.manifest.classes]].sum()
    assert malignant / (1 - malignant) == pytest.approx(0.75 * factor)
    assert moved.threshold / (1 - moved.threshold) == pytest.approx(factor / 9, rel=1e-4)
    assert stated.malignant == 0.03


def test_ppv_and_npv_follow_from_bayes(tiny: Classifier) -> None:
    # Of 1,000 lesions 30 are malignant, 28.5 of them found; 0.4 * 970 = 388 false alarms, 582 spared, 1.5 missed.
    ppv, npv = values_at(tiny.operating_point(), 0.03)
    assert ppv == pytest.approx(28.5 / 416.5, abs=1e-6)
    assert npv == pytest.approx(582 / 583.5, abs=1e-6)


def test_the_same_lesions_lie_above_the_threshold(tiny: Classifier) -> None:
    for code in ("mel", "nv", "bcc", "df"):
        own = tiny.predict(lesion(code))
        stated = tiny.predict(lesion(code), prevalence=0.03)
        assert (own.malignant_probability >= own.operating_point.threshold) == (
            stated.malignant_probability >= stated.operating_point.threshold
        )
        assert stated.as_dict()["prevalence"]["malignant"] == 0.03
        assert own.as_dict()["prevalence"] is None


def test_the_prevalence_of_the_bundle_changes_nothing(tiny: Classifier) -> None:
    own, stated = tiny.predict(lesion("mel")), tiny.predict(lesion("mel"), prevalence=0.2)
    assert stated.probabilities == pytest.approx(own.probabilities, abs=2e-6)


@pytest.mark.parametrize("wanted", [0.0, 1.0, -0.1, 3.0])
def test_what_is_no_share_is_refused(tiny: Classifier, wanted: float) -> None:
    with pytest.raises(DermaLensError, match=r"share between 0 and 1, such as 0\.03"):
        tiny.predict(lesion("mel"), prevalence=wanted)


@pytest.mark.parametrize("wanted", [1e-6, 0.000_09, 0.999_95])
def test_a_share_that_leaves_the_threshold_no_digits_is_refused(tiny: Classifier, wanted: float) -> None:
    with pytest.raises(DermaLensError, match=r"needed is 0\.0001 to 0\.9999"):
        tiny.predict(lesion("mel"), prevalence=wanted)


@pytest.mark.parametrize("wanted", [-1.0, 0.000_09, 0.999_95])
def test_a_share_that_cannot_be_used_is_refused_before_any_image(tiny: Classifier, wanted: float) -> None:
    with pytest.raises(DermaLensError, match="prevalence"):
        tiny.check(Asked(tiny.operating_point(), wanted))


@pytest.mark.parametrize("wanted", [LEAST, MOST])
def test_the_outermost_shares_leave_the_same_lesions_above_the_threshold(tiny: Classifier, wanted: float) -> None:
    for code in ("mel", "nv", "bcc", "df"):
        own, stated = tiny.predict(lesion(code)), tiny.predict(lesion(code), prevalence=wanted)
        assert 0 < stated.operating_point.threshold < 1
        assert (own.malignant_probability >= own.operating_point.threshold) == (
            stated.malignant_probability >= stated.operating_point.threshold
        )


def test_a_bundle_that_does_not_say_its_prevalence_is_not_shifted(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny")
    with pytest.raises(DermaLensError, match="does not say for which malignant share"):
        load(tmp_path / "tiny").predict(lesion("mel"), prevalence=0.03)


def test_unknown_sensitivity_gives_no_predictive_values() -> None:
    manifest = tiny_manifest({"model.onnx": tiny_graph()})
    unknown = manifest.operating_points[0].sensitivity.model_copy(update={"value": None})
    assert values_at(manifest.operating_points[0].model_copy(update={"sensitivity": unknown}), 0.1) == (None, None)
