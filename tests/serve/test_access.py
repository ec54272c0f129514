"""Who may use a server: keys, scopes, owners, sessions, rates, and the rule for an address of this machine only."""

import pytest
from fastapi import Request, Response

from dermalens.records.errors import RecordsError
from dermalens.records.keys import create_key, renew_key, revoke_key
from dermalens.serve import keyring
from dermalens.serve.access import SESSION_COOKIE, sign_in, sign_out
from tests.serve.test_predictions import problem_of

PATH = "/v1/predictions"
ALL = ("predict", "records", "admin")


def key_of(client, scopes=ALL, **more):
    """A new key and the headers that send it."""
    key, text = create_key(client.app.state.service.records, name="test", scopes=scopes, **more)
    return key, {"Authorization": f"Bearer {text}"}


@pytest.fixture
def guarded(client_with):
    """A server that another machine could reach, and so needs a key."""
    return client_with(host="0.0.0.0", address="http://derma.example")


def test_without_a_key_a_server_for_others_answers_nothing_but_the_probe(guarded, mel):
    refused = guarded.post(PATH, files={"image": mel})
    assert problem_of(refused) == (401, "unauthenticated")
    assert refused.headers["www-authenticate"].startswith("Bearer")
    for path in (PATH, "/v1/model", "/metrics", "/v1/jobs/" + "0" * 32):
        assert problem_of(guarded.get(path)) == (401, "unauthenticated")
    assert guarded.get("/livez").status_code == 200


def test_a_page_without_access_leads_to_where_one_signs_in(guarded):
    answered = guarded.get("/history", headers={"accept": "text/html"}, follow_redirects=False)
    assert answered.status_code == 303
    assert answered.headers["location"] == "/sign-in?next=/history"


@pytest.mark.parametrize("text", ["nonsense", "dl_x_y", "dl_" + "a" * 500, "\u00e9"])
def test_a_key_that_is_none_is_refused(guarded, text):
    for headers in ({"X-API-Key": text.encode()}, {"Authorization": b"Bearer " + text.encode()}):
        assert problem_of(guarded.get("/v1/model", headers=headers)) == (401, "unauthenticated")
    assert problem_of(guarded.get("/v1/model", headers={"Authorization": "Basic YTpi"})) == (401, "unauthenticated")


def test_a_key_is_taken_in_either_header_until_it_is_revoked(guarded):
    key, headers = key_of(guarded)
    assert guarded.get("/v1/model", headers=headers).status_code == 200
    text = headers["Authorization"].removeprefix("Bearer ")
    assert guarded.get("/v1/model", headers={"X-API-Key": text}).status_code == 200
    revoke_key(guarded.app.state.service.records, key.id)
    assert problem_of(guarded.get("/v1/model", headers=headers)) == (401, "unauthenticated")


@pytest.mark.parametrize(("scopes", "allowed"), [
    (("predict",), {"/v1/model"}), (("records",), {PATH}), (("admin",), {"/metrics"}),
])  # fmt: skip
def test_a_key_opens_what_its_scopes_name_and_nothing_else(guarded, scopes, allowed):
    _, headers = key_of(guarded, scopes)
    for path in ("/v1/model", PATH, "/metrics"):
        answered = guarded.get(path, headers=headers)
        if path in allowed:
            assert answered.status_code == 200
        else:
            assert problem_of(answered) == (403, "forbidden")


def test_keeping_needs_the_records_scope_before_the_image_is_looked_at(guarded, mel):
    _, headers = key_of(guarded, ["predict"])
    for sent in ({"data": {"keep": "1"}}, {"params": {"keep": "1"}}):
        refused = guarded.post(PATH, files={"image": mel}, headers=headers, **sent)
        assert problem_of(refused) == (403, "forbidden")


def test_the_case_of_another_key_is_not_found(guarded, mel):
    _, mine = key_of(guarded)
    _, other = key_of(guarded)
    case_id = guarded.post(PATH, files={"image": mel}, data={"keep": "1"}, headers=mine).json()["id"]
    address = f"{PATH}/{case_id}"
    assert guarded.get(address, headers=mine).status_code == 200
    for refused in (
        guarded.get(address, headers=other),
        guarded.delete(address, headers=other),
        guarded.post(f"{address}/feedback", json={"kind": "agree"}, headers=other),
    ):
        assert problem_of(refused) == (404, "not-found")
    assert guarded.get(PATH, headers=other).json()["items"] == []
    assert guarded.get(address, headers=mine).json()["feedback"] == []


def test_a_key_has_its_requests_a_minute_and_is_told_when_to_come_back(guarded):
    _, headers = key_of(guarded, rate_per_minute=3)
    _, other = key_of(guarded)
    assert [guarded.get("/v1/model", headers=headers).status_code for _ in range(3)] == [200] * 3
    refused = guarded.get("/v1/model", headers=headers)
    assert problem_of(refused) == (429, "too-many-requests")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert guarded.get("/v1/model", headers=other).status_code == 200


