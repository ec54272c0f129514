"""The load benchmark: its client counts what came back, and its peer runs what the packaged bundle runs."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.load_client import closed, open_ended, recovery
from benchmarks.load_flask import create_app, networks_of
from benchmarks.pictures import SMALL, jpeg
from benchmarks.systems import graph_parameters
from dermalens.core.bundlefile import read_bundle
from dermalens.core.taxonomy import CLASSES
from dermalens.predict.classifier import DEFAULT_BUNDLE

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


def test_the_peer_has_a_network_for_each_member_of_the_packaged_bundle_of_its_backbone():
    bundle = read_bundle(DEFAULT_BUNDLE)
    members = [graph_parameters(bundle.graphs[member.file]) for member in bundle.manifest.members]
    networks = [sum(one.numel() for one in network.parameters()) for network in networks_of(bundle.manifest)]
    assert len(networks) == len(members)
    # Export folds the batch norms, 0.7 % of the parameters; two sizes of EfficientNet-Lite differ by 14 % or more.
    assert networks == pytest.approx(members, rel=0.02)


def test_the_peer_answers_with_a_probability_of_each_class():
    answer = create_app().test_client().post("/", data=jpeg(*SMALL)).get_json()
    assert set(answer) == set(CLASSES)
    assert sum(answer.values()) == pytest.approx(1, abs=1e-5)


def test_the_peer_is_not_made_where_two_members_had_one_recipe():
    manifest = read_bundle(DEFAULT_BUNDLE).manifest
    repeated = manifest.model_copy(update={"members": [*manifest.members, manifest.members[0]]})
    with pytest.raises(ValueError, match="longer"):
        networks_of(repeated)
