"""Faults: kills at random moments, a full disk, a database that goes away, cases that are too old."""

import http.client
import json
import os
import resource
import sqlite3
import time
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import make_url, update
from starlette.testclient import TestClient

from benchmarks.faults import Place, measure, served
from benchmarks.faults_check import broken, lost, swept, unfinished, unreadable
from benchmarks.faults_client import Noted
from benchmarks.ports import free_port
from dermalens.records import cases
from dermalens.records.jobs import add_job, finish_item
from dermalens.records.keys import create_key
from dermalens.records.store import opened
from dermalens.records.tables import CaseRow
from dermalens.serve.app import create_app
from dermalens.serve.logs import make_logger
from tests.records.databases import DATABASES, POSTGRESQL, fresh_database, reading_only
from tests.records.made_case import OWNER, new_case
from tests.serve.conftest import ADDRESS
from tests.serve.faulty import fill, small_disk, way_to
from tests.serve.test_predictions import problem_of

PATH = "/v1/predictions"
KEEP = {"keep": "1"}
HTML = {"Accept": "text/html"}
SOON = 8.0
"""Seconds for all that is asked while the database is away, not for each."""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """What came of three kills on each database; both at the same time, since most of it is waiting for a start."""
    try:
        with fresh_database("postgresql", tmp_path_factory.mktemp("unused")):
            databases = DATABASES
    except (pytest.skip.Exception, pytest.fail.Exception):  # the test of PostgreSQL says so
        databases = ("sqlite",)
    return measure(kills=3, databases=databases)["databases"]


@pytest.mark.parametrize("kind", DATABASES)
def test_after_each_kill_of_the_server_all_that_was_acknowledged_is_there_and_nothing_else_is_left(
    kind, killed, tmp_path
):  # fmt: skip
    with fresh_database(kind, tmp_path):
        found = killed[kind]
    assert (found["lost_are"], found["refused_with"]) == ([], [])
    assert (found["lost"], found["refused"], found["files_of_no_row_after_the_janitor"]) == (0, 0, 0)
    assert found["requests_cut_off"] >= 3
    assert found["acknowledged"]["cases"] > 0


def test_the_check_after_a_kill_sees_each_kind_of_damage(tmp_path):
    with fresh_database("sqlite", tmp_path) as url, opened(url, tmp_path / "record") as records:
        case = cases.keep(records, OWNER, new_case())
        noted = Noted(cases={case.id, "1"}, feedback={(case.id, "2")}, deleted={case.id}, jobs={"3"})
        assert {line.split(" ")[0] for line in lost(records, noted)} == {"case", "feedback", "job"}
        assert len(lost(records, noted)) == 4
        assert broken(records) == unreadable(records) == []
        records.images.path_of(case.image_sha256).write_bytes(b"other")
        assert len(lost(records, Noted(cases={case.id}))) == len(unreadable(records)) == 1
        job = add_job(records, OWNER, [("a", b"a"), ("b", b"b")], {})
        finish_item(records, job.id, 0, error="damaged")
        assert len(unfinished(records)) == 2
        (records.images.temporary / "x").touch()
        (records.spool / "y-0").touch()
        assert (swept(records).before, swept(records).after) == (2, 0)
        with closing(sqlite3.connect(tmp_path / "record" / "test.sqlite3")) as bare:
            bare.execute("DELETE FROM cases")  # without foreign keys, so that the consent is left behind
            for (name,) in bare.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                bare.execute(f"DROP TRIGGER {name}")
            bare.execute("UPDATE audit_entries SET owner = 'x'")
            bare.commit()
        assert [line.partition(" of ")[0] for line in broken(records)] == ["1 rows", "audit: Entry 1"]


