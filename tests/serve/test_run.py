"""The whole server in a process of its own: it stops without losing a request, and refuses to start unsafely."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select

from dermalens.core.errors import DermaLensError
from dermalens.records import audit
from dermalens.records.keys import create_key, revoke_key
from dermalens.records.retention import sweep
from dermalens.records.store import opened
from dermalens.records.tables import CaseRow, ConsentRow
from dermalens.serve.run import serve
from dermalens.serve.settings import read_settings
from tests.records.made_case import OWNER, answer

ROOT = Path(__file__).parents[2]
PATH = "/v1/predictions"
IMAGE = {"Content-Type": "image/png"}
MANY = 3000
"""Old cases: to purge them all takes some seconds."""


def head(length: str) -> bytes:
    lines = (f"POST {PATH} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: image/png", length, "", "")
    return "\r\n".join(lines).encode()


class Process:
    """A running server."""

    def __init__(self, folder, **settings):
        given = {"port": 0, "workers": 2, "data_folder": folder, **settings}
        names = {f"DERMALENS_{name.upper()}": str(value) for name, value in given.items()}
        self.begun = folder / "begun"
        command = [sys.executable, "-m", "tests.serve.slow_server"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **names}, stderr=subprocess.PIPE, text=True
        )  # fmt: skip
        self.first = self.process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.first)
        assert found, self.first + self.process.stderr.read()
        self.port = int(found[1])

    def post(self, image) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", PATH, image, IMAGE)
        status = connection.getresponse().status
        connection.close()
        return status

    def count_begun(self) -> int:
        return len(self.begun.read_text().splitlines()) if self.begun.exists() else 0

    def wait_for_begun(self, count) -> None:
        until = time.monotonic() + 20
        while self.count_begun() < count:
            assert time.monotonic() < until
            time.sleep(0.02)

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        _, rest = self.process.communicate(timeout=40)
        return self.process.returncode, rest


@pytest.fixture
def process_with(bundle_folder, tmp_path):
    started = []

    def start(**settings):
        process = Process(tmp_path, bundle=bundle_folder, **settings)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.process.poll() is None:
            process.process.kill()
            process.process.communicate()
        process.process.stderr.close()


def test_sigterm_loses_no_accepted_request_and_exits_with_0(process_with, mel):
    process = process_with()
    with ThreadPoolExecutor(8) as clients:
        answers = [clients.submit(process.post, mel) for _ in range(8)]
        process.wait_for_begun(2)
        time.sleep(0.2)  # the others are queued
        began = time.monotonic()
        process.process.send_signal(signal.SIGTERM)
        late = clients.submit(process.post, mel)
        assert [answer.result() for answer in answers] == [200] * 8
        assert late.result() == 503
    code, rest = process.stop()
    assert code == 0
    assert time.monotonic() - began < 15
    assert "Traceback" not in rest


def test_sigterm_does_not_wait_until_all_old_cases_are_purged(process_with, tmp_path):
    url = read_settings(data_folder=tmp_path).database_url
    with opened(url, tmp_path) as records:
        sweep(records)  # as the server does when it starts
        keep_old(records, MANY)
        process = process_with(retention_days=1)
        until = time.monotonic() + 20
        while count_of(records) == MANY:
            assert time.monotonic() < until
            time.sleep(0.02)
        code, rest = process.stop()
        left = count_of(records)
        assert (code, "Traceback" in rest, left > 0) == (0, False, True)
        assert audit.verify(records).count == 1 + MANY - left  # the first one is of the sweep


def count_of(records):
    with records.reading() as session:
        return session.scalar(select(func.count(CaseRow.id)))


def keep_old(records, count):
    """Cases of two days ago, whose images are gone."""
    ids, old = [uuid4().hex for _ in range(count)], datetime.now(UTC) - timedelta(days=2)
    case = {"owner": OWNER, "created": old, "decision": "refer", "diagnosis": "mel", "answer": answer()}
    case |= {"sex": "unknown", "site": "", "note": "", "embedding": b""}
    with records.writing() as session:
        session.execute(insert(CaseRow), [{"id": one, "image_sha256": one * 2, **case} for one in ids])
        session.execute(insert(ConsentRow), [{"case_id": one, "sentence": "Yes.", "given": old} for one in ids])


def test_a_client_that_goes_away_is_dropped_before_its_image_is_looked_at(process_with, mel):
    process = process_with(workers=1)
    with ThreadPoolExecutor(1) as clients:
        first = clients.submit(process.post, mel)
        process.wait_for_begun(1)
        for _ in range(3):
            connection = socket.create_connection(("127.0.0.1", process.port))
            connection.sendall(head(f"Content-Length: {len(mel)}") + mel)
            time.sleep(0.02)
            connection.close()
        assert first.result() == 200
        assert process.post(mel) == 200
    assert process.count_begun() == 2
    with socket.create_connection(("127.0.0.1", process.port)) as connection:
        connection.sendall(head(f"Content-Length: {len(mel)}") + mel[:100])  # and goes while it sends
        time.sleep(0.1)
    code, rest = process.stop()
    assert code == 0
    assert rest.count('"status": 499') == 4
    assert "unexpected" not in rest
    assert "Traceback" not in rest


def test_a_request_past_its_deadline_is_answered_504_and_not_begun(process_with, mel):
    process = process_with(workers=1, deadline_seconds=0.7)
    with ThreadPoolExecutor(4) as clients:
        statuses = sorted(answer.result() for answer in [clients.submit(process.post, mel) for _ in range(4)])
    assert statuses[0] == 200
    assert statuses[-2:] == [504, 504]
    assert process.count_begun() == 2


def test_a_full_queue_answers_503_at_once(process_with, mel):
    process = process_with(workers=1, queue_size=1)
    with ThreadPoolExecutor(6) as clients:
        statuses = sorted(answer.result() for answer in [clients.submit(process.post, mel) for _ in range(6)])
    assert statuses[:2] == [200, 200]
    assert statuses[2:] == [503] * 4


def test_an_endless_chunked_body_is_answered_413_and_its_connection_closed(process_with):
    process = process_with(max_upload_bytes=100_000)
    with socket.create_connection(("127.0.0.1", process.port), timeout=10) as connection:
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        connection.sendall(head.encode())
        chunk = b"2710\r\n" + bytes(10_000) + b"\r\n"
        for _ in range(30):  # three times the limit, without an end
            connection.sendall(chunk)
        answer = connection.recv(65536)
        while b"\r\n\r\n" not in answer or b"/problems/" not in answer:
            answer += connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"/problems/too-large" in answer
        assert b"connection: close" in answer.lower()
        while connection.recv(65536):
            pass
    assert process.stop()[0] == 0


@pytest.mark.parametrize("path", ["/sign-in", "/cases/x/about", f"{PATH}/{'0' * 32}/feedback", PATH])
def test_a_body_that_does_not_come_is_answered_504_in_time(process_with, path):
    process = process_with(deadline_seconds=0.5)
    kind = "application/json" if path.endswith("feedback") else "application/x-www-form-urlencoded"
    start = head("Content-Length: 1000").replace(PATH.encode(), path.encode(), 1)
    with socket.create_connection(("127.0.0.1", process.port), timeout=10) as connection:
        connection.sendall(start if path == PATH else start.replace(b"image/png", kind.encode()))
        assert connection.recv(65536).startswith(b"HTTP/1.1 504 ")
    code, rest = process.stop()
    assert code == 0
    assert '"problem": "deadline"' in rest
    assert "Traceback" not in rest


def test_a_port_that_is_taken_is_one_line(bundle_folder, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = read_settings(port=taken.getsockname()[1], bundle=bundle_folder, data_folder=tmp_path)
        with pytest.raises(DermaLensError, match=r"^127\.0\.0\.1:\d+ cannot be listened on: Address already in use\."):
            serve(settings)


def test_an_address_for_others_without_a_key_is_refused_in_one_line(bundle_folder, tmp_path):
    with opened(read_settings(bundle=bundle_folder, data_folder=tmp_path).database_url, tmp_path) as records:
        revoke_key(records, create_key(records, name="x", scopes=["predict"])[0].id)
    for more in ({}, {"records": False}):
        settings = read_settings(host="0.0.0.0", port=0, bundle=bundle_folder, data_folder=tmp_path, workers=1, **more)
        with pytest.raises(DermaLensError, match="there is no API key") as refused:
            serve(settings)
        assert "\n" not in str(refused.value)


def test_an_address_for_others_is_served_with_a_key_or_on_purpose(bundle_folder, tmp_path):
    """It gets as far as opening the bundle and the records, and then stops as the seam says."""

    class ServedError(Exception):
        pass

    def stop(*_, **__):
        raise ServedError

    given = {"host": "0.0.0.0", "port": 0, "bundle": bundle_folder, "data_folder": tmp_path, "workers": 1}
    with opened(read_settings(**given).database_url, tmp_path) as records:
        create_key(records, name="x", scopes=["predict"])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("dermalens.serve.run.create_app", stop)
        with pytest.raises(ServedError):
            serve(read_settings(**given))
        with pytest.raises(ServedError):
            serve(read_settings(**given, records=False, allow_open=True))


def test_an_unknown_host_is_one_line(bundle_folder, tmp_path):
    with pytest.raises(DermaLensError, match="The host 'no.such.host.invalid' is unknown"):
        serve(read_settings(host="no.such.host.invalid", bundle=bundle_folder, data_folder=tmp_path))
