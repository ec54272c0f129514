"""The server under load, on loopback: overhead, throughput, ten times capacity, memory; beside a plain Flask app.

    make bench ARGS=load            (about 5 minutes; nothing else should run)
    make bench ARGS=load_memory     (about 10 minutes)

Everything is set against the bare classifier, measured in the same seconds: its time for one image on one thread, the
decoding included, and cores divided by that time as what the machine could do at most. Where cores share their units
(hyper-threading), they cannot: so several requests at a time also stand beside the bare classifier on all cores at
once. Load and bare classifier take turns of a few seconds, as the speed of a shared machine drifts within a minute.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

import psutil

from benchmarks.bound import CORES, bound
from benchmarks.load_client import Load, closed, open_ended, recovery
from benchmarks.pictures import SMALL, jpeg
from benchmarks.ports import free_port
from benchmarks.timing import machine

ROOT = Path(__file__).resolve().parents[1]
AT_A_TIME = (1, 8, 64)
SLICES, SECONDS = 5, 5.0
"""Turns of load and bare classifier, and how long each load lasts."""
BARE = 15
"""Answers of the bare classifier before and after each turn."""
FLOOD_SECONDS = 20.0
PAIRS = 200
REQUESTS = 20_000
OVERLOAD = 10
PREDICTIONS = "/v1/predictions"


def measure() -> dict[str, object]:
    """All figures; the server that is measured is the one that `dermalens serve` starts."""
    import dermalens

    body = jpeg(*SMALL)
    bare = dermalens.load(threads=1).predict
    with tempfile.TemporaryDirectory() as folder, _started(_ours(folder), "/readyz") as (address, _):
        single = overhead(bare, address, body)
        ours = throughput(bare, address + PREDICTIONS, body)
        flooded = overload(ours["64"], address + PREDICTIONS, body)
    with _started(lambda port: [sys.executable, "-m", "benchmarks.load_flask", str(port)], None) as (address, _):
        peer = throughput(bare, address + "/", body)
    return {
        "machine": machine(),
        "what": "600x450 JPEG as raw bytes, packaged bundle, one server process, loopback, client on the same cores",
        "overhead": single,
        "throughput": ours,
        "overload": flooded,
        "flask_eager": peer,
        "times_faster_than_flask_eager": {
            at: round(_rate(ours[at]) / _rate(peer[at]), 2) for at in map(str, AT_A_TIME)
        },
    }


def measure_memory() -> dict[str, object]:
    """Resident memory of the server along many requests."""
    body = jpeg(*SMALL)
    with tempfile.TemporaryDirectory() as folder, _started(_ours(folder), "/readyz") as (address, process):
        return {"machine": machine(), **flat_memory(process, address + PREDICTIONS, body)}


def overhead(bare: Callable[[bytes], object], address: str, body: bytes) -> dict[str, float]:
    """The bare classifier and a request by turns, so that a machine that slows down slows both."""
    host = address.removeprefix("http://")
    connection = HTTPConnection(host)
    alone, served = [], []
    for number in range(PAIRS + 10):
        begun = time.perf_counter()
        bare(body)
        between = time.perf_counter()
        connection.request("POST", PREDICTIONS, body, {"Content-Type": "image/jpeg"})
        answer = connection.getresponse()
        answer.read()
        if number >= 10 and answer.status == 200:
            alone.append((between - begun) * 1000)
            served.append((time.perf_counter() - between) * 1000)
    connection.close()
    return {
        "requests": len(served),
        "bare_median_ms": round(median(alone), 2),
        "request_median_ms": round(median(served), 2),
        "overhead_median_ms": round(median(served) - median(alone), 2),
    }


def throughput(bare: Callable[[bytes], object], url: str, body: bytes) -> dict[str, dict[str, object]]:
    """Answers a second at each concurrency, as a share of what the cores could do at most."""
    return {str(at_a_time): _in_turns(bare, url, body, at_a_time) for at_a_time in AT_A_TIME}


def _in_turns(bare: Callable[[bytes], object], url: str, body: bytes, at_a_time: int) -> dict[str, object]:
    whole, shares, bounds, together = Load(), [], [], []
    before = _bare_seconds(bare, body)
    for _ in range(SLICES):
        load = asyncio.run(closed(url, body, at_a_time=at_a_time, seconds=SECONDS))
        after = _bare_seconds(bare, body)
        rate = load.statuses["200"] / load.seconds
        bounds.append(min(at_a_time, CORES) / ((before + after) / 2))
        shares.append(rate / bounds[-1])
        if at_a_time > 1:
            together.append(rate / bound([body], BARE)["images_per_second"])
        whole.add(load)
        before = after
    return {
        **whole.as_dict(),
        "bound_per_second": round(median(bounds), 2),
        "share_of_bound": round(median(shares), 3),
        "share_of_bound_of_each_turn": [round(share, 3) for share in shares],
        "share_of_bare_on_all_cores": round(median(together or shares), 3),
    }


def overload(normal: dict[str, object], url: str, body: bytes) -> dict[str, object]:
    """Ten times what it can do: what it still answers, how it refuses, and how soon it is itself again."""
    capacity = _rate(normal)
    alone = asyncio.run(closed(url, body, at_a_time=1, count=20))
    load: Load = asyncio.run(open_ended(url, body, a_second=OVERLOAD * capacity, seconds=FLOOD_SECONDS))
    back = asyncio.run(recovery(url, body, below_ms=2 * median(alone.milliseconds)))
    return {
        "requests_per_second": round(OVERLOAD * capacity, 1),
        **load.as_dict(),
        "answers_as_share_of_normal": round(load.statuses["200"] / load.seconds / capacity, 3),
        "recovered_after_seconds": back,
    }


def flat_memory(process: subprocess.Popen[bytes], url: str, body: bytes) -> dict[str, object]:
    """Resident memory of the server, with its children, along many requests."""
    server = psutil.Process(process.pid)
    steps, megabytes = 10, []
    for _ in range(steps):
        asyncio.run(closed(url, body, at_a_time=8, count=REQUESTS // steps))
        all_of_it = [server, *server.children(recursive=True)]
        megabytes.append(round(sum(one.memory_info().rss for one in all_of_it) / 1e6, 1))
    return {"requests": REQUESTS, "resident_mb_after_each_tenth": megabytes, "growth_mb": megabytes[-1] - megabytes[0]}


def _ours(folder: str) -> Callable[[int], list[str]]:
    return lambda port: [sys.executable, "-m", "dermalens", "serve", "--port", str(port), "--data-folder", folder]


@contextmanager
def _started(command: Callable[[int], list[str]], ready: str | None) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server of this machine on a free port; it ends with the block."""
    port = free_port()
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command(port), cwd=ROOT, stdout=nowhere, stderr=nowhere) as process:
        try:
            _wait_for(port, ready, process)
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.terminate()


def _wait_for(port: int, path: str | None, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"The server ended with {process.returncode} before it listened.")
        try:
            if path:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).close()
            else:
                socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The server did not listen within a minute.")


def _bare_seconds(bare: Callable[[bytes], object], body: bytes) -> float:
    times = []
    for _ in range(BARE):
        start = time.perf_counter()
        bare(body)
        times.append(time.perf_counter() - start)
    return median(times)


def _rate(figures: dict[str, object]) -> float:
    rate = figures["answers_per_second"]
    assert isinstance(rate, float)
    return rate
