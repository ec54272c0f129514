"""POST /v1/predictions: the answer is that of the classifier, and each thing that cannot be used has its problem."""

import base64
import io
import json

import pytest
from PIL import Image

from dermalens.core.square import Square
from dermalens.predict.classifier import load
from tests.serve.conftest import encoded
from tests.tiny_bundle import lesion

PATH = "/v1/predictions"


def problem_of(response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    content = response.json()
    assert content["status"] == response.status_code
    return response.status_code, content["type"].removeprefix("/problems/")


def test_a_field_that_is_left_empty_is_left_out(client, mel):
    empty = dict.fromkeys(("prevalence", "square", "operating_point", "age_years", "taken_on", "note", "keep"), "")
    answered = client.post(PATH, files={"image": mel}, data=empty)
    assert answered.json() == client.post(PATH, files={"image": mel}).json()


def test_the_answer_is_that_of_the_classifier_key_for_key(client, bundle_folder, mel):
    expected = load(bundle_folder).predict(mel).as_dict()
    answered = client.post(PATH, files={"image": ("private name.png", mel)}).json()
    assert answered == {**expected, "id": None}
    assert list(answered) == [*expected, "id"]


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "image/whatever; q=1"])
def test_the_bytes_may_be_the_body_itself(client, bundle_folder, mel, kind):
    answered = client.post(PATH, content=mel, headers={"content-type": kind})
    assert answered.json() == {**load(bundle_folder).predict(mel).as_dict(), "id": None}


def test_options_of_the_form_and_of_the_query_mean_the_same(client, bundle_folder, mel):
    options = {"outline": "true", "prevalence": "0.03", "operating_point": "sensitivity_90", "square": "10,5,100"}
    by_form = client.post(PATH, files={"image": mel}, data=options).json()
    by_query = client.post(PATH, files={"image": mel}, params=options).json()
    expected = load(bundle_folder).predict(
        mel, outline=True, prevalence=0.03, operating_point="sensitivity_90", square=Square(10, 5, 100)
    )
    assert by_form == by_query
    assert {key: by_form[key] for key in expected.as_dict()} == expected.as_dict()


def test_heat_map_and_outline_come_as_pictures(client, bundle_folder, mel):
    answered = client.post(PATH, files={"image": mel}, data={"heatmap": "1", "outline": "1"}).json()
    expected = load(bundle_folder).predict(mel, heatmap=True, outline=True)
    for key, png in (("heatmap", expected.explanation.png()), ("outline_picture", expected.drawing.png())):
        start, _, content = answered[key].partition(",")
        assert start == "data:image/png;base64"
        assert base64.b64decode(content) == png
    assert Image.open(io.BytesIO(base64.b64decode(answered["heatmap"].partition(",")[2]))).size == (64, 64)


def test_an_answer_that_abstains_has_no_pictures_unless_anyway(client, chessboard):
    asked = {"heatmap": "1"}
    assert "heatmap" not in client.post(PATH, files={"image": chessboard}, data=asked).json()
    shown = client.post(PATH, files={"image": chessboard}, data={**asked, "anyway": "1"}).json()
    assert shown["decision"] == "abstain"
    assert "heatmap" in shown


def test_the_image_is_named_only_by_the_field_for_it(client, mel):
    assert client.post(PATH, files={"image": ("secret.png", mel)}).json()["image"] == "<bytes>"
    assert client.post(PATH, files={"image": mel}, data={"name": "left\0 arm"}).json()["image"] == "left arm"


def test_the_prevalence_of_the_settings_holds_where_none_is_stated(client_with, mel):
    client = client_with(default_prevalence=0.03)
    assert client.post(PATH, files={"image": mel}).json()["prevalence"]["malignant"] == 0.03
    assert client.post(PATH, files={"image": mel}, data={"prevalence": "0.2"}).json()["prevalence"]["malignant"] == 0.2


def test_an_image_needs_no_records(client_with, mel):
    client = client_with(records=False)
    assert client.post(PATH, files={"image": mel}).status_code == 200
    kept = client.post(PATH, files={"image": mel}, data={"keep": "1"})
    assert kept.status_code == 200
    assert kept.json()["id"] is None
    assert "keeps no records" in kept.json()["kept_error"]
    assert problem_of(client.get(PATH)) == (503, "records-unavailable")


TEXT = b"no image at all"
CUT = encoded(lesion("mel"), "JPEG")[:900]
SMALL = encoded(Image.new("RGB", (8, 8)))


@pytest.mark.parametrize(("image", "expected"), [
    (TEXT, (415, "not-an-image")),
    (b"%PDF-1.7", (415, "not-an-image")),
    (CUT, (400, "undecodable")),
    (b"", (400, "undecodable")),
    (SMALL, (400, "undecodable")),
])  # fmt: skip
def test_what_is_wrong_with_an_image_has_its_problem(client, image, expected):
    assert problem_of(client.post(PATH, files={"image": ("x.png", image)})) == expected
    assert problem_of(client.post(PATH, content=image, headers={"content-type": "image/png"})) == expected


