"""What works in threads beside the requests ends soon when the server stops, and goes on at the next start."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dermalens.records.errors import Stopped
from dermalens.records.retention import Swept
from tests.serve.test_predictions import problem_of

MOST_SECONDS = 20.0


class Endless:
    """Work that goes on until it is told to stop."""

    def __init__(self, given=None, error=None):
        self.given, self.error = given, error
        self.has_begun = self.was_stopped = False

    def __call__(self, *_, is_stopped, **__):
        self.has_begun = True
        until = time.monotonic() + MOST_SECONDS
        while not is_stopped() and time.monotonic() < until:
            time.sleep(0.01)
        self.was_stopped = is_stopped()
        if self.error:
            raise self.error
        return self.given

    def wait(self):
        until = time.monotonic() + MOST_SECONDS
        while not self.has_begun:
            assert time.monotonic() < until
            time.sleep(0.01)


@pytest.mark.parametrize(("name", "given"), [("purge", 0), ("sweep", Swept(0, 0, 0))])
def test_a_purge_and_the_janitor_are_told_that_the_server_stops(client_with, monkeypatch, name, given):
    work = Endless(given)
    monkeypatch.setattr(f"dermalens.records.retention.{name}", work)
    client = client_with(retention_days=1)
    work.wait()
    client.app.state.running.pool.is_draining = True  # as the signal does, before the last requests are answered
    until = time.monotonic() + MOST_SECONDS
    while not work.was_stopped:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_zip_is_finished_while_the_server_drains_and_given_up_when_it_ends(client_with, monkeypatch):
    work = Endless(error=Stopped("The ZIP is not complete."))
    monkeypatch.setattr("dermalens.serve.pages.history.export_zip", work)
    client = client_with()
    running = client.app.state.running
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(client.get, "/export.zip")
        work.wait()
        running.pool.is_draining = True
        time.sleep(0.1)
        assert not work.was_stopped
        running.ended.set()
        assert problem_of(asked.result()) == (503, "draining")


def test_the_end_of_a_server_is_told_to_threads_until_it_is_started_anew(client_with):
    client = client_with()
    ended = client.app.state.running.ended
    assert not ended.is_set()
    client.__exit__(None, None, None)
    assert ended.is_set()
    client.__enter__()
    assert not ended.is_set()
