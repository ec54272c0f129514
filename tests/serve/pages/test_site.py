"""Help, languages, signing in, and pages about problems."""

import re
from html import unescape

import pytest

from dermalens.records.keys import create_key
from dermalens.serve.pages.i18n import languages
from dermalens.serve.problems import PROBLEMS
from tests.serve.pages.conftest import FRAGMENT, GERMAN, HTML


def test_help_has_the_figures_and_limits_of_the_bundle(client):
    text = client.get("/help", headers=HTML).text
    assert "1.000 (0.980 to 1.020)" in text
    assert ">100<" in text
    assert "Knows seven colours." in text
    assert "sensitivity_95 (usual)" in text
    assert "Wipe the lens" in text
    assert "sent to no other" in text


def test_help_says_when_kept_cases_are_erased(client_with):
    assert "erased after 30 days" in client_with(retention_days=30, workers=1).get("/help", headers=HTML).text


def test_help_says_who_sees_what_is_kept(client_with):
    assert "Whoever can open this page sees all kept cases" in client_with(workers=1).get("/help", headers=HTML).text
    guarded = client_with(workers=1, host="0.0.0.0", address="http://derma.example")
    assert "seen only with the key that kept them" in guarded.get("/help", headers=HTML).text


def test_a_key_that_may_keep_nothing_is_offered_nothing_to_keep(client_with):
    client = client_with(workers=1)
    records = client.app.state.service.records
    for scopes, is_offered in ((["predict"], False), (["predict", "records"], True)):
        _, text = create_key(records, name="x", scopes=scopes)
        page = client.get("/", headers=HTML | {"authorization": f"Bearer {text}"}).text
        assert ('name="keep"' in page, 'href="/history"' in page) == (is_offered, is_offered)


@pytest.mark.parametrize("path", ["/answer", f"/cases/{'a' * 32}/feedback", f"/cases/{'a' * 32}/about"])
def test_what_is_only_sent_to_leads_back_to_its_page(client, path):
    response = client.get(path, headers=HTML, follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, path.rpartition("/")[0] or "/")


def test_a_refusal_in_the_language_of_the_reader_says_its_cause_first(client, mel, ask):
    text = ask(client, mel, headers=GERMAN, prevalence="abc").text
    assert "„abc“ ist keine Zahl" in text
    assert "Eine Option ist unbekannt" not in text


@pytest.mark.parametrize("slug", PROBLEMS)
def test_each_kind_of_problem_has_a_page_in_both_languages(client, slug):
    english, german = (client.get(f"/problems/{slug}", headers=headers) for headers in (HTML, GERMAN))
    assert english.status_code == german.status_code == 200
    assert languages()["de"].texts[PROBLEMS[slug].title] in german.text


def test_an_unknown_page_is_friendly_in_the_language_of_the_reader(client):
    response = client.get("/nothing", headers=GERMAN)
    assert response.status_code == 404
    assert "Diese Seite gibt es nicht" in response.text
    assert client.get("/problems/nothing", headers=HTML).status_code == 404


def test_the_language_is_remembered_and_the_reader_stays_on_the_page(client_with):
    client = client_with(workers=1)
    form = {"language": "de", "next": "/help?x=1"}
    response = client.post("/language", data=form, headers=HTML)
    assert response.url.path == "/help"
    assert '<html lang="de">' in response.text
    assert response.headers["content-language"] == "de"


@pytest.mark.parametrize("path", ["//evil.example/a", "https://evil.example", "/\\evil.example", "", "/a\nb"])
def test_no_form_leads_to_another_site(client, path):
    response = client.post("/language", data={"language": "xx", "next": path}, follow_redirects=False)
    assert response.headers["location"] == "/"
    assert "set-cookie" not in response.headers


def test_a_page_without_a_key_leads_to_the_sign_in_and_back(client_with):
    client = client_with(workers=1)
    _, secret = create_key(client.app.state.service.records, name="desk", scopes=["predict", "records"])
    shown = client.get("/history", headers=HTML)
    assert shown.url.path == "/sign-in"
    assert 'value="/history"' in shown.text
    wrong = client.post("/sign-in", data={"key": "dl_no", "next": "/history"}, headers=GERMAN)
    assert wrong.status_code == 401
    assert "Dieser Schlüssel ist nicht gültig" in wrong.text
    entered = client.post("/sign-in", data={"key": secret, "next": "/history"}, headers=HTML)
    assert entered.url.path == "/history"
    assert "Sign out" in entered.text
    assert client.post("/sign-out", headers=HTML).url.path == "/sign-in"
    assert client.get("/history", headers=HTML).url.path == "/sign-in"


