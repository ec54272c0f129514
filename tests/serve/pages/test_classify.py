"""The page that takes an image, and its answer."""

import re
from dataclasses import replace
from html import unescape

import pytest

from dermalens.core.bundle import Calibration
from dermalens.core.prevalence import shift_to_prevalence
from dermalens.data.index import Row
from dermalens.predict.classifier import load
from dermalens.predict.similar_build import build_gallery
from dermalens.serve.pages.answer_view import view_of
from dermalens.serve.pages.i18n import languages
from tests.serve.conftest import encoded
from tests.serve.pages.conftest import FRAGMENT, GERMAN, HTML
from tests.tiny_bundle import lesion, tiny_graph, write_tiny_bundle


def test_the_form_offers_what_the_bundle_has(client):
    text = client.get("/", headers=HTML).text
    assert 'name="operating_point"' in text
    assert "Finds 95% of the malignant lesions" in text
    assert 'name="prevalence"' in text
    assert 'name="millimetres_per_pixel"' in text
    assert 'name="keep"' in text
    assert "nothing is kept" in text


def test_without_records_there_is_no_tick_and_no_history(client_with):
    text = client_with(records=False).get("/", headers=HTML).text
    assert 'name="keep"' not in text
    assert "/history" not in text


def test_without_a_script_the_form_gives_a_whole_page(client, mel, ask):
    response = ask(client, mel)
    assert response.status_code == 200
    assert response.text.startswith("<!doctype html>")
    assert "Show this lesion to a dermatologist" in response.text


def test_the_empty_second_file_field_of_a_browser_is_no_second_image(client, mel):
    files = [("image", ("a.png", mel, "image/png")), ("image", ("", b"", "application/octet-stream"))]
    assert "Show this lesion" in client.post("/answer", files=files, headers=HTML).text


@pytest.mark.parametrize(
    ("headers", "words"), [(HTML, "Two images were chosen"), (GERMAN, "Es wurden zwei Bilder ausgewählt")]
)
def test_of_two_images_none_is_judged_in_silence(client, mel, naevus, headers, words):
    files = [("image", ("a.png", mel, "image/png")), ("image", ("b.png", naevus, "image/png"))]
    refused = client.post("/answer", files=files, headers=headers)
    assert refused.status_code == 422
    assert words in refused.text
    assert '<form id="classify"' in refused.text


def test_the_module_gets_a_fragment(client, mel, ask):
    response = ask(client, mel, FRAGMENT)
    assert response.text.lstrip().startswith("<article")
    assert "<html" not in response.text


def test_a_probable_melanoma_is_seen_within_two_weeks(client, mel, ask):
    text = ask(client, mel, FRAGMENT).text
    assert "best within two weeks" in text
    assert "the physician decides" in text
    assert "without waiting" in text


def test_a_basal_cell_carcinoma_is_an_ordinary_appointment(client, ask):
    text = ask(client, encoded(lesion("bcc")), FRAGMENT).text
    assert "In the next weeks" in text
    assert "two weeks" not in text


def test_a_reassuring_answer_says_what_to_watch_for(client, naevus, ask):
    text = ask(client, naevus, FRAGMENT).text
    assert "No referral from this image alone" in text
    assert all(f"{letter}, " in text for letter in "ABCDE")


def test_the_answer_has_classes_layers_measures_and_limits(client, mel, ask):
    text = ask(client, mel, FRAGMENT, prevalence="3,5", millimetres_per_pixel="0.05").text
    assert text.count('class="bar"') == 7
    assert "Basal cell skin cancer" in text
    assert text.count("data:image/png;base64,") == 2
    assert 'class="outline-light"' in text
    assert "Asymmetry" in text
    assert " mm" in text
    assert "positive predictive value" in text
    assert "where 3.5% of them are malignant" in text
    assert "Knows seven colours." in text
    assert "Not a medical device" in text


def test_an_answer_that_abstains_has_no_class_and_no_number(client, chessboard, ask):
    text = ask(client, chessboard, FRAGMENT).text
    assert "This image cannot be judged" in text
    assert "How to take a better image" in text
    for absent in ('class="bar"', "malignant probability", "%", "data:image", "Melanoma", "naevus"):
        assert absent not in text


def test_the_square_is_the_one_that_was_chosen(client, mel, ask):
    assert "50 × 50 pixels" not in ask(client, mel, FRAGMENT).text
    text = ask(client, mel, FRAGMENT, square="10,20,80").text
    assert "80 × 80 pixels of the original" in text


@pytest.mark.parametrize("square", ["1,2", "a,b,c", "0,0,9999", "nan,0,50"])
def test_a_square_outside_the_image_is_refused_in_words(client, mel, ask, square):
    response = ask(client, mel, FRAGMENT, square=square)
    assert response.status_code == 422
    assert "quare" in response.text


def test_a_number_that_is_none_is_named(client, mel, ask):
    response = ask(client, mel, FRAGMENT, age_years="old")
    assert response.status_code == 422
    assert "“old” is not a number" in response.text