def test_on_this_machine_no_key_is_needed_until_there_is_one(client_with, monkeypatch):
    monkeypatch.setattr(keyring, "KEYS_SEEN_SECONDS", 0.0)
    client = client_with()
    assert client.get("/v1/model").status_code == 200
    key, headers = key_of(client)
    assert problem_of(client.get("/v1/model")) == (401, "unauthenticated")
    assert client.get("/v1/model", headers=headers).status_code == 200
    revoke_key(client.app.state.service.records, key.id)
    assert problem_of(client.get("/v1/model")) == (401, "unauthenticated")


@pytest.mark.parametrize("address", ["http://evil.example", "http://127.0.0.1.evil.example:8000"])
def test_another_name_for_this_machine_is_refused_so_that_no_page_can_rebind_it(client, address):
    refused = client.get(f"{address}/v1/predictions")
    assert problem_of(refused) == (403, "cross-origin")


@pytest.mark.parametrize("origin", ["http://[", "null", "http://127.0.0.1:8000@evil.example", ""])
def test_an_origin_that_is_no_address_is_another_one(client, origin):
    refused = client.post("/v1/predictions", headers={"origin": origin})
    assert problem_of(refused) == (403, "cross-origin")


@pytest.mark.parametrize("address", ["http://localhost:8000", "http://[::1]:8000", "http://127.0.0.1"])
def test_the_usual_names_of_this_machine_are_taken(client, address):
    assert client.get(f"{address}/v1/model").status_code == 200


def test_a_name_that_the_operator_allows_is_taken(client_with):
    client = client_with(allowed_hosts=("Derma.local",))
    assert client.get("http://derma.local:8000/v1/model").status_code == 200


def test_a_server_that_is_open_on_purpose_needs_no_key(client_with):
    client = client_with(host="0.0.0.0", allow_open=True, address="http://derma.example")
    assert client.get("/v1/model").status_code == 200


def with_sign_in(client):
    """The page's own routes are elsewhere; these two stand for them."""

    @client.app.post("/test-sign-in")
    async def begin(request: Request) -> Response:
        response = Response()
        caller = await sign_in(request, response, (await request.body()).decode())
        response.status_code = 204 if caller else 401
        return response

    @client.app.post("/test-sign-out")
    async def end() -> Response:
        response = Response()
        sign_out(response)
        return response

    return client


def test_a_session_of_the_page_lasts_until_it_ends_or_its_key_does(guarded):
    client = with_sign_in(guarded)
    key, headers = key_of(client)
    text = headers["Authorization"].removeprefix("Bearer ")
    assert client.post("/test-sign-in", content="wrong").status_code == 401
    assert SESSION_COOKIE not in client.cookies
    begun = client.post("/test-sign-in", content=text)
    assert {"HttpOnly", "SameSite=strict"} <= {part.strip() for part in begun.headers["set-cookie"].split(";")}
    assert text not in begun.headers["set-cookie"]
    assert client.get("/v1/model").status_code == 200
    cookie = client.cookies[SESSION_COOKIE]
    client.post("/test-sign-out")
    assert problem_of(client.get("/v1/model")) == (401, "unauthenticated")
    client.cookies.set(SESSION_COOKIE, cookie)
    assert client.get("/v1/model").status_code == 200
    revoke_key(client.app.state.service.records, key.id)
    assert problem_of(client.get("/v1/model")) == (401, "unauthenticated")


def test_over_https_the_cookie_of_a_session_goes_over_nothing_else(guarded):
    client = with_sign_in(guarded)
    text = key_of(client)[1]["Authorization"].removeprefix("Bearer ")
    for address, is_secure in ((str(client.base_url), False), (str(client.base_url.copy_with(scheme="https")), True)):
        begun = client.post(f"{address}/test-sign-in", content=text)
        assert ("Secure" in {part.strip() for part in begun.headers["set-cookie"].split(";")}) == is_secure


@pytest.mark.parametrize("is_revoked", [False, True])
def test_a_renewed_key_reaches_its_cases_and_its_old_text_and_sessions_nothing(guarded, mel, is_revoked):
    client = with_sign_in(guarded)
    records = client.app.state.service.records
    key, old = key_of(client)
    case_id = client.post(PATH, files={"image": mel}, data={"keep": "1"}, headers=old).json()["id"]
    client.post("/test-sign-in", content=old["Authorization"].removeprefix("Bearer "))
    assert client.get(f"{PATH}/{case_id}").status_code == 200
    if is_revoked:
        revoke_key(records, key.id)
    _, text = renew_key(records, key.id)
    assert problem_of(client.get(f"{PATH}/{case_id}")) == (401, "unauthenticated")
    assert problem_of(client.get(f"{PATH}/{case_id}", headers=old)) == (401, "unauthenticated")
    assert client.get(f"{PATH}/{case_id}", headers={"X-API-Key": text}).status_code == 200
    client.post("/test-sign-in", content=text)
    assert client.get(f"{PATH}/{case_id}").status_code == 200


