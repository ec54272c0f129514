"""What runs beside the requests: batches are worked off, old cases purged and litter swept."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from anyio import to_thread
from structlog.typing import FilteringBoundLogger

from dermalens.core.errors import DermaLensError
from dermalens.serve.answering import Answered, note, work_of
from dermalens.serve.options import order_of_job
from dermalens.serve.pool import Draining
from dermalens.serve.problems import Refusal
from dermalens.serve.running import Running

T = TypeVar("T")

FAILED: Final = "The server failed on this image. Its log tells the operator more."
"""The error of an image for a mistake that is not the image's."""

POLL_SECONDS: Final = 1.0
"""How often the batches are looked for when none was announced: another process may have taken one."""
BACK_OFF_SECONDS: Final = 5.0
"""While the database is away."""
JANITOR_SECONDS: Final = 3600.0


@asynccontextmanager
async def in_background(running: Running, logger: FilteringBoundLogger) -> AsyncIterator[None]:
    """Work off batches and keep the records tidy until the block ends; what was not finished is begun anew later."""
    if running.service.records is None:
        yield
        return
    running.batches.begin()
    waits = (POLL_SECONDS, *[None] * (len(running.service.classifiers) - 1))  # one looks, and rings for the others
    workers = [asyncio.create_task(_work_off(running, logger, seconds)) for seconds in waits]
    tasks = [*workers, asyncio.create_task(_tidy(running, logger))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _work_off(running: Running, logger: FilteringBoundLogger, poll_seconds: float | None) -> None:
    while True:
        is_done = await _told(lambda: _one_item(running, logger), logger, "batch")
        if is_done is None:
            await asyncio.sleep(BACK_OFF_SECONDS)
        elif not is_done:
            running.batches.added.clear()
            await _wait(running.batches.added, poll_seconds)


async def _one_item(running: Running, logger: FilteringBoundLogger) -> bool:
    """Answer the oldest item that nobody has taken; whether there was one."""
    from dermalens.records.jobs import finish_item, next_item

    records, taken = running.needed_records, running.batches.taken
    async with running.batches.turn:
        item = await to_thread.run_sync(lambda: next_item(records, in_hand=frozenset(taken)))
        if item is None:
            return False
        job_id, number, image, options, _ = item
        taken.add((job_id, number))
    running.batches.added.set()  # there may be more for the others
    try:
        answered = await _answered(running, logger, image, options)
        if isinstance(answered, str):
            error = answered
            await to_thread.run_sync(lambda: finish_item(records, job_id, number, error=error))
        else:
            answer = answered.prediction.as_dict()
            await to_thread.run_sync(lambda: finish_item(records, job_id, number, answer=answer))
    finally:
        taken.discard((job_id, number))
    return True


async def _answered(
    running: Running, logger: FilteringBoundLogger, image: bytes, options: dict[str, Any]
) -> Answered | str:
    """The answer, or why there is none: an image that the server fails on must not hold up all that wait behind it."""

    async def answer() -> Answered:
        work = work_of(running.service, order_of_job(image, options), deadline=math.inf, is_background=True)
        return await running.pool.run(work)

    answered = await _outcome(answer())
    if isinstance(answered, Draining):
        raise answered
    if isinstance(answered, Refusal):
        return str(answered)
    if isinstance(answered, BaseException):
        logger.error("unexpected", task="batch", exc_info=answered)
        return FAILED
    note(running, answered)
    return answered


async def _outcome(work: Coroutine[Any, Any, T]) -> T | BaseException:
    """What the work gives, or what it raises; cancellation passes on."""
    doing = asyncio.create_task(work)
    try:
        await asyncio.wait((doing,))
    finally:
        doing.cancel()
        await asyncio.wait((doing,))  # a thread of it may still be at the database
    return doing.exception() or doing.result()


async def _tidy(running: Running, logger: FilteringBoundLogger) -> None:
    from dermalens.records.retention import purge, sweep

    records, days = running.needed_records, running.service.settings.retention_days

    def is_stopped() -> bool:
        return running.pool.is_draining  # the process ends when its threads do

    async def once() -> bool:
        purged = await to_thread.run_sync(lambda: purge(records, days=days, is_stopped=is_stopped)) if days else 0
        swept = await to_thread.run_sync(lambda: sweep(records, is_stopped=is_stopped))
        logger.info("tidied", purged=purged, temporary=swept.temporary, orphans=swept.orphans, spooled=swept.spooled)
        return True

    while True:
        await _told(once, logger, "tidy")
        await asyncio.sleep(JANITOR_SECONDS)


async def _told(work: Callable[[], Coroutine[Any, Any, bool]], logger: FilteringBoundLogger, what: str) -> bool | None:
    """What the work gives; None, and a line in the log, where it failed: whoever calls goes on after a while."""
    found = await _outcome(work())
    if not isinstance(found, BaseException):
        return found
    if isinstance(found, DermaLensError):
        logger.warning("background", task=what, error=str(found))
    else:
        logger.error("unexpected", task=what, exc_info=found)
    return None


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