@pytest.mark.parametrize("options", [
    {"operating_point": "nowhere"}, {"prevalence": "1.5"}, {"prevalence": "1e-6"}, {"prevalence": "much"},
    {"square": "1,2"}, {"square": "0,0,9999"}, {"square": "0,0,0.5"}, {"millimetres_per_pixel": "0.02"},
    {"age_years": "200"}, {"sex": "other"}, {"heatmp": "1"}, {"name": "x" * 201}, {"prevalence": "nan"},
])  # fmt: skip
def test_an_option_that_cannot_be_used_is_invalid(client, mel, options):
    by_form = client.post(PATH, files={"image": mel}, data=options)
    assert problem_of(by_form) == (422, "invalid")
    assert problem_of(client.post(PATH, files={"image": mel}, params=options)) == (422, "invalid")


def test_the_problem_names_the_option_but_not_its_value(client, mel):
    response = client.post(PATH, files={"image": mel}, data={"age_years": "secret"})
    assert "age_years" in response.json()["detail"]
    assert "secret" not in response.text


@pytest.mark.parametrize(("headers", "content", "expected"), [
    ({"content-type": "text/plain"}, b"x", (415, "not-an-image")),
    ({"content-type": "application/json"}, b"{}", (415, "not-an-image")),
    ({}, b"", (422, "invalid")),
    ({"content-type": "multipart/form-data"}, b"x", (400, "undecodable")),
    ({"content-type": "multipart/form-data; boundary=b"}, b"nonsense", (400, "undecodable")),
    ({"content-type": "multipart/form-data; boundary=b"}, b"--b--\r\n", (422, "invalid")),
])  # fmt: skip
def test_a_body_that_holds_no_image_has_its_problem(client, headers, content, expected):
    assert problem_of(client.post(PATH, content=content, headers=headers)) == expected


def test_two_images_or_a_foreign_file_field_are_refused(client, mel):
    assert problem_of(client.post(PATH, files=[("image", mel), ("image", mel)]))[0] == 400
    assert problem_of(client.post(PATH, files={"picture": mel})) == (422, "invalid")


def test_addresses_and_methods_that_do_not_exist_are_problems(client):
    assert problem_of(client.get("/v1/nothing")) == (404, "not-found")
    put = client.put(PATH)
    assert problem_of(put) == (405, "method-not-allowed")
    assert put.headers["allow"]


def test_quality_gives_no_classification(client, mel, chessboard):
    good = client.post("/v1/quality", files={"image": mel}).json()
    bad = client.post("/v1/quality", content=chessboard, headers={"content-type": "image/png"}).json()
    assert good["accepted"] is True
    assert good["findings"] == []
    assert bad["accepted"] is False
    assert bad["lesion_image"]["accepted"] is False
    assert any("does not look like" in finding for finding in bad["findings"])
    assert not {"diagnosis", "probabilities", "malignant_probability", "decision"} & (set(good) | set(bad))


def test_the_model_says_what_it_is(client, bundle_folder):
    model = client.get("/v1/model").json()
    bundle = load(bundle_folder).bundle
    assert model["sha256"] == bundle.sha256
    assert model["classes"] == list(bundle.manifest.classes)
    assert model["limits"] == bundle.manifest.limits
    assert [model["has_gate"], model["has_outline"], model["has_gallery"]] == [True, True, False]
    assert [point["name"] for point in model["operating_points"]] == [p.name for p in bundle.manifest.operating_points]
    card = client.get("/v1/model-card")
    assert card.headers["content-type"] == "text/markdown; charset=utf-8"
    assert card.text.startswith("# Model card: tiny 1.0")


def test_the_answer_is_strict_json_in_utf_8(client, mel):
    response = client.post(
        PATH,
        files={"image": mel},
        data={"name": "Märzfleck \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")},
    )
    assert json.loads(response.content.decode("utf-8"))["image"].startswith("Märzfleck")


@pytest.mark.parametrize("charset", ["undefined", "punycode", "no-such"])
def test_a_form_in_a_charset_that_cannot_be_read_is_no_failure_of_the_server(client, charset):
    part = b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\n..\xff\r\n--b--\r\n'
    kind = {"content-type": f"multipart/form-data; boundary=b; charset={charset}"}
    assert client.post(PATH, content=part, headers=kind).status_code in (400, 422)


def test_a_form_that_was_cut_off_is_not_taken_for_a_whole_one(client, mel):
    image = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + mel
    option = b'\r\n--b\r\nContent-Disposition: form-data; name="keep"\r\n\r\ntr'
    kind = {"content-type": "multipart/form-data; boundary=b"}
    for body in (image + b"\r\n--b", image + option):
        refused = client.post(PATH, content=body, headers=kind)
        assert problem_of(refused) == (400, "undecodable")
        assert "cut off" in refused.json()["detail"]
    assert client.post(PATH, content=image + b"\r\n--b--", headers=kind).status_code == 200
