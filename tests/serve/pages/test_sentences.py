"""The core speaks English; each of its sentences that a reader sees has a German one."""

import random
import time

import numpy as np
import pytest
from PIL import Image, ImageFilter

from dermalens.core import colour, image
from dermalens.core.bundle import Measured, OperatingPoint
from dermalens.core.decision import RECOMMENDATIONS, decide
from dermalens.core.errors import DermaLensError, ImageError
from dermalens.core.image import decode
from dermalens.core.square import Square, place_of
from dermalens.core.statements import LIMITS, NO_ANSWER, limits_at_gate, limits_for
from dermalens.core.taxonomy import BINARY, CLASSES, MALIGNANT
from dermalens.predict import drawing, gate
from dermalens.predict.quality import assess
from dermalens.records.case import tidy_feedback, tidy_patient
from dermalens.records.cases import Patient
from dermalens.records.errors import BadCursor
from dermalens.records.query import Wanted, select_cases
from dermalens.serve.body_limit import UploadLate
from dermalens.serve.pages.i18n import languages
from dermalens.serve.pages.sentences import is_known, say
from dermalens.serve.pool import DeadlinePassed, Draining, QueueFull
from tests.predict.test_quality import covered, drawn, hairy, reflecting, through_a_tube, times
from tests.serve.conftest import encoded
from tests.tiny_bundle import mole

GERMAN, ENGLISH = languages()["de"], languages()["en"]


def untranslated(sentences):
    return [sentence for sentence in sentences if not is_known(sentence, GERMAN) or say(sentence, GERMAN) == sentence]


def point(sensitivity):
    return OperatingPoint(name="usual", threshold=0.2, sensitivity=sensitivity, specificity=sensitivity)


POINTS = [
    point(Measured(value=0.95, low=0.92, high=0.98, n=295)),
    point(Measured(value=0.95, low=None, high=None, n=295)),
    point(Measured(value=None, low=None, high=None, n=0)),
]


@pytest.mark.parametrize("point", POINTS, ids=["with interval", "without interval", "not defined"])
@pytest.mark.parametrize("classes", [CLASSES, BINARY], ids=["seven classes", "two classes"])
def test_every_reason_for_a_decision_is_said_in_german(point, classes):
    malignant = ("malignant",) if classes == BINARY else MALIGNANT
    draws, seen = random.Random(5), set()
    for total in (0.0, 0.1, 0.19999, 0.2, 0.20001, 0.5, 0.9):
        for _ in range(30):
            weights = {code: draws.random() ** 3 for code in classes}
            sums = [sum(w for c, w in weights.items() if (c in malignant) is is_bad) for is_bad in (True, False)]
            shares = {
                c: w / sums[c not in malignant] * (total if c in malignant else 1 - total) for c, w in weights.items()
            }
            decision = decide({code: round(share, 6) for code, share in shares.items()}, malignant, point)
            seen |= {decision.verdict}
            assert untranslated([*decision.reasons, decision.recommendation]) == []
    assert seen == {"refer", "reassure"}


def test_numbers_that_are_not_finite_are_said_in_german():
    assert untranslated(decide({"benign": np.nan, "malignant": np.nan}, ("malignant",), POINTS[0]).reasons) == []


def spoilt():
    yield "shows the lesion in", drawn(), (40, 40)
    yield "is blurred", drawn().filter(ImageFilter.GaussianBlur(8)), (600, 450)
    yield "too dark", times(0.1), (600, 450)
    yield "Black covers", through_a_tube(), (600, 450)
    yield "overexposed", times(2.2), (600, 450)
    yield "Reflections cover", reflecting(), (600, 450)
    yield "Hair covers", hairy(120), (600, 450)
    yield "strong colour covers", covered((40, 60, 150), 0.6), (600, 450)
    yield "even surface", Image.new("RGB", (64, 64), "grey"), (600, 450)


def test_every_finding_of_quality_is_said_in_german():
    for words, picture, size in spoilt():
        found = assess(np.asarray(picture), size).findings
        assert any(words in sentence for sentence in found)
        assert untranslated(found) == []


