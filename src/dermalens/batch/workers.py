"""The local engine: processes with one session each; a worker that is killed costs nothing but its time.

`concurrent.futures.ProcessPoolExecutor` is not used: when one of its processes dies, it gives up all that is in flight
and does not say which image was at fault.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Final

import numpy as np

from dermalens.batch.errors import BatchError
from dermalens.batch.keys import chunked
from dermalens.batch.scorer import Options, Rows, Scorer, failed_rows
from dermalens.core.errors import DermaLensError

CHUNK: Final = 8
"""Images that a worker is handed at once: few, as at the end the others wait for the last chunk, and as a killed worker
does them again. Not tuned: 4 and 16 could not be told apart on a busy machine."""

HANDED: Final = 2
"""Chunks that a worker holds: one under way, and the next, so that it never waits for this process."""

WINDOW: Final = 4
"""Chunks a worker that may be under way or done and not yet fetched; results come in order, and one may be slow."""

THREAD_LIMITS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Work:
    """What every worker loads."""

    bundle: str | None
    options: Options
    classes: tuple[str, ...]
    bundle_sha256: str
    scorer: type[Scorer] = Scorer
    """Tests pass one that dies."""


@dataclass(slots=True)
class Worker:
    """A process and the chunks that it holds."""

    process: BaseProcess
    connection: Connection
    is_ready: bool = False
    held: deque[tuple[int, list[str]]] = field(default_factory=deque)
    """Each with its number; the first is the one under way."""

    def hand(self, number: int, keys: list[str]) -> None:
        """Give it a chunk; one that has died is found when its answer is waited for."""
        self.held.append((number, keys))
        try:
            self.connection.send(keys)
        except OSError:
            return

    def receive(self) -> Rows | None:
        """The rows of the first chunk that it holds; None where it says that it is ready.

        Raises:
            BatchError: it cannot load the bundle.
            EOFError: it has died.
        """
        try:
            kind, content = self.connection.recv()
        except OSError as error:
            raise EOFError from error
        if kind == "failed":
            raise BatchError(content)
        if kind == "ready":
            self.is_ready = True
            return None
        rows: Rows = content
        return rows

    def end(self) -> int | None:
        """Kill it; the exit code."""
        self.connection.close()
        self.process.kill()
        self.process.join()
        return self.process.exitcode


def score_locally(keys: Iterator[str], work: Work, *, workers: int) -> Generator[Rows, None, None]:
    """Rows of the keys, in order and lazily; without workers in this process.

    Raises:
        BatchError: the bundle cannot be loaded by the workers.
    """
    chunks = chunked(keys, CHUNK)
    if not workers:
        scorer = work.scorer(work.bundle, work.options)
        yield from (scorer({"path": _array(chunk)}) for chunk in chunks)
        return
    with _one_thread_each():
        pool = Pool(work, chunks)
        try:
            pool.start(workers)
            yield from pool.results()
        finally:
            pool.end()


class Pool:
    """The workers with what they have and have not done; it owns the processes."""

    def __init__(self, work: Work, chunks: Iterator[list[str]]) -> None:
        self._work = work
        self._chunks = enumerate(chunks)
        self._returned: deque[tuple[int, list[str]]] = deque()
        self._done: dict[int, Rows] = {}
        self._fetched = 0
        self._workers: list[Worker] = []

    def start(self, workers: int) -> None:
        """Start the processes."""
        self._workers += [_start(self._work) for _ in range(workers)]

    def end(self) -> None:
        """Kill what still runs."""
        for worker in self._workers:
            worker.end()

    def results(self) -> Iterator[Rows]:
        """The rows of each chunk, in order."""
        while True:
            self._hand_out()
            if not any(worker.held for worker in self._workers) and self._fetched not in self._done:
                return
            while self._fetched in self._done:
                self._fetched += 1
                yield self._done.pop(self._fetched - 1)
            busy = {worker.connection: worker for worker in self._workers if worker.held}
            for connection in wait(list(busy), timeout=None) if busy else []:
                self._receive(busy[connection])  # type: ignore[index]  # these are the connections of `busy`

    def _hand_out(self) -> None:
        for _ in range(HANDED):
            for worker in self._workers:
                if len(worker.held) < HANDED and (chunk := self._next_chunk()):
                    worker.hand(*chunk)

    def _next_chunk(self) -> tuple[int, list[str]] | None:
        if self._returned:
            return self._returned.popleft()
        under_way = sum(len(worker.held) for worker in self._workers) + len(self._done)
        return next(self._chunks, None) if under_way < WINDOW * len(self._workers) else None

    def _receive(self, worker: Worker) -> None:
        try:
            rows = worker.receive()
        except EOFError:
            self._replace(worker)
            return
        if rows is not None:
            number, _ = worker.held.popleft()
            self._done[number] = rows

    def _replace(self, worker: Worker) -> None:
        """Another worker for one that died; the images that it was at are scored alone."""
        code = worker.end()
        if not worker.is_ready:
            raise _not_loaded(code)
        self._workers[self._workers.index(worker)] = _start(self._work)
        (number, keys), *rest = worker.held
        self._returned.extend(rest)
        alone = list(score_alone(keys, self._work))
        self._done[number] = {name: np.concatenate([rows[name] for rows in alone]) for name in alone[0]}


def score_alone(keys: Sequence[str], work: Work) -> Iterator[Rows]:
    """The row of each image, one at a time in a process for these alone; an image that kills it gets an error.

    After a death the next image has a fresh process.

    Raises:
        BatchError: that process cannot load the bundle.
    """
    worker = None
    try:
        for key in keys:
            worker = worker or _start(work)
            worker.hand(0, [key])
            try:
                while (rows := worker.receive()) is None:
                    pass
                yield rows
            except EOFError as death:
                code = worker.end()
                if not worker.is_ready:
                    raise _not_loaded(code) from death
                error = (
                    f"The worker process {_ended(code)} at this image, twice; it may need more memory than "
                    "there is. Save it smaller, or score it on a larger machine."
                )
                worker = None
                yield failed_rows([key], work.classes, work.bundle_sha256, error)
    finally:
        if worker:
            worker.end()


def _start(work: Work) -> Worker:
    """A fresh process, spawned; Ctrl-C is for the process that owns it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work), name="dermalens-batch", daemon=True)
    with _interrupts_held_back():
        process.start()
    theirs.close()
    return Worker(process, ours)


def _serve(connection: Connection, work: Work) -> None:
    """The life of a worker. It ends when the other side is closed, also by the death of the owner."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        scorer = work.scorer(work.bundle, work.options)
        connection.send(("ready", None))
        while True:
            connection.send(("rows", scorer({"path": _array(connection.recv())})))
    except DermaLensError as error:
        connection.send(("failed", str(error)))
    except (EOFError, ConnectionError):
        return


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """A process that starts meanwhile inherits the block, or Ctrl-C would have it complain in twenty lines."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # it would lift the block when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes that start meanwhile use one thread for linear algebra, as each has one core."""
    before = {name: os.environ.get(name) for name in THREAD_LIMITS}
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _not_loaded(code: int | None) -> BatchError:
    return BatchError(
        f"A worker process {_ended(code)} while it loaded the bundle; is there too little memory? Use fewer: "
        "--workers 1"
    )


def _ended(code: int | None) -> str:
    return f"was killed (signal {-code})" if code is not None and code < 0 else f"ended (exit code {code})"


def _array(keys: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    return np.array(keys, dtype=object)