def test_no_image_damaged_and_foreign_files_are_friendly_and_german(client, mel, ask):
    none, damaged, foreign = (ask(client, data, {**FRAGMENT, **GERMAN}) for data in (b"", mel[:400], b"text"))
    assert (none.status_code, damaged.status_code, foreign.status_code) == (422, 400, 415)
    assert "Es wurde kein Bild ausgewählt" in none.text
    assert "beschädigt oder abgeschnitten" in damaged.text
    assert "Ihrem Inhalt nach ist die Datei Text" in foreign.text


def test_the_prevalence_of_the_clinic_is_remembered_in_the_browser(client_with, mel, ask):
    client = client_with(workers=1)
    cookie = ask(client, mel, prevalence="3,5").headers["set-cookie"]
    assert "prevalence=0.035" in cookie
    assert "HttpOnly" in cookie
    assert 'name="prevalence" autocomplete="off" maxlength="8" value="3.5"' in client.get("/", headers=HTML).text
    assert 'value="3,5"' in client.get("/", headers=GERMAN).text


def test_the_number_is_said_with_the_share_that_the_model_assumes_and_is_lower_where_fewer_are(client, mel, ask):
    text = unescape(ask(client, mel, FRAGMENT).text)
    shown = float(re.search(r"<span>([\d.]+)%</span> malignant probability", text)[1])
    words = r"Where 20.0% of the lesions seen are malignant, as this model assumes; where fewer are, it is lower: (.+)%"
    lower = float(re.search(words + " at 3%[.]", text)[1])
    assert lower == pytest.approx(100 * shift_to_prevalence(shown / 100, 0.2, 0.03), abs=0.5)
    assert "More likely malignant than benign, where 20.0% of the lesions are malignant" in text
    assert "calibrated" not in text
    assert "Wo 20,0\xa0% der gesehenen Hautveränderungen bösartig sind" in ask(client, mel, GERMAN).text


def test_a_stated_share_stands_in_the_place_of_the_one_that_the_model_assumes(client_with, mel, ask):
    text = ask(client_with(workers=1), mel, FRAGMENT, prevalence="60").text
    assert "More likely malignant than benign, where 60.0% of the lesions are malignant" in text
    assert "where 60.0% of them are malignant" in text
    assert "the lesions seen" not in text


def test_a_share_that_is_not_known_or_is_small_already_has_no_lower_number(client, mel):
    classifier = client.app.state.service.classifier
    answer, bundle = classifier.predict(mel).as_dict(), classifier.bundle
    for assumed, words in ((None, "as the model assumes; where"), (0.02, "Where 2.0% of the lesions seen")):
        manifest = bundle.manifest.model_copy(update={"prevalence": assumed})
        view = view_of(answer, languages()["en"], replace(bundle, manifest=manifest))
        assert words in view.share_words
        assert view.share_words.endswith("where fewer are, it is lower.")


@pytest.mark.parametrize("typed", ["150", "0", "0,001", "100 %"])
def test_a_prevalence_that_cannot_be_used_is_said_in_per_cent_as_it_was_typed(client, mel, ask, typed):
    english, german = (ask(client, mel, headers, prevalence=typed) for headers in (HTML, GERMAN))
    assert english.status_code == german.status_code == 422
    assert f"“{typed}” is no share that can be used: write it in per cent, from 0.01 to 99.99" in english.text
    assert f"„{typed}“ ist kein Anteil" in german.text
    assert "0,01 bis 99,99" in german.text


def test_a_busy_server_says_so_and_when_to_come_again(client_with, mel, ask):
    client = client_with(workers=1)
    client.app.state.running.pool.is_draining = True
    response = ask(client, mel, FRAGMENT)
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert "shutting down" in response.text


def test_nothing_is_kept_without_the_tick(own, mel, ask):
    ask(own, mel, note="do not keep", lesion="arm")
    assert "No kept case fits" in own.get("/history", headers=HTML).text


def test_an_answer_is_given_although_its_case_cannot_be_kept(own, mel, ask, tmp_path):
    response = ask(own, mel, FRAGMENT, keep="yes", age_years="400")
    assert response.status_code == 200
    assert "The case was not kept. The age is 400 years" in response.text
    assert "Show this lesion" in response.text


def test_a_bundle_of_two_classes_is_answered_in_its_own_words(client_with, mel, ask, tmp_path):
    calibration = Calibration(method="none", scale=[1.0] * 2, shift=[0.0, 0.0], n=0)
    changes = {"classes": ["benign", "malignant"], "malignant": ["malignant"], "calibration": calibration}
    write_tiny_bundle(tmp_path / "two", {"model.onnx": tiny_graph(classes=2)}, **changes)
    client = client_with(bundle=tmp_path / "two", workers=1)
    text = ask(client, mel, FRAGMENT).text
    assert "It looks malignant" in text or "It looks benign" in text
    assert 'class="bar"' not in text
    assert "Outline" not in text
    assert "Melanoma" not in text
    assert 'name="millimetres_per_pixel"' not in client.get("/", headers=HTML).text
    assert "Malignant lesion" in client.get("/help", headers=HTML).text