def test_with_a_full_disk_images_are_answered_and_nothing_is_kept_until_there_is_room(tmp_path, disk, client_with, mel):
    client = client_with(data_folder=disk)
    first = client.post(PATH, files={"image": mel}, data=KEEP).json()["id"]
    fill(disk / "filler")
    answered = client.post(PATH, files={"image": mel}, data={**KEEP, "note": "x" * 9000})
    assert_not_kept(answered.status_code, answered.json(), "Make room")
    assert client.post(PATH, files={"image": mel}).status_code == 200
    eventually(lambda: client.get("/readyz").status_code == 503)
    assert client.get(f"{PATH}/{first}").status_code == 200
    (disk / "filler").unlink()
    eventually(lambda: client.get("/readyz").status_code == 200)
    assert client.post(PATH, files={"image": mel}, data=KEEP).json()["id"]


def test_a_server_with_a_restored_older_database_answers_says_so_and_deletes_no_image(tmp_path, client_with, mel, log):
    folder = tmp_path / "data"
    client = client_with()
    eventually(lambda: "tidied" in log.getvalue())
    client.post(PATH, files={"image": mel}, data=KEEP)
    (tmp_path / "copy").write_bytes((folder / "records.sqlite").read_bytes())  # without its -wal
    images = set(folder.glob("images/*/*.png"))
    for image in images:
        os.utime(image, (0, 0))
    again = client_with(database_url=f"sqlite:///{tmp_path / 'copy'}", data_folder=folder)
    eventually(lambda: "older than the data folder" in log.getvalue())
    assert again.get(PATH).json()["items"] == []
    assert again.post(PATH, files={"image": mel}).status_code == 200
    assert again.get("/readyz").status_code == 200
    assert set(folder.glob("images/*/*.png")) == images != set()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux changes the limits of another process")
