"""The client of the load benchmark counts what came back."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.load_client import closed, open_ended, recovery

BODY = b"\xff\xd8\xff"


@pytest.fixture
def url() -> Iterator[str]:
    """A server that answers every third request with 503."""
    turns = itertools.count()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.rfile.read(int(self.headers["Content-Length"])) == BODY
            self.send_response(503 if next(turns) % 3 == 2 else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_so_many_requests_are_made_and_counted_by_status(url):
    load = asyncio.run(closed(url, BODY, at_a_time=4, count=30))
    assert load.statuses == {"200": 20, "503": 10}
    assert len(load.milliseconds) == 20
    assert load.as_dict()["answers_per_second"] == round(20 / load.seconds, 2)


def test_an_open_load_does_not_wait_for_answers(url):
    load = asyncio.run(open_ended(url, BODY, a_second=100, seconds=0.6))
    assert sum(load.statuses.values()) == 60
    assert load.seconds == pytest.approx(0.6, abs=0.25)


def test_loads_are_added_up(url):
    one, other = (asyncio.run(closed(url, BODY, at_a_time=2, count=6)) for _ in range(2))
    one.add(other)
    assert sum(one.statuses.values()) == 12
    assert one.seconds > other.seconds


def test_a_server_that_answers_has_recovered_at_once_and_one_that_is_away_has_not(url):
    assert asyncio.run(recovery(url, BODY, below_ms=2000)) < 1