def test_gate_limits_notes_and_recommendations_are_said_in_german():
    notes = [image.NOTE_ANIMATION, image.NOTE_PAGES, image.NOTE_BAD_EXIF, colour.NOTE_16_BIT, colour.NOTE_ALPHA]
    fixed = [gate.FINDING, gate.ADVICE, drawing.NO_OUTLINE, NO_ANSWER, colour.NOTE_BAD_PROFILE, *notes]
    gated = [limits_at_gate(limits_for(classes), has_gate=True) for classes in (BINARY, CLASSES)]
    limits = [*LIMITS, *gated[0], *gated[1]]
    converted = f"The colours were converted from the profile {'Adobe RGB (1998)'!r} to sRGB."
    assert untranslated([*fixed, *limits, *RECOMMENDATIONS.values(), converted]) == []
    assert "Adobe RGB (1998)" in say(converted, GERMAN)


def bad_images():
    whole = encoded(mole(), "JPEG")
    yield b""
    yield b"hello"
    yield b"\0\1\2\3" * 40
    yield b"%PDF-1.7 ..."
    yield b"PK\x03\x04 ..."
    yield b"\0\0\0\x18ftypavif"
    yield b"\0\0\0\x18ftypheic"
    yield b"\0\0\0\x0cjP  \r\n"
    yield bytes(128) + b"DICM" + bytes(20)
    yield whole[: len(whole) // 2]
    yield encoded(Image.new("RGB", (10, 10)))
    yield encoded(Image.new("RGB", (400, 40)))
    yield encoded(Image.fromarray(np.zeros((64, 64), dtype=np.float32)), "TIFF")
    yield bytes(65 * 2**20)


def test_why_an_image_cannot_be_used_is_said_in_german():
    messages = []
    for data in bad_images():
        with pytest.raises(ImageError) as caught:
            decode(data, wanted_side_pixels=64)
        messages.append(str(caught.value))
    assert untranslated(messages) == []


def refusals():
    yield lambda: place_of(Square(-1, 0, 50), (100, 100))
    yield lambda: tidy_patient(Patient(age_years=300))
    yield lambda: tidy_patient(Patient(site="x" * 500))
    yield lambda: tidy_feedback("other", "mole", "")
    yield lambda: tidy_feedback("other", "mel", "x" * 20_000)
    yield lambda: select_cases("local", Wanted(after="???"))


def test_what_a_form_cannot_keep_is_said_in_german():
    for refused in refusals():
        with pytest.raises((DermaLensError, BadCursor)) as caught:
            refused()
        assert untranslated([str(caught.value)]) == []


def test_a_busy_server_is_said_in_german():
    assert untranslated(map(str, (QueueFull(64), Draining(), DeadlinePassed(), UploadLate(230.0)))) == []


def test_options_that_cannot_be_used_are_said_in_german(client):
    classifier = client.app.state.service.classifier
    for wrong in ({"prevalence": 2.0}, {"outline": True, "millimetres_per_pixel": -1.0}, {"operating_point": "best"}):
        with pytest.raises(DermaLensError) as caught:
            classifier.predict(mole(), **wrong)
        assert untranslated([str(caught.value)]) == []


def test_numbers_and_classes_within_a_sentence_are_german_too():
    said = say("The most probable class is nv (melanocytic naevus) with 0.91.", GERMAN)
    assert said == "Die wahrscheinlichste Klasse ist nv (melanozytärer Nävus) mit 0,91."


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("The request has 20,971,520 bytes; at most 200,000 bytes are taken.", "20.971.520 Bytes; höchstens 200.000"),
        ("The note has 10,001 characters; at most 10,000 are kept. Shorten it.", "10.001"),
        ("The most probable class is mel (melanoma) with 0.250.", "0,250"),
    ],
)
def test_large_numbers_and_shares_are_written_as_germans_do(english, german):
    assert is_known(english, GERMAN)
    assert german in say(english, GERMAN)


def test_a_text_that_nearly_fits_takes_no_longer_than_one_that_fits():
    pieces = (" is at or above the threshold x", ", which found x", " % (95 % interval x", " to x", ") of x")
    text = "The malignant probability x" + "".join(piece * 30 for piece in pieces) + "!"
    began = time.monotonic()
    assert say(text, GERMAN) == text
    assert time.monotonic() - began < 2


def test_a_sentence_that_nobody_knows_stays_as_it_is():
    assert say("Something new.", GERMAN) == "Something new."
    assert say("The most probable class is nv (melanocytic naevus) with 0.91.", ENGLISH).endswith("with 0.91.")