def test_with_files_that_may_not_grow_the_server_answers_and_keeps_again_afterwards(tmp_path, bundle_folder, mel):
    """Its log lies in such a file too, and the database is cut at another point than by a full disk."""
    place = Place(f"sqlite:///{tmp_path / 'data' / 'x.sqlite'}", tmp_path / "data", bundle_folder, free_port())
    with served(place) as process:

        def ask(method, path, body=None):
            connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=10)
            connection.request(method, path, body, {"Content-Type": "image/png"})
            answer = connection.getresponse()
            content = json.loads(answer.read() or b"{}")
            connection.close()
            return answer.status, content

        first = ask("POST", f"{PATH}?keep=1", mel)[1]["id"]
        before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1024, before[1]))
        assert_not_kept(*ask("POST", f"{PATH}?keep=1", mel), "The database cannot be used. Check that it runs")
        assert ask("POST", PATH, mel)[0] == 200
        eventually(lambda: ask("GET", "/readyz")[0] == 503)
        assert ask("GET", f"{PATH}/{first}")[0] == 200
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, before)
        eventually(lambda: ask("GET", "/readyz")[0] == 200)
        assert ask("POST", f"{PATH}?keep=1", mel)[1]["id"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_on_a_full_disk_costs_lines_and_nothing_else(service_with, mel):
    log = Path("/dev/full").open("w")  # noqa: SIM115  (to close it fails too)
    with TestClient(create_app(service_with(), logger=make_logger(log)), base_url=ADDRESS) as client:
        assert client.post(PATH, files={"image": mel}, data=KEEP).json()["id"]
        job = client.post(f"{PATH}:batch", files=[("image", mel)]).headers["location"]
        eventually(lambda: client.get(job).json()["state"] == "done")
    with suppress(OSError):
        log.close()


@pytest.mark.parametrize("has_key", [False, True])
def test_without_its_database_images_are_answered_and_all_recovers_by_itself(way, client_with, mel, has_key):
    client = client_with(database_url=way.url)
    if has_key:
        client.headers["X-API-Key"] = way.new_key()
    first = client.post(PATH, files={"image": mel}, data=KEEP).json()["id"]
    assert first
    way.proxy.cut()
    began = time.monotonic()
    assert client.post(PATH, files={"image": mel}).status_code == 200
    answered = client.post(PATH, files={"image": mel}, data=KEEP)
    assert_not_kept(answered.status_code, answered.json(), "The database cannot be used")
    listed = client.get(PATH)
    assert listed.status_code == 503
    assert str(way.proxy.port) not in answered.text + listed.text
    if has_key:
        assert client.post(PATH, files={"image": mel}, headers={"X-API-Key": "dl_0_x"}).status_code == 503
    page = client.get("/history", headers=HTML)
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "<main" in page.text
    assert "Traceback" not in page.text
    assert client.get("/", headers=HTML).status_code == 200
    assert time.monotonic() - began < SOON
    eventually(lambda: client.get("/readyz").status_code == 503)
    way.proxy.restore()
    eventually(lambda: client.get("/readyz").status_code == 200)
    assert client.post(PATH, files={"image": mel}, data=KEEP).json()["id"]
    assert client.get(f"{PATH}/{first}").status_code == 200
    assert client.get("/history", headers=HTML).status_code == 200


def test_a_database_that_goes_away_before_the_first_request_keeps_no_image_from_its_answer(way, client_with, mel):
    client = client_with(database_url=way.url)
    way.proxy.cut()
    assert client.post(PATH, files={"image": mel}).status_code == 200


def test_a_database_that_can_only_be_read_turns_the_readiness_and_nothing_else(tmp_path, client_with, mel):
    with fresh_database("postgresql", tmp_path) as url:
        with opened(url, tmp_path / "data"):
            pass  # it has its tables
        client = client_with(database_url=reading_only(url))
        refused = client.get("/readyz")
        assert problem_of(refused) == (503, "records-unavailable")
        assert "can only be read" in refused.json()["detail"]
        answered = client.post(PATH, files={"image": mel}, data=KEEP)
        assert_not_kept(answered.status_code, answered.json(), "The database can only be read")


def test_a_database_that_only_falls_silent_holds_nothing_up_for_long(way, client_with, mel, monkeypatch):
    monkeypatch.setattr("dermalens.records.patience.AT_REST_SECONDS", 0.5)
    monkeypatch.setattr("dermalens.records.database.CONNECT_SECONDS", 2)
    client = client_with(database_url=way.url)
    client.headers["X-API-Key"] = way.new_key()
    assert client.post(PATH, files={"image": mel}, data=KEEP).json()["id"]
    way.proxy.silence()
    began = time.monotonic()
    assert client.post(PATH, files={"image": mel}).status_code == 200
    assert client.get("/readyz").status_code == 503
    assert time.monotonic() - began < SOON
    way.proxy.restore()
    eventually(lambda: client.get("/readyz").status_code == 200)
    assert client.post(PATH, files={"image": mel}, data=KEEP).json()["id"]


def test_a_server_with_a_retention_purges_old_cases_at_its_start(client_with, service_with, monkeypatch):
    service = service_with()
    old, young = (cases.keep(service.records, OWNER, new_case()).id for _ in range(2))
    with service.records.writing() as session:
        created = datetime.now(UTC) - timedelta(days=1, hours=1)
        session.execute(update(CaseRow).where(CaseRow.id == old).values(created=created))
    monkeypatch.setenv("DERMALENS_RETENTION_DAYS", "1")
    client = client_with()
    eventually(lambda: client.get(f"{PATH}/{old}").status_code == 404)
    assert client.get(f"{PATH}/{young}").status_code == 200


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "small") as is_mounted:
        if not is_mounted:
            pytest.skip("no small file system can be mounted here; the test with files that may not grow always runs")
        yield tmp_path / "small"


@pytest.fixture
def way(tmp_path):
    """A way to a fresh database that can be cut."""
    with fresh_database("postgresql", tmp_path) as url:
        place = make_url(POSTGRESQL)
        with way_to(place.host or "127.0.0.1", place.port or 5432) as proxy:
            through = make_url(url).set(host="127.0.0.1", port=proxy.port)

            def new_key():
                with opened(url, tmp_path / "data") as records:
                    return create_key(records, name="x", scopes=["predict", "records"])[1]

            yield SimpleNamespace(url=through.render_as_string(hide_password=False), proxy=proxy, new_key=new_key)


def assert_not_kept(status, content, why):
    assert (status, content["decision"], content["id"]) == (200, "refer", None)
    assert why in content["kept_error"]


def eventually(is_so):
    """What is asked for is remembered for a second, and so is that the database is away."""
    until = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.1)
