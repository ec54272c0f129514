"""Work on whole pictures waits for its turn without holding up anything else."""

import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import pytest
from anyio import to_thread

PATH = "/v1/predictions"
PATIENCE_SECONDS = 120
"""Only a server that stalls takes it."""


class Gate:
    """Stands in for a function: notes who comes in, and lets nobody out until it is opened."""

    def __init__(self, function):
        self._function = function
        self._came = threading.Semaphore(0)
        self._is_open = threading.Event()

    def __call__(self, *args, **options):
        self._came.release()
        assert self._is_open.wait(PATIENCE_SECONDS)
        return self._function(*args, **options)

    def wait_for(self, many):
        assert all(self._came.acquire(timeout=PATIENCE_SECONDS) for _ in range(many))

    def open(self):
        self._is_open.set()


@pytest.fixture
def client(client_with):
    """A server with no more threads for everything than there are pictures made at a time."""
    client = client_with(workers=1)

    def leave_two():
        to_thread.current_default_thread_limiter().total_tokens = 2

    client.portal.call(leave_two)
    return client


@pytest.mark.parametrize(
    ("function", "path"),
    [
        ("dermalens.serve.pages.case_view.picture_of", "/cases/{id}/square"),
        ("dermalens.serve.pages.report.picture_of", f"{PATH}/{{id}}/report.pdf"),
        ("dermalens.records.images._pixels", None),
    ],
    ids=["squares", "reports", "cases to keep"],
)
def test_pictures_that_wait_for_their_turn_keep_no_other_request_waiting(client, mel, monkeypatch, function, path):
    module, _, name = function.rpartition(".")
    keep = {"files": {"image": mel}, "data": {"keep": "1"}}
    case = client.post(PATH, **keep).json()["id"]
    gate = Gate(getattr(import_module(module), name))
    monkeypatch.setattr(function, gate)

    def ask(_):
        return client.get(path.format(id=case)) if path else client.post(PATH, **keep)

    with ThreadPoolExecutor(6) as threads:
        asked = [threads.submit(ask, number) for number in range(5)]
        try:
            gate.wait_for(2)
            other = threads.submit(client.get, "/history", headers={"accept": "text/html"})
            assert other.result(PATIENCE_SECONDS / 2).status_code == 200
        finally:
            gate.open()
        assert [one.result(PATIENCE_SECONDS).status_code for one in asked] == [200] * 5
    listed = client.get(PATH).json()["items"]
    assert len(listed) == (1 if path else 6)
