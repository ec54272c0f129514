"""Every response carries the headers that keep a browser safe, and no foreign page can act."""

import pytest

from tests.serve.test_predictions import problem_of

PATH = "/v1/predictions"


@pytest.mark.parametrize("path", ["/livez", "/v1/model", "/docs", "/docs/start.js", "/openapi.json", "/nothing"])
def test_every_response_has_the_security_headers(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "microphone=()" in headers["permissions-policy"]
    assert headers["cache-control"] == ("no-cache" if path.startswith("/docs/") else "no-store")
    assert len(headers["x-request-id"]) == 32


def test_a_header_stands_once(client):
    names = [name for name, _ in client.get("/v1/model").headers.raw]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("headers", [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:9000"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8000"},
])  # fmt: skip
def test_a_post_of_another_site_is_refused(client, mel, headers):
    assert problem_of(client.post(PATH, files={"image": mel}, headers=headers)) == (403, "cross-origin")
    assert problem_of(client.delete(PATH + "/" + "0" * 32, headers=headers)) == (403, "cross-origin")


@pytest.mark.parametrize("headers", [
    {},
    {"origin": "http://127.0.0.1:8000"},
    {"origin": "https://127.0.0.1:8000"},
    {"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:8000"},
    {"sec-fetch-site": "none"},
])  # fmt: skip
def test_a_post_of_the_own_page_or_of_no_browser_is_taken(client, mel, headers):
    assert client.post(PATH, files={"image": mel}, headers=headers).status_code == 200


def test_the_docs_use_files_of_this_server_only(client):
    page = client.get("/docs").text
    assert "//" not in page.replace("<!doctype", "")
    assert "<style" not in page
    assert "style=" not in page
    for name, kind in (("swagger-ui.css", "css"), ("swagger-ui-bundle.js", "javascript"), ("start.js", "javascript")):
        assert f"/docs/{name}" in page
        answered = client.get(f"/docs/{name}")
        assert answered.status_code == 200
        assert kind in answered.headers["content-type"]
        assert len(answered.content) > 100