def test_a_session_that_was_tampered_with_is_none(guarded):
    client = with_sign_in(guarded)
    _, headers = key_of(client)
    client.post("/test-sign-in", content=headers["Authorization"].removeprefix("Bearer "))
    cookie = client.cookies[SESSION_COOKIE]
    client.cookies.clear()
    client.cookies.set(SESSION_COOKIE, cookie[:-2] + ("aa" if cookie[-2:] != "aa" else "bb"))
    assert problem_of(client.get("/v1/model")) == (401, "unauthenticated")


def test_a_key_seen_lately_is_taken_while_the_database_is_away(guarded, mel, monkeypatch):
    _, known = key_of(guarded)
    _, unknown = key_of(guarded)
    assert guarded.get("/v1/model", headers=known).status_code == 200
    monkeypatch.setattr("dermalens.records.keys.check_key", away)
    assert guarded.post(PATH, files={"image": mel}, headers=known).status_code == 200
    refused = guarded.get("/v1/model", headers=unknown)
    assert problem_of(refused) == (503, "records-unavailable")
    assert int(refused.headers["retry-after"]) >= 1


def away(*_):
    raise RecordsError("The database cannot be used: it is away.")


@pytest.mark.parametrize("has_key", [False, True])
def test_whether_there_are_keys_is_known_from_the_start(client_with, service_with, mel, monkeypatch, has_key):
    if has_key:
        create_key(service_with().records, name="test", scopes=ALL)
    client = client_with()
    monkeypatch.setattr("dermalens.records.keys.keys", away)
    assert client.post(PATH, files={"image": mel}).status_code == (401 if has_key else 200)


def test_a_first_key_counts_at_once_although_there_was_none_at_the_start(client_with):
    client = client_with()
    key_of(client)
    assert problem_of(client.get("/v1/model")) == (401, "unauthenticated")


def test_a_database_that_is_away_at_the_start_is_asked_again_by_each_request(client_with, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("dermalens.records.keys.keys", away)
        client = client_with()
        assert problem_of(client.get("/v1/model")) == (503, "records-unavailable")
    assert client.get("/v1/model").status_code == 200


@pytest.mark.parametrize(
    ("path", "back"),
    [("/answer", "/"), (f"/cases/{'a' * 32}/about", f"/cases/{'a' * 32}"), (f"/cases/{'a' * 32}x/about", "/")],
)
def test_what_was_sent_after_a_session_ended_leads_back_to_a_page_that_can_be_opened(guarded, path, back):
    headers = {"accept": "text/html"}
    answered = guarded.post(path, data={"note": "x"}, headers=headers, follow_redirects=False)
    assert (answered.status_code, answered.headers["location"]) == (303, f"/sign-in?next={back}&ended=1")
    told = "Your session has ended, so nothing was done with what you sent."
    assert told in guarded.get(answered.headers["location"], headers=headers).text
    assert told not in guarded.get(back, headers=headers).text


def test_what_asks_the_model_anew_counts_as_a_request(guarded):
    _, headers = key_of(guarded, rate_per_minute=2)
    pages = {**headers, "accept": "text/html"}
    case = f"/cases/{'a' * 32}"
    assert [guarded.get(case, headers=pages).status_code for _ in range(3)] == [404] * 3
    for path in (f"{case}?heatmap=1", f"{case}/report.pdf"):
        assert guarded.get(path, headers=pages).status_code == 404
    assert guarded.get(f"{case}/report.pdf", headers=pages).status_code == 429


def test_a_key_that_is_none_is_refused_by_an_open_server_too(client):
    assert client.get("/v1/model").status_code == 200
    assert problem_of(client.get("/v1/model", headers={"X-API-Key": "dl_x_y"})) == (401, "unauthenticated")


def test_a_revoked_key_is_not_taken_while_the_database_is_away(guarded, monkeypatch):
    key, headers = key_of(guarded)
    assert guarded.get("/v1/model", headers=headers).status_code == 200
    revoke_key(guarded.app.state.service.records, key.id)
    assert guarded.get("/v1/model", headers=headers).status_code == 401
    monkeypatch.setattr("dermalens.records.keys.check_key", away)
    assert problem_of(guarded.get("/v1/model", headers=headers)) == (503, "records-unavailable")
