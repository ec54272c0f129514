"""The server is killed at random moments while clients keep, comment, delete and send batches; then all is looked up.

    make bench ARGS=faults            (about 5 minutes)

It is the real server, on SQLite and on PostgreSQL (DERMALENS_TEST_POSTGRESQL, in a schema of its own that is dropped at
the end), with a tiny bundle, so that most of the time goes into the records. What a client was told must be there after
each kill; what nobody was told may be there or not, but whole.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from uuid import uuid4

from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.exc import OperationalError

from benchmarks.faults_check import broken, lost, settle, swept, unfinished, unreadable
from benchmarks.faults_client import PATH, Noted, at_work
from benchmarks.ports import free_port
from benchmarks.timing import machine
from dermalens.records.store import Records, opened
from tests.tiny_bundle import write_equipped_bundle

ROOT = Path(__file__).resolve().parents[1]
POSTGRESQL = os.environ.get("DERMALENS_TEST_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432/test")
DATABASES = ("sqlite", "postgresql")
KILLS = 50
CLIENTS = 4
LATEST_KILL_SECONDS = 1.5
"""Counted from the moment when the server listens: the janitor of its start is struck too."""
SECONDS_TO_START = 60
SECONDS_FOR_JOBS = 60
SEED = 20261121


@dataclass
class Series:
    """What came of the kills on one database so far."""

    noted: Noted = field(default_factory=Noted)
    wrong: list[str] = field(default_factory=list)
    """What was lost, came back, is damaged or was not finished."""
    litter_before: int = 0
    litter_after: int = 0
    kills_with_litter: int = 0


@dataclass(frozen=True)
class Place:
    """Where a series of servers runs."""

    url: str
    folder: Path
    bundle: Path
    port: int


def measure(*, kills: int = KILLS, databases: Sequence[str] = DATABASES) -> dict[str, object]:
    """The databases at the same time, each with `kills` kills."""
    with ThreadPoolExecutor(len(databases)) as threads:
        found = threads.map(lambda kind: _on(kind, kills), databases)
        results = dict(zip(databases, found, strict=True))
    return {
        "machine": machine(),
        "what": f"SIGKILL of the serving process within {LATEST_KILL_SECONDS} s, {CLIENTS} clients, tiny bundle",
        "databases": results,
    }


def _on(kind: str, kills: int) -> dict[str, object]:
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, _database(kind, Path(folder)) as url:
        bundle = Path(folder) / "bundle"
        write_equipped_bundle(bundle)
        series = killed_again_and_again(Place(url, Path(folder) / "data", bundle, free_port()), kills)
    noted = series.noted
    return {
        "kills": kills,
        "requests_cut_off": len(noted.cut_off),
        "predictions_answered": len(noted.answered),
        "acknowledged": {
            "cases": len(noted.cases),
            "feedback": len(noted.feedback),
            "deletions": len(noted.deleted),
            "batches": len(noted.jobs),
        },
        "lost": len(series.wrong),
        "lost_are": series.wrong[:5],
        "refused_as_busy": len(noted.busy),
        "refused": len(noted.refused),
        "refused_with": noted.refused[:5],
        "files_of_no_row_before_the_janitor": series.litter_before,
        "kills_that_left_such_files": series.kills_with_litter,
        "files_of_no_row_after_the_janitor": series.litter_after,
        "seconds": round(time.perf_counter() - began, 1),
    }


def killed_again_and_again(place: Place, kills: int) -> Series:
    """Start, work, kill, look; at the end a server that is left alone finishes the batches."""
    chance, series = random.Random(SEED), Series()
    for number in range(kills):
        with served(place) as process:
            threads = at_work(place.port, series.noted, SEED + number, clients=CLIENTS)
            time.sleep(chance.uniform(0, LATEST_KILL_SECONDS))
            process.kill()
            process.wait()
            for thread in threads:
                thread.join()
        with opened(place.url, place.folder) as records:
            _look(records, series)
    with served(place) as process:
        _finish_batches(place.port, series.noted)
        process.terminate()
        process.wait()
    with opened(place.url, place.folder) as records:
        _look(records, series)
        series.wrong += unreadable(records) + unfinished(records)
    return series


def _look(records: Records, series: Series) -> None:
    settle(records)
    series.wrong += broken(records) + lost(records, series.noted)
    litter = swept(records)
    series.litter_before += litter.before
    series.litter_after += litter.after
    series.kills_with_litter += litter.before > 0


def _finish_batches(port: int, noted: Noted) -> None:
    """Wait, at most a minute, until all are done; a client asks for each, and for a case that was kept."""
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS_TO_START)
    until = time.monotonic() + SECONDS_FOR_JOBS
    for path in [f"/v1/jobs/{job_id}" for job_id in noted.jobs]:
        while time.monotonic() < until and b'"state":"done"' not in _get(connection, path)[1].partition(b'"items"')[0]:
            time.sleep(0.05)
    for case_id in sorted(noted.cases - noted.asked_to_delete)[:1]:
        status, content = _get(connection, f"{PATH}/{case_id}")
        if status != 200:
            noted.refused.append(f"GET of a kept case: {status} {content[:200]!r}")
    connection.close()


def _get(connection: HTTPConnection, path: str) -> tuple[int, bytes]:
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()


@contextmanager
def served(place: Place) -> Iterator[subprocess.Popen[str]]:
    """`dermalens serve` from the moment when it listens; killed at the end if it still runs."""
    command = [
        sys.executable, "-m", "dermalens", "serve", "--port", str(place.port), "--bundle", str(place.bundle),
        "--data-folder", str(place.folder), "--database-url", place.url,
    ]  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DERMALENS_")}
    log = place.folder.with_name("log.txt")
    with log.open("w+") as said, subprocess.Popen(command, cwd=ROOT, env=kept, stderr=said, text=True) as process:
        try:
            _wait(lambda: "answers at" in log.read_text() or process.poll() is not None)
            if process.poll() is not None:
                raise SystemExit(f"The server ended with {process.returncode}: {log.read_text()[-500:]}")
            yield process
        finally:
            process.kill()


def _wait(is_done: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS_TO_START
    while not is_done() and time.monotonic() < until:
        time.sleep(0.02)


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database that goes away at the end."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'data' / 'records.sqlite'}"
        return
    name = f"dermalens_faults_{uuid4().hex}"
    _on_postgresql(f"CREATE SCHEMA {name}")
    try:
        url = make_url(POSTGRESQL).update_query_dict({"options": f"-csearch_path={name}"})
        yield url.render_as_string(hide_password=False)
    finally:
        _on_postgresql(f"DROP SCHEMA {name} CASCADE")


def _on_postgresql(statement: str) -> None:
    engine = create_engine(POSTGRESQL, poolclass=NullPool, connect_args={"connect_timeout": 3})
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)
    except OperationalError as error:
        raise SystemExit(f"PostgreSQL is needed at DERMALENS_TEST_POSTGRESQL: {error.orig}") from error
