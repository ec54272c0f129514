"""A worker of the local engine: a process that loads the bundle, and answers chunks of keys with their rows."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final

import numpy as np

from dermalens.batch.errors import BatchError
from dermalens.batch.processes import start_process
from dermalens.batch.scorer import Options, Rows, Scorer
from dermalens.core.errors import DermaLensError

LAST_WORDS_SECONDS: Final = 5.0
"""For a worker whose connection is closed to end by itself, and so to say by its exit code that nobody killed it."""


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

    def answer(self, keys: list[str]) -> Rows:
        """The rows of a chunk, waited for; it holds no other.

        Raises:
            BatchError: it cannot load the bundle.
            EOFError: it has died.
        """
        self.hand(0, keys)
        while (rows := self.receive()) is None:
            pass
        self.held.clear()
        return rows

    def buried(self) -> int | None:
        """The exit code of one that has died.

        Raises:
            BatchError: it died while it loaded the bundle.
        """
        self.process.join(LAST_WORDS_SECONDS)
        code = self.end()
        if not self.is_ready:
            raise not_loaded(code)
        return code

    def end(self) -> int | None:
        """Kill it; the exit code."""
        self.connection.close()
        self.process.kill()
        self.process.join()
        return self.process.exitcode


def start_worker(work: Work, *, forked: bool = False) -> Worker:
    """A fresh process, which loads the bundle and waits for chunks; `forked` from a server where that can be."""
    ours, theirs = multiprocessing.Pipe()
    process = start_process(_serve, theirs, work, forked=forked)
    theirs.close()
    return Worker(process, ours)


def _serve(connection: Connection, work: Work) -> None:
    """The life of a worker. It ends when the other side is closed, also by the death of the owner."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        scorer = work.scorer(work.bundle, work.options)
        connection.send(("ready", None))
        while True:
            connection.send(("rows", scorer({"path": key_array(connection.recv())})))
    except DermaLensError as error:
        connection.send(("failed", str(error)))
    except (EOFError, ConnectionError):
        return


def not_loaded(code: int | None) -> BatchError:
    """The error for a worker that ended with this exit code before it was ready."""
    advice = "; is there too little memory? Use fewer: --workers 1" if _was_killed(code) else ". What it said is above."
    return BatchError(f"A worker process {_ended(code)} while it loaded the bundle{advice}")


def blamed(code: int | None) -> str:
    """The error of an image at which two workers ended."""
    advice = (
        "; it may need more memory than there is. Save it smaller, or score it on a larger machine."
        if _was_killed(code)
        else ". To see what it says, score the image alone: dermalens predict"
    )
    return f"The worker process {_ended(code)} at this image, twice{advice}"


def _ended(code: int | None) -> str:
    return f"was killed (signal {-code})" if code is not None and _was_killed(code) else f"ended (exit code {code})"


def _was_killed(code: int | None) -> bool:
    return code is not None and code < 0


def key_array(keys: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """The column of a scorer's batch."""
    return np.array(keys, dtype=object)