def test_similar_cases_are_named_when_there_is_a_gallery(client_with, bundle_folder, mel, ask, tmp_path):
    rows = []
    for number, code in enumerate(("mel", "mel", "nv", "bcc")):
        lesion(code).save(tmp_path / f"{number}.png")
        rows.append(Row(f"lesion {number}", str(tmp_path / f"{number}.png"), code, f"l{number}"))
    build_gallery(load(bundle_folder), rows, tmp_path / "cases.npz")
    client = client_with(gallery=tmp_path / "cases.npz", workers=1)
    text = ask(client, mel, FRAGMENT).text
    assert "3 of the 4 most similar images of the gallery are malignant." in text
    assert text.index("lesion 0") < text.index("lesion 2")
    assert "Melanocytic naevus" in text.split("<caption")[1]


TYPED = {
    "age_years": "54",
    "sex": "female",
    "site": "back",
    "lesion": "left forearm 1 & 2",
    "note": "\nlarger <since> May",
    "taken_on": "2026-05-02",
    "prevalence": "3",
    "millimetres_per_pixel": "0.02",
    "operating_point": "sensitivity_90",
    "keep": "yes",
}


def shown(text):
    """What a browser would send of the form of a page, without the files."""
    tags = re.findall(r'<input ([^>]*name="[^>]*)>', text)
    inputs = [
        dict(re.findall(r'(\w+)="([^"]*)"', tag)) | {"on": tag.endswith(" checked") or " checked " in tag}
        for tag in tags
    ]
    found = {
        one["name"]: unescape(one.get("value", ""))
        for one in inputs
        if one.get("type") not in ("radio", "checkbox") or one["on"]
    }
    for name, options in re.findall(r'<select id="\w+" name="(\w+)">(.*?)</select>', text, re.DOTALL):
        found[name] = "".join(re.findall(r'value="([^"]*)" selected', options))
    notes = re.findall(r"<textarea[^>]*>\n?(.*?)</textarea>", text, re.DOTALL)  # a first line break is dropped
    return found | {"note": unescape("".join(notes))}


def test_a_form_that_is_refused_comes_back_with_what_was_typed(client, ask):
    response = ask(client, b"no picture", **TYPED, form="0" * 32)
    assert response.status_code == 415
    assert 'class="problem"' in response.text
    assert "What you entered is still here. Choose the image again" in response.text
    expected = TYPED | {"form": "0" * 32}
    assert {name: value for name, value in shown(response.text).items() if name in expected} == expected


def test_a_field_that_was_emptied_comes_back_empty(client, mel, ask):
    client.cookies.set("prevalence", "0.03")
    response = ask(client, mel, age_years="many")
    client.cookies.clear()
    assert response.status_code == 422
    assert shown(response.text)["age_years"] == "many"
    assert shown(response.text)["prevalence"] == ""


def test_the_form_is_not_given_back_to_the_module_which_still_has_it(client, ask):
    text = ask(client, b"no picture", FRAGMENT, **TYPED).text
    assert "<form" not in text
    assert "still here" not in text


def test_a_form_that_comes_back_can_be_sent_again_and_keeps_one_case(own, mel, ask):
    refused = ask(own, b"no picture", **TYPED, form="1" * 32).text
    fields = {name: value for name, value in shown(refused).items() if name in {*TYPED, "form"}}
    answers = [ask(own, mel, **fields).text for _ in range(2)]
    kept = {re.search(r'href="/cases/([0-9a-f]{32})"', text)[1] for text in answers}
    assert len(kept) == 1


def test_who_agrees_is_told_and_has_it_in_writing_after_how_many_days_the_case_is_erased(client_with, mel):
    client = client_with(retention_days=365)
    words = "until the case is deleted, at the latest after 365 days."
    assert words in client.get("/", headers=HTML).text
    answer = client.post("/answer", files={"image": mel}, data={"keep": "yes"}, headers=HTML).text
    case = answer.split('href="/cases/')[1].split('"')[0]
    assert words in client.get(f"/cases/{case}", headers=HTML).text


def test_a_print_says_when_and_by_which_model_the_answer_was_given(client, mel):
    text = client.post("/answer", files={"image": mel}, headers=HTML).text
    manifest = client.app.state.service.classifier.manifest
    said = text.split('class="printed small">')[1].split("<span")[0]
    assert said.startswith("Answered on ")
    assert said.strip().endswith(f"by {manifest.name} {manifest.version}")


def test_what_a_language_button_shows_is_in_its_name(client):
    buttons = re.findall(r'aria-label="([^"]+)"[^>]*>(EN|DE)</button>', client.get("/", headers=HTML).text)
    assert buttons == [("EN, English", "EN"), ("DE, Deutsch", "DE")]
