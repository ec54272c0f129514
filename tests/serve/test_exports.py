"""All cases to take away: one export of an owner at a time, and none for a client that has hung up."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryFile

import pytest

from dermalens.records.errors import RecordsError, Stopped
from dermalens.records.keys import create_key
from tests.serve.test_predictions import problem_of
from tests.serve.test_stopping import Endless

PATHS = ("/export.json", "/export.zip")
GERMAN = {"accept": "text/html", "accept-language": "de"}


@pytest.fixture
def own(client_with, mel):
    """A server with one case."""
    client = client_with()
    client.post("/v1/predictions", files={"image": mel}, data={"keep": "1"})
    return client


def headers_of(client, **more):
    _, text = create_key(client.app.state.service.records, name="test", scopes=["records"], **more)
    return {"X-API-Key": text}


@pytest.mark.parametrize("path", PATHS)
def test_a_second_export_of_an_owner_is_refused_until_the_first_has_ended(own, path):
    with own.app.state.running.exports.turn("local"):
        refused = own.get(path)
        assert problem_of(refused) == (503, "busy")
        assert int(refused.headers["retry-after"]) >= 1
        assert "Alle Ihre Fälle werden schon heruntergeladen." in own.get(path, headers=GERMAN).text
    assert [own.get(path).status_code for _ in range(3)] == [200] * 3


@pytest.mark.parametrize("path", PATHS)
def test_another_owner_waits_for_nobody(client_with, path):
    client = client_with(host="0.0.0.0", address="http://derma.example")
    headers = headers_of(client)
    with client.app.state.running.exports.turn("another"):
        assert client.get(path, headers=headers).status_code == 200


def test_an_export_counts_as_a_request_of_its_key(client_with):
    client = client_with(host="0.0.0.0", address="http://derma.example")
    headers = headers_of(client, rate_per_minute=2)
    assert [client.get(path, headers=headers).status_code for path in (*PATHS, *PATHS)] == [200, 200, 429, 429]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("version", ["2.3", "2.4"])  # of ASGI: that of uvicorn, and one whose server raises
def test_a_client_that_hangs_up_while_it_is_sent_gives_its_turn_back(own, path, version):
    assert own.portal.call(hang_up_at, own.app, path, version, "http.response.body") == 200
    assert own.get(path).status_code == 200


def test_a_zip_for_a_client_that_has_hung_up_is_not_made_to_its_end(own, monkeypatch):
    work = Endless(error=Stopped("The ZIP is not complete."))
    with monkeypatch.context() as patched, ThreadPoolExecutor(1) as threads:
        patched.setattr("dermalens.serve.pages.history.export_zip", work)
        asked = threads.submit(own.portal.call, hang_up_at, own.app, "/export.zip", "2.3", None)
        assert asked.result(10) == 499
    assert work.was_stopped
    assert own.get("/export.zip").status_code == 200


@pytest.mark.parametrize(("path", "name"), [("/export.json", "export_json"), ("/export.zip", "export_zip")])
def test_an_export_that_fails_gives_its_turn_back(own, monkeypatch, path, name):
    def fail(*_, **__):
        raise RecordsError("The database cannot be used: it is away.")

    with monkeypatch.context() as patched:
        patched.setattr(f"dermalens.serve.pages.history.{name}", fail)
        assert problem_of(own.get(path)) == (503, "records-unavailable")
    assert own.get(path).status_code == 200


def test_a_zip_that_was_sent_is_whole_and_its_file_is_closed(own, monkeypatch):
    files = []

    def noted(**options):
        files.append(TemporaryFile(**options))  # noqa: SIM115  (it is to be closed by what is tested)
        return files[-1]

    monkeypatch.setattr("dermalens.serve.pages.history.TemporaryFile", noted)
    assert own.get("/export.zip").content[:2] == b"PK"
    assert own.portal.call(hang_up_at, own.app, "/export.zip", "2.3", "http.response.body") == 200
    assert [file.closed for file in files] == [True, True]


async def hang_up_at(app, path, version, message_type):
    """Ask, and close the connection when the first message of this kind comes, or half a second after the question."""
    gone, asked, status = asyncio.Event(), False, 0
    if message_type is None:
        asyncio.get_running_loop().call_later(0.5, gone.set)

    async def receive():
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        nonlocal status
        status = message.get("status", status)
        if message["type"] == message_type:
            gone.set()
            if version == "2.4":
                raise OSError("The client has closed the connection.")
            await asyncio.Event().wait()  # what is sent is not taken any more

    scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": version}, "http_version": "1.1"}
    scope |= {"method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "scheme": "http"}
    scope |= {"headers": [(b"host", b"127.0.0.1:8000")], "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 1)}
    async with asyncio.timeout(20):
        await app(scope, receive, send)
    return status
