"""Work off the event loop: a bounded queue and one thread with its own classifier for each core.

A thread runs its classifier's graphs on one core; batching brings nothing on a CPU (measured). What nobody waits for
any more is dropped before it starts, and what is past its deadline is not begun.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

from dermalens.predict.classifier import Classifier
from dermalens.serve.problems import Refusal

T = TypeVar("T")

RETRY_BUSY_SECONDS: Final = 1
"""A full queue of 64 images at 30 ms on two cores is worked off in about a second."""
RETRY_DRAINING_SECONDS: Final = 5
"""What another process, or a new one, takes to answer."""


class QueueFull(Refusal):
    """As many images wait as the queue holds."""

    def __init__(self, size: int) -> None:
        super().__init__("busy", f"{size} images wait already. Try again in a moment.", RETRY_BUSY_SECONDS)


class Draining(Refusal):
    """The server is shutting down."""

    def __init__(self) -> None:
        detail = "The server finishes what it has accepted and takes nothing new. Try again in a moment."
        super().__init__("draining", detail, RETRY_DRAINING_SECONDS)


class DeadlinePassed(Refusal):
    """The work did not get its turn, or was not done, in time."""

    def __init__(self) -> None:
        super().__init__("deadline", "The answer was not ready in time. Try again later.", RETRY_BUSY_SECONDS)


@dataclass(frozen=True, slots=True)
class Work(Generic[T]):
    """Something to do with a classifier."""

    do: Callable[[Classifier], T]
    deadline: float
    """On the clock of `time.monotonic`; it is checked before the work begins."""
    is_background: bool = False
    """Done only when nothing else waits, and not counted as waiting."""


@dataclass(frozen=True, slots=True)
class _Item:
    work: Work[Any]
    future: Future[Any]
    since: float = field(default_factory=time.monotonic)


class Pool:
    """The threads and what waits for them; the threads start with the first work."""

    def __init__(
        self, classifiers: Sequence[Classifier], *, queue_size: int, on_wait: Callable[[float], None] = lambda _: None
    ) -> None:
        self._classifiers = tuple(classifiers)
        self._queue_size = queue_size
        self._on_wait = on_wait
        self._direct: deque[_Item] = deque()
        self._background: deque[_Item] = deque()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._places = 0
        self._is_closed = False
        self.is_draining = False
        """Set when the server begins to stop: then `place` gives out no more."""

    @property
    def depth(self) -> int:
        """How many images wait."""
        return len(self._direct)

    @property
    def in_flight(self) -> int:
        """How many hold a place."""
        return self._places

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for a request, taken before its body is read, so that no more bodies are held than can be answered.

        Raises:
            QueueFull: all places are taken.
            Draining: the server is shutting down.
        """
        if self.is_draining:
            raise Draining
        if self._places >= self._queue_size + len(self._classifiers):
            raise QueueFull(self._queue_size)
        self._places += 1  # on the event loop only
        try:
            yield
        finally:
            self._places -= 1

    async def run(self, work: Work[T]) -> T:
        """Wait for the work to be done; whoever stops waiting (is cancelled) takes it out of the queue.

        Raises:
            QueueFull, Draining, DeadlinePassed: it was not done.
            Whatever the work raises.
        """
        waiting = asyncio.wrap_future(self.submit(work))
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(loop.time() + work.deadline - time.monotonic()) as limit:
                return await waiting
        except TimeoutError:
            if limit.expired():
                raise DeadlinePassed from None
            raise

    def submit(self, work: Work[T]) -> Future[T]:
        """Queue the work; cancelling the future drops it if it has not begun.

        Raises:
            QueueFull, Draining: it is not taken.
        """
        item = _Item(work, Future())
        with self._changed:
            if self._is_closed:
                raise Draining
            if not work.is_background and len(self._direct) - self._idle() >= self._queue_size:
                self._forget_cancelled()
                if len(self._direct) - self._idle() >= self._queue_size:
                    raise QueueFull(self._queue_size)
            (self._background if work.is_background else self._direct).append(item)
            self._start()
            self._changed.notify()
        return item.future

    def open(self) -> None:
        """Take work again after `close`, for an application that is started anew."""
        with self._changed:
            if self._is_closed:
                self._is_closed = self.is_draining = False
                self._threads = []

    def close(self, *, seconds: float) -> bool:
        """Take nothing new, finish what is queued, but no background work; whether it was finished in time."""
        end = time.monotonic() + seconds
        with self._changed:
            self.is_draining = self._is_closed = True
            for item in self._background:
                item.future.cancel()
            self._background.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _idle(self) -> int:
        return len(self._classifiers) - self._busy

    def _forget_cancelled(self) -> None:
        kept = [item for item in self._direct if not item.future.cancelled()]
        self._direct.clear()
        self._direct.extend(kept)

    def _start(self) -> None:
        if self._threads:
            return
        self._threads = [
            threading.Thread(target=self._work, args=(classifier,), name=f"classifier-{number}", daemon=True)
            for number, classifier in enumerate(self._classifiers)
        ]
        for thread in self._threads:
            thread.start()

    def _work(self, classifier: Classifier) -> None:
        while (item := self._take()) is not None:
            self._do(item, classifier)
            del item  # or the image stays in memory until the next one comes
            with self._changed:
                self._busy -= 1

    def _take(self) -> _Item | None:
        """The next item, direct ones first; None when the pool is closed and nothing is left."""
        with self._changed:
            while not (self._direct or self._background):
                if self._is_closed:
                    return None
                self._changed.wait()
            self._busy += 1
            return (self._direct or self._background).popleft()

    def _do(self, item: _Item, classifier: Classifier) -> None:
        if not item.future.set_running_or_notify_cancel():
            return
        now = time.monotonic()
        if not item.work.is_background:
            self._on_wait(now - item.since)
        with _HandedOver(item.future):
            if now >= item.work.deadline:
                raise DeadlinePassed
            item.future.set_result(item.work.do(classifier))


class _HandedOver:
    """What the block raises is raised where the future is awaited, as an executor of the standard library does."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if error is not None:
            self._future.set_exception(error)
        return True
