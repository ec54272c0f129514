"""How the processes of workers are started: forked from a server that has imported already what they need.

So the imports are paid for once, and not by each worker. Each is spawned elsewhere than on Linux (Windows has no such
server, and libraries of macOS may not be used in a process that was forked), in an actor of Ray, which has one
worker only, and where the server does not start.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Final

THREAD_LIMITS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
ENVIRONMENT: Final = {**dict.fromkeys(THREAD_LIMITS, "1"), "PYTHONSAFEPATH": "1"}
"""Of a process that is started: linear algebra in one thread, as each has one core, and no module is imported from the
folder that one is in, where images may lie that come from anybody."""
IMPORTED: Final = ("dermalens.batch.worker",)
"""What every worker needs."""
NO_SERVER: Final = (OSError, EOFError)
"""Of a server that cannot be: its socket lies in the temporary folder, whose path may be too long or which may be
missing; or that was killed while it imported."""


def begin_server() -> None:
    """Start the process that workers are forked from, if that can be; it imports while this process goes on.

    It keeps the environment that it is started in, and ends with this process.
    """
    if not _has_forkserver():
        return
    from multiprocessing import forkserver

    multiprocessing.set_forkserver_preload(list(IMPORTED))
    with suppress(*NO_SERVER), _environment(), _interrupts_held_back():
        forkserver.ensure_running()


def start_process(target: Callable[..., None], *arguments: object, forked: bool) -> BaseProcess:
    """A process of its own, with one thread for linear algebra; Ctrl-C is for the process that owns it."""
    if forked and _has_forkserver():
        begin_server()
        with suppress(*NO_SERVER):
            return _started(get_context("forkserver").Process, target, arguments)
    return _started(get_context("spawn").Process, target, arguments)


def _started(kind: Callable[..., BaseProcess], target: Callable[..., None], arguments: Sequence[object]) -> BaseProcess:
    process = kind(target=target, args=arguments, name="dermalens-batch", daemon=True)
    with _environment(), _interrupts_held_back():
        process.start()
    return process


def _has_forkserver() -> bool:
    return sys.platform == "linux"


@contextmanager
def _environment() -> Iterator[None]:
    """Processes that start meanwhile have `ENVIRONMENT`."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


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
