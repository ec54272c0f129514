"""What gate, outline and gallery add to an answer, and what an answer that abstains still shows."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from dermalens.core.errors import DermaLensError
from dermalens.core.statements import NO_ANSWER
from dermalens.data.index import Row
from dermalens.predict.classifier import Classifier
from dermalens.predict.drawing import NO_OUTLINE
from dermalens.predict.gate import FINDING
from dermalens.predict.similar_build import build_gallery
from dermalens.predict.similar_file import read_gallery
from tests.tiny_bundle import lesion, mole, page


@pytest.fixture(scope="module")
def gallery(equipped: Classifier, tmp_path_factory: pytest.TempPathFactory):
    """Three melanomas and a naevus."""
    folder = tmp_path_factory.mktemp("cases")
    rows = []
    for number, code in enumerate(("mel", "mel", "mel", "nv")):
        path = folder / f"{code}_{number}.png"
        lesion(code, (100 + 10 * number, 100)).save(path)
        rows.append(Row(path.stem, str(path), code, path.stem))
    build_gallery(equipped, rows, folder / "cases.npz")
    return folder / "cases.npz"


def everything(gallery):
    return {"heatmap": True, "outline": True, "gallery": gallery, "millimetres_per_pixel": 0.05}


def test_a_picture_that_the_gate_refuses_gets_no_answer_but_a_reason(equipped):
    prediction = equipped.predict(page())
    answer = prediction.as_dict()
    assert prediction.quality.findings == ()
    assert (answer["decision"], answer["reasons"][0]) == ("abstain", FINDING)
    assert answer["lesion_image"] == {"score": pytest.approx(0.196, abs=0.002), "threshold": 0.3, "accepted": False}
    assert answer["notes"] == [NO_ANSWER]
    assert not prediction.is_shown


def test_a_picture_that_the_gate_lets_through_is_answered_as_without_a_gate(equipped, classifier):
    judged, plain = equipped.predict(lesion("mel")).as_dict(), classifier.predict(lesion("mel")).as_dict()
    assert judged["lesion_image"]["accepted"]
    assert plain["lesion_image"] is None
    assert judged | {"bundle": None, "lesion_image": None} == plain | {"bundle": None}
    assert judged["notes"] == []


def test_quality_and_gate_are_both_named(equipped):
    prediction = equipped.predict(page((90, 50)))
    assert len(prediction.quality.findings) == 1
    assert prediction.reasons == (*prediction.quality.findings, *prediction.lesion_image.refusal)


def test_what_was_not_asked_for_is_null(equipped):
    answer = equipped.predict(mole()).as_dict()
    keys = ("outline", "abcd", "similar", "similar_malignant_share")
    assert [answer[key] for key in keys] == [None] * 4


def test_the_outline_lies_where_the_lesion_is_in_the_original_picture(equipped):
    prediction = equipped.predict(mole((600, 400)), outline=True)
    points = np.array(prediction.as_dict()["outline"]["polygon"])
    assert np.hypot(*(points - (300, 200)).T) == pytest.approx(100, abs=6)
    assert prediction.outline.area_share == pytest.approx(np.pi / 16, rel=0.06)
    assert prediction.outline.touches_border is False


def test_the_measures_are_there_and_millimetres_only_with_a_scale(equipped):
    without = equipped.predict(mole((600, 400)), outline=True).as_dict()["abcd"]
    scaled = equipped.predict(mole((600, 400)), outline=True, millimetres_per_pixel=0.05).as_dict()["abcd"]
    assert without["diameter_mm"] is None
    assert scaled["diameter_mm"] == pytest.approx(200 * 0.05, rel=0.05)
    assert without["asymmetry"]["score"] == 0
    assert without["border"]["irregularity"] == pytest.approx(1, abs=0.15)
    assert set(without["colours"]) == {"count", "shares"}


def test_a_picture_without_an_outline_says_so(equipped):
    answer = equipped.predict(mole(colour=(190, 140, 120)), outline=True).as_dict()
    assert (answer["outline"], answer["abcd"], answer["notes"]) == (None, None, [NO_OUTLINE])


def test_the_drawing_shows_the_square_and_has_the_mask(equipped):
    drawing = equipped.predict(mole(), outline=True).drawing
    assert drawing.overlay().size == (64, 64)
    assert drawing.png().startswith(b"\x89PNG")
    assert drawing.outline.mask[32, 32]
    assert not np.array_equal(np.asarray(drawing.overlay()), drawing.square)


def test_similar_cases_are_named_with_the_malignant_share(equipped, gallery):
    answer = equipped.predict(lesion("mel"), gallery=gallery).as_dict()
    assert [list(one) for one in answer["similar"]] == [["name", "label", "malignant", "distance"]] * 4
    assert [one["malignant"] for one in answer["similar"]] == [True] * 3 + [False]
    assert answer["similar_malignant_share"] == 0.75
    loaded = equipped.predict(lesion("mel"), gallery=read_gallery(gallery)).as_dict()
    assert loaded == answer == equipped.predict(lesion("mel"), gallery=str(gallery)).as_dict()


def test_an_answer_that_abstains_shows_the_rest_only_when_asked_anyway(equipped, gallery):
    silent = equipped.predict(page(), **everything(gallery))
    shown = equipped.predict(page(), **everything(gallery), anyway=True)
    assert (silent.explanation, silent.drawing, silent.similar, silent.is_shown) == (None, None, None, False)
    assert shown.explanation is not None
    assert len(shown.similar) == 4
    assert shown.is_shown
    assert (shown.decision, shown.warning) == ("abstain", NO_ANSWER)
    assert shown.probabilities == silent.probabilities
    assert NO_ANSWER in shown.as_dict()["notes"]


def test_anyway_changes_nothing_where_there_is_an_answer(equipped):
    assert equipped.predict(mole(), anyway=True) == equipped.predict(mole())


def test_the_same_bytes_give_the_same_answer_with_all_parts(equipped, gallery):
    stream = io.BytesIO()
    mole().save(stream, "PNG")
    answers = [equipped.predict(stream.getvalue(), **everything(gallery)) for _ in range(2)]
    assert answers[0] == answers[1]
    first, second = (json.dumps(answer.as_dict()) for answer in answers)
    assert first == second
    assert answers[0].drawing.png() == answers[1].drawing.png()


def test_a_bundle_without_an_outline_says_so(classifier):
    with pytest.raises(DermaLensError, match=r"The bundle tiny 1\.0 has no outline graph"):
        classifier.predict(mole(), outline=True)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_no_length_is_refused(equipped, scale):
    with pytest.raises(DermaLensError, match="millimetres a pixel given; needed is"):
        equipped.predict(mole(), outline=True, millimetres_per_pixel=scale)


def test_a_scale_without_an_outline_is_refused(equipped):
    with pytest.raises(DermaLensError, match="without an outline"):
        equipped.predict(mole(), millimetres_per_pixel=0.05)
