"""A body above the limit is refused while it streams, and nothing of any body is written to a disk."""

import asyncio
import json
import tempfile

import pytest

from dermalens.serve.body_limit import BodyLimit, Limit
from dermalens.serve.problems import Refusal
from tests.serve.conftest import ADDRESS, encoded
from tests.serve.test_predictions import problem_of
from tests.tiny_bundle import lesion

PATH = "/v1/predictions"
LIMIT = 50_000


def test_a_declared_length_above_the_limit_is_refused_without_reading(client_with):
    client = client_with(max_upload_bytes=LIMIT)
    response = client.post(PATH, content=bytes(LIMIT + 1), headers={"content-type": "image/png"})
    assert problem_of(response) == (413, "too-large")
    assert response.headers["connection"] == "close"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert 'dermalens_refusals_total{reason="too-large"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize("kind", ["image/png", "multipart/form-data; boundary=b"])
def test_a_chunked_body_that_grows_too_large_is_refused_on_the_way(client_with, kind):
    client = client_with(max_upload_bytes=LIMIT)
    start = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n' if "multi" in kind else b""

    def chunks():
        yield start
        for _ in range(100):
            yield bytes(1000)

    response = client.post(PATH, content=chunks(), headers={"content-type": kind})
    assert problem_of(response) == (413, "too-large")
    assert 'dermalens_refusals_total{reason="too-large"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize("path", ["/sign-in", "/cases/x/about", f"{PATH}/x/feedback", "/v1/nothing"])
def test_a_body_without_images_may_be_small_only(client, path):
    response = client.post(path, content=bytes(200_000), headers={"content-type": "application/json"})
    assert problem_of(response) == (413, "too-large")


def test_a_slash_too_many_makes_no_image_too_large(client):
    content = {"content": bytes(200_000), "headers": {"content-type": "image/jpeg"}}
    response = client.post(f"{PATH}/", **content, follow_redirects=False)
    assert (response.status_code, response.headers["location"].removesuffix(PATH)) == (307, ADDRESS)


def test_a_comment_as_long_as_is_kept_fits_however_it_is_written(client, mel):
    case = client.post(PATH, files={"image": mel}, data={"keep": "1"}).json()["id"]
    body = json.dumps({"kind": "agree", "comment": "\N{FACE WITH MONOCLE}" * 10_000})
    response = client.post(f"{PATH}/{case}/feedback", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 201


def test_a_batch_has_longer_to_arrive_than_an_image(client_with):
    client = client_with(deadline_seconds=7, max_batch_bytes=200 * 2**20, workers=1)
    limit_of = next(one.kwargs["limit_of"] for one in client.app.user_middleware if one.cls is BodyLimit)
    seconds = [limit_of(path).seconds for path in ("/v1/predictions:batch", PATH, "/answer", "/cases/x/about")]
    assert seconds == [207, 7, 7, 7]


def test_a_body_that_does_not_arrive_is_told_apart_from_an_answer_that_is_not_ready():
    async def never():
        await asyncio.Event().wait()

    async def take():
        scope = {"type": "http", "path": "/", "method": "POST", "headers": [(b"transfer-encoding", b"chunked")]}
        await BodyLimit(reading, limit_of=lambda path: Limit(10, 0.0))(scope, never, never)

    with pytest.raises(Refusal, match="The upload took longer than 0 s") as refused:
        asyncio.run(take())
    assert refused.value.slug == "deadline"


async def exchange(app, messages, headers=((b"transfer-encoding", b"chunked"),)):
    """Run an application with these messages, the last again and again; what it sent and how many it took."""
    sent, taken = [], 0

    async def receive():
        nonlocal taken
        taken += 1
        await asyncio.sleep(0)
        return messages[min(taken, len(messages)) - 1]

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": "/", "method": "POST", "headers": list(headers)}
    await BodyLimit(app, limit_of=lambda path: Limit(10, 30.0))(scope, receive, send)
    return sent, taken


async def reading(scope, receive, send):
    while (await receive())["more_body"]:
        pass


ENDLESS = {"type": "http.request", "body": b"12345", "more_body": True}
GONE = {"type": "http.disconnect"}


def test_an_endless_body_is_answered_and_read_on_only_until_the_client_goes():
    async def swallowing(scope, receive, send):
        try:
            await reading(scope, receive, send)
        except Exception:  # noqa: BLE001  (an application that hides what went wrong)
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"something else"})

    sent, taken = asyncio.run(exchange(swallowing, [ENDLESS] * 20 + [GONE]))
    assert sent[0]["status"] == 413
    assert (b"connection", b"close") in sent[0]["headers"]
    assert [message["type"] for message in sent] == ["http.response.start", *["http.response.body"] * 2]
    assert b"/problems/too-large" in sent[1]["body"]
    assert sent[1]["more_body"] is True
    assert taken == 21


def test_an_early_answer_closes_the_connection_after_the_rest_was_thrown_away():
    async def refusing(scope, receive, send):
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    sent, taken = asyncio.run(exchange(refusing, [ENDLESS, ENDLESS, {**ENDLESS, "more_body": False}]))
    assert (b"connection", b"close") in sent[0]["headers"]
    assert sent[-1] == {"type": "http.response.body", "body": b""}
    assert taken == 3


def test_a_request_without_a_body_keeps_its_connection():
    async def answering(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"yes"})

    sent, taken = asyncio.run(exchange(answering, [GONE], headers=()))
    assert sent[0]["headers"] == []
    assert taken == 0


def test_no_temporary_file_is_made_for_an_image_of_several_megabytes(client, monkeypatch):
    made = []
    monkeypatch.setattr(tempfile, "_TemporaryFileWrapper", lambda *a, **k: made.append(a))
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda *a, **k: made.append(a))
    image = encoded(lesion("mel", (1600, 1200)), "BMP")
    assert len(image) > 5 * 2**20
    assert client.post(PATH, files={"image": image}).status_code == 200
    assert client.post("/v1/predictions:batch", files=[("image", image), ("image", image)]).status_code == 202
    assert made == []


@pytest.mark.parametrize("path", ["/sign-in", "/v1/predictions", "/answer"])
@pytest.mark.parametrize("charset", ["punycode", "utf-7", '"UTF-16"', "rot13", ""])
def test_a_form_in_a_foreign_charset_is_refused_before_it_is_decoded(client, path, charset):
    body = b'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\n' + b"a-" * 4000 + b"\r\n--b--\r\n"
    kind = f"multipart/form-data; boundary=b; charset={charset}"
    response = client.post(path, content=body, headers={"content-type": kind})
    assert problem_of(response) == (400, "undecodable")
    assert "needed is UTF-8" in response.json()["detail"]


@pytest.mark.parametrize("charset", ["utf-8", "UTF8", '"us-ascii"'])
def test_a_form_that_names_its_usual_charset_is_read(client, mel, charset):
    request = client.build_request("POST", PATH, files={"image": mel}, data={"note": "n"})
    request.headers["content-type"] += f"; charset={charset}"
    assert client.send(request).status_code == 200
