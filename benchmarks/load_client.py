"""Requests against one address of this machine: so many at a time, or so many a second whatever comes back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from statistics import quantiles

import aiohttp


@dataclass(slots=True)
class Load:
    """What came back. It grows while the requests run."""

    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    """Of the answers with status 200."""
    statuses: Counter[str] = field(default_factory=Counter)

    def add(self, other: Load) -> None:
        """Take another load's figures in."""
        self.seconds += other.seconds
        self.milliseconds += other.milliseconds
        self.statuses += other.statuses

    def as_dict(self) -> dict[str, object]:
        """Answers a second, latency of the answers, and how many of each status."""
        good = self.statuses["200"]
        cuts = quantiles(self.milliseconds, n=100) if good > 1 else [float("nan")] * 99
        return {
            "seconds": round(self.seconds, 1),
            "answers_per_second": round(good / self.seconds, 2),
            "median_ms": round(cuts[49], 1),
            "p95_ms": round(cuts[94], 1),
            "p99_ms": round(cuts[98], 1),
            "statuses": dict(sorted(self.statuses.items())),
        }


async def closed(url: str, body: bytes, *, at_a_time: int, seconds: float = 0, count: int = 0) -> Load:
    """`at_a_time` clients, each of which asks again when it has its answer, for some seconds or until `count`."""
    load, start = Load(), time.perf_counter()
    left = iter(range(count)) if count else None

    async def client(session: aiohttp.ClientSession) -> None:
        while next(left, None) is not None if left else time.perf_counter() - start < seconds:
            await _ask(session, url, body, load)

    async with _session(at_a_time) as session:
        await asyncio.gather(*(client(session) for _ in range(at_a_time)))
    load.seconds = time.perf_counter() - start
    return load


async def open_ended(url: str, body: bytes, *, a_second: float, seconds: float) -> Load:
    """So many new requests a second, evenly spaced, whether or not earlier ones have come back."""
    load, start, tasks = Load(), time.perf_counter(), set[asyncio.Task[None]]()
    async with _session(0) as session:
        for number in range(int(a_second * seconds)):
            await asyncio.sleep(max(0.0, start + number / a_second - time.perf_counter()))
            task = asyncio.create_task(_ask(session, url, body, load))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
    load.seconds = time.perf_counter() - start
    return load


async def recovery(url: str, body: bytes, *, below_ms: float) -> float:
    """Seconds until a request is answered as quickly as `below_ms`; infinity when none is within a minute."""
    start = time.perf_counter()
    async with _session(1) as session:
        while (waited := time.perf_counter() - start) < 60:
            once = Load()
            await _ask(session, url, body, once)
            if once.milliseconds and once.milliseconds[0] < below_ms:
                return round(waited, 2)
    return float("inf")


def _session(connections: int) -> aiohttp.ClientSession:
    limit = aiohttp.ClientTimeout(total=120)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections), timeout=limit)


async def _ask(session: aiohttp.ClientSession, url: str, body: bytes, load: Load) -> None:
    start = time.perf_counter()
    try:
        async with session.post(url, data=body, headers={"Content-Type": "image/jpeg"}) as answer:
            await answer.read()
    except aiohttp.ClientError as error:
        load.statuses[type(error).__name__] += 1
        return
    load.statuses[str(answer.status)] += 1
    if answer.status == 200:
        load.milliseconds.append((time.perf_counter() - start) * 1000)
