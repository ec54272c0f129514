"""The local engine: processes with one session each; a worker that is killed costs nothing but its time.

`concurrent.futures.ProcessPoolExecutor` is not used: when one of its processes dies, it gives up all that is in flight
and does not say which image was at fault.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from itertools import chain, islice
from multiprocessing.connection import wait
from typing import Final

from dermalens.batch.keys import chunked, tapered
from dermalens.batch.scorer import Rows, failed_rows, joined
from dermalens.batch.worker import Work, Worker, blamed, key_array, start_worker

CHUNK: Final = 8
"""Images that a worker is handed at once, fewer at the end: few, as a killed worker does them again. Not tuned: 4 and
16 could not be told apart on a busy machine."""

HANDED: Final = 2
"""Chunks that a worker holds: one under way, and the next, so that it never waits for this process."""

SMALL: Final = 4096
"""Bytes of keys that the pipe to a worker takes also while nobody reads them: that of macOS has 8 KiB, others have 64
and more. A worker that sends its rows reads nothing, so this process must not wait for it with more than that."""

WINDOW: Final = 4
"""Chunks a worker that may be under way or done and not yet fetched; results come in order, and one may be slow."""


def score_locally(lists: Iterator[list[str]], work: Work, *, workers: int) -> Generator[Rows, None, None]:
    """Rows of the keys of all lists, in order and lazily; without workers in this process.

    Raises:
        BatchError: the bundle cannot be loaded by the workers.
    """
    keys = chain.from_iterable(lists)
    if not workers:
        scorer = work.scorer(work.bundle, work.options)
        yield from (scorer({"path": key_array(chunk)}) for chunk in chunked(keys, CHUNK))
        return
    first = list(islice(keys, workers * CHUNK))
    pool = Pool(work, tapered(chain(first, keys), CHUNK, workers))
    try:
        pool.start(-(-len(first) // CHUNK))  # none for less than a chunk
        yield from pool.results()
    finally:
        pool.end()


class Pool:
    """The workers with what they have and have not done; it owns the processes."""

    def __init__(self, work: Work, chunks: Iterator[list[str]]) -> None:
        self._work = work
        self._chunks = enumerate(chunks)
        self._returned: deque[tuple[int, list[str]]] = deque()  # by workers that died; or too long for a busy one
        self._done: dict[int, Rows] = {}
        self._fetched = 0
        self._workers: list[Worker] = []

    def start(self, workers: int) -> None:
        """Start the processes."""
        self._workers += [start_worker(self._work, forked=True) for _ in range(workers)]

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
                if len(worker.held) < HANDED and (chunk := self._next_chunk(worker)):
                    worker.hand(*chunk)

    def _next_chunk(self, worker: Worker) -> tuple[int, list[str]] | None:
        """None also where a worker that is busy can take no chunk of that size."""
        under_way = sum(len(one.held) for one in self._workers) + len(self._done)
        if not self._returned and under_way < WINDOW * len(self._workers):
            self._returned.extend(islice(self._chunks, 1))
        if not self._returned or (worker.held and len(pickle.dumps(self._returned[0][1])) > SMALL):
            return None
        return self._returned.popleft()

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
        worker.buried()
        self._workers[self._workers.index(worker)] = start_worker(self._work, forked=True)
        (number, keys), *rest = worker.held
        self._returned.extend(rest)
        self._done[number] = joined(list(score_alone(keys, self._work, forked=True)))


def score_alone(keys: Sequence[str], work: Work, *, forked: bool = False) -> Iterator[Rows]:
    """The row of each image, one at a time in a process for these alone; an image that kills it gets an error.

    After a death the next image has a fresh process.

    Raises:
        BatchError: that process cannot load the bundle.
    """
    worker = None
    try:
        for key in keys:
            worker = worker or start_worker(work, forked=forked)
            try:
                yield worker.answer([key])
            except EOFError:
                code = worker.buried()
                worker = None
                yield failed_rows([key], work.classes, work.bundle_sha256, blamed(code))
    finally:
        if worker:
            worker.end()