@pytest.mark.parametrize(
    ("scopes", "first", "menu"),
    [
        (["predict"], "/", ["/", "/batch", "/help"]),
        (["records"], "/history", ["/history", "/help"]),
        (["admin"], "/help", ["/help"]),
        (["predict", "records"], "/", ["/", "/batch", "/history", "/help"]),
    ],
    ids=["predict", "records", "admin", "both"],
)
def test_each_key_is_led_to_pages_that_it_may_open(client_with, scopes, first, menu):
    client = client_with(workers=1)
    _, secret = create_key(client.app.state.service.records, name="desk", scopes=scopes)
    for text in (client.post("/sign-in", data={"key": secret}, headers=HTML), client.get("/help", headers=HTML)):
        assert text.status_code == 200
        assert re.findall(r'<li><a href="([^"]*)"', text.text.split("</nav>")[0]) == menu
        assert f'<a class="brand" href="{first}">' in text.text
    assert client.post("/sign-in", data={"key": secret}, headers=HTML).url.path == first
    for path in {"/", "/history"} - {*menu}:
        refused = client.get(path, headers=HTML)
        assert refused.status_code == 403
        assert f'<a class="button secondary" href="{first}">Back</a>' in refused.text


def test_a_page_that_was_asked_for_comes_after_the_sign_in_whatever_the_key_may(client_with):
    client = client_with(workers=1)
    _, secret = create_key(client.app.state.service.records, name="desk", scopes=["records"])
    entered = client.post("/sign-in", data={"key": secret, "next": "/help?x=1"}, headers=HTML)
    assert (entered.url.path, entered.url.query) == ("/help", b"x=1")


def test_the_fragment_of_a_problem_is_no_whole_page(client):
    response = client.post("/answer", files={"image": b"text"}, headers=FRAGMENT)
    assert "<html" not in response.text
    assert 'role="alert"' in response.text


def test_sentences_of_the_api_are_said_in_the_language_of_the_page(client):
    text = "The most probable class is mel (melanoma) with 0.91."
    said = client.get("/say", params={"text": text}, headers=GERMAN).json()["text"]
    assert said == "Die wahrscheinlichste Klasse ist mel (Melanom) mit 0,91."


def test_the_sentences_are_said_to_those_only_who_may_predict(client_with):
    client = client_with(workers=1)
    create_key(client.app.state.service.records, name="desk", scopes=["predict"])
    assert client.get("/say", params={"text": "Refer"}).status_code == 401


def test_a_text_longer_than_any_sentence_is_refused(client):
    assert client.get("/say", params={"text": "x" * 1001}).status_code == 422


def test_several_images_have_the_share_that_was_set_for_one(client_with, mel, ask):
    client = client_with(workers=1)
    assert 'data-prevalence=""' in client.get("/batch", headers=HTML).text
    ask(client, mel, prevalence="3")
    text = client.get("/batch", headers=HTML).text
    assert 'data-prevalence="0.03"' in text
    assert "shifted to a malignant share of 3.0%" in text


def test_the_share_that_the_server_assumes_is_named_as_exactly_as_in_the_answer(client_with):
    client = client_with(workers=1, default_prevalence=0.015)
    assert "Empty: the share that this server assumes, 1.5%" in client.get("/", headers=HTML).text
    assert "shifted to a malignant share of 1.5%" in client.get("/batch", headers=HTML).text


def test_the_share_that_the_model_assumes_is_named_as_exactly_as_in_the_answer(client):
    assert "Empty: the share that the model assumes, 20.0%" in client.get("/", headers=HTML).text


def test_what_no_route_sees_is_refused_on_a_page_too_and_as_a_problem_to_programs(client_with):
    client = client_with(max_upload_bytes=200_000, workers=1)
    form = {"data": {"note": "x"}, "files": {"image": ("a.png", bytes(200_001), "image/png")}}
    page = client.post("/answer", headers=GERMAN, **form)
    assert page.status_code == 413
    assert page.headers["content-type"].startswith("text/html")
    assert "höchstens 200.000 Bytes werden angenommen" in page.text
    assert "<!doctype html>" in page.text
    assert "<!doctype html>" not in client.post("/answer", headers=FRAGMENT, **form).text
    foreign = client.post("/language", headers={**HTML, "origin": "http://evil.example"}, data={"language": "de"})
    assert foreign.status_code == 403
    assert "came from a page of another site" in foreign.text
    assert client.post("/answer", **form).json()["type"] == "/problems/too-large"
    api = client.post("/v1/predictions", headers=HTML, **form)
    assert (api.status_code, api.json()["type"]) == (413, "/problems/too-large")
    assert 'dermalens_refusals_total{reason="too-large"} 4.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("most_bytes", "headers", "words"),
    [
        (20 * 2**20, HTML, "up to 20 MiB"),
        (2**20 * 5 // 2, GERMAN, "bis 2,5 MiB"),
        (2**18, HTML, "up to 0.25 MiB"),
        (20_000_000, HTML, "up to 19.0 MiB"),
    ],
)
def test_the_largest_file_is_said_as_it_is(client_with, most_bytes, headers, words):
    client = client_with(max_upload_bytes=most_bytes, workers=1)
    for path in ("/", "/batch"):
        assert words in client.get(path, headers=headers).text
    assert f'data-most-bytes="{most_bytes}"' in client.get("/", headers=headers).text


def test_a_form_in_another_charset_is_refused_in_the_language_of_the_reader(client):
    headers = {**GERMAN, "content-type": "multipart/form-data; boundary=b; charset=punycode"}
    response = client.post("/answer", content=b"--b--", headers=headers)
    assert response.status_code == 400
    assert "Das Formular ist angeblich in 'punycode' geschrieben" in unescape(response.text)
