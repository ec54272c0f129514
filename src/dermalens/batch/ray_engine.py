"""The Ray engine: the local engine's worker processes under an actor pool of Ray Data, here or on a cluster.

The shards and the resuming stay ours: Ray is handed keys and gives back rows in the same order.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from numpy.typing import NDArray

from dermalens.batch.errors import BatchError
from dermalens.batch.gpu import TOGETHER
from dermalens.batch.keys import chunked
from dermalens.batch.processes import THREAD_LIMITS
from dermalens.batch.scorer import Rows, joined
from dermalens.batch.worker import Work, Worker, start_worker
from dermalens.batch.workers import score_alone
from dermalens.core.errors import MissingExtraError

GROUP: Final = 200_000
"""Keys that Ray is handed at once, some 20 MB; the start of the actors, some seconds, counts little against them."""

CPU_CHUNK: Final = 16
"""Images that the process of an actor is handed at once; on a GPU it is a whole task, for reading goes on while that
runs."""

LARGEST_TASK: Final = 512
"""Keys of one task of Ray."""

MEMORY_MONITOR: Final = "RAY_memory_monitor_refresh_ms"
"""The variable by which Ray, when it starts, knows how often to look at the memory; never, where it is 0."""


def score_with_ray(
    lists: Iterator[list[str]], work: Work, *, workers: int, gpus: int = 0
) -> Generator[Rows, None, None]:
    """Rows of the keys of all lists, in order; `RAY_ADDRESS` names a cluster, otherwise Ray runs on this machine.

    Raises:
        MissingExtraError: Ray is not installed.
        BatchError: Ray cannot be reached, or gives up.
    """
    try:
        import ray
        from ray.exceptions import RayError
    except ModuleNotFoundError as error:
        raise MissingExtraError("--engine ray", "ray") from error
    with _running(workers):
        for tasks in _grouped(_tasks(lists, size=TOGETHER if gpus else CPU_CHUNK, workers=gpus or workers)):
            try:
                yield from _scored(tasks, work, workers=workers, gpus=gpus)
            except RayError as error:
                raise BatchError(f"Ray gave up: {_last_line(error)} Finished shards stay; {_advice(gpus)}") from error
            except ray.data.exceptions.RayDataUserCodeException as error:
                raise BatchError(f"Ray gave up: {_last_line(error.__cause__ or error)}") from error


class Actor:
    """What Ray runs: it has a process of its own score, and scores anew alone what that process died of.

    An actor that itself died of an image would tell nobody of which.
    """

    def __init__(self, work: Work, chunk: int) -> None:
        self._work = work
        self._chunk = chunk
        self._worker: Worker | None = None

    def __call__(self, batch: Mapping[str, NDArray[Any]]) -> Rows:
        """The rows of a task, as `Scorer` gives them.

        Raises:
            BatchError: the process cannot load the bundle.
        """
        keys = [os.fsdecode(key) for key in batch["path"]]
        return joined([self._rows(chunk) for chunk in chunked(keys, self._chunk)])

    def _rows(self, keys: list[str]) -> Rows:
        worker, self._worker = self._worker or start_worker(self._work), None
        try:
            rows = worker.answer(keys)
        except BatchError:  # the next task has a fresh one, and is to hear this as well
            worker.end()
            raise
        except EOFError:
            worker.buried()
            return joined(list(score_alone(keys, self._work)))
        self._worker = worker
        return rows


def _tasks(lists: Iterator[list[str]], *, size: int, workers: int) -> Iterator[list[str]]:
    """Keys of a task, a multiple of `size` but for the last of a list, so that every worker has some of each list.

    None has keys of two lists: what goes together on a GPU is the same in a run that goes on.
    """
    for keys in lists:
        share = min(LARGEST_TASK, -(-len(keys) // (4 * workers)))
        yield from chunked(keys, size * -(-share // size))


def _grouped(tasks: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    """Tasks of `GROUP` keys or a few more."""
    held: list[list[str]] = []
    count = 0
    for keys in tasks:
        held.append(keys)
        count += len(keys)
        if count >= GROUP:
            yield held
            held, count = [], 0
    if held:
        yield held


def _scored(tasks: list[list[str]], work: Work, *, workers: int, gpus: int) -> Iterator[Rows]:
    import pyarrow as pa
    import ray

    tables = [pa.table({"path": pa.array(map(os.fsencode, keys), pa.binary())}) for keys in tasks]
    with warnings.catch_warnings():
        # Ray takes the limit of retries away in 2.64 and has nothing in its place yet: the extra stops before that.
        warnings.simplefilter("ignore", DeprecationWarning)
        rows = ray.data.from_arrow(tables).map_batches(
            Actor,
            fn_constructor_args=(work, LARGEST_TASK if gpus else CPU_CHUNK),
            batch_size=None,  # a task; of a number Ray would put the rest of a list and the next list together
            compute=ray.data.ActorPoolStrategy(size=gpus or workers),
            num_cpus=1,
            num_gpus=1 if gpus else None,
            ray_remote_args_fn=_retries,
        )
    yield from rows.iter_batches(batch_size=None, batch_format="numpy")


def _retries() -> dict[str, Any]:
    """An actor may be lost any number of times in a long run, but with the same task three times only.

    Ray would begin a task anew without end, also where it is that task which has its memory monitor kill the actor.
    """
    return {"max_restarts": -1, "max_task_retries": 2}


def _advice(gpus: int) -> str:
    """The local engine, which has no actors to lose, finds the image; it does not go on with a run of a GPU."""
    if not gpus:
        return "--engine local goes on from there and finds an image that no worker survives."
    return (
        "the same command goes on from there. To find an image that no worker survives, score those of the next "
        "shard (keys/part-N.jsonl in the output) with --engine local and without --gpus into another output, and "
        "move it away."
    )


@contextmanager
def _running(workers: int) -> Iterator[None]:
    """Ray without its dashboard and without a word to anybody; ended again if it was started here."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's monitor kills the actor before the memory is full; the system kills its process, which takes more.
    os.environ.setdefault(MEMORY_MONITOR, "0")
    # What matters comes as an exception. Ray says in one line that it heeds this; unset, it warns of each actor.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray.data

    started = not ray.is_initialized()
    if started:
        try:
            ray.init(**_place(workers), log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise BatchError(f"Ray cannot be started or reached: {_last_line(error)}") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # its import has set another level
    context = ray.data.DataContext.get_current()
    before = (context.enable_progress_bars, context.execution_options.preserve_order)
    context.enable_progress_bars, context.execution_options.preserve_order = False, True
    try:
        yield
    finally:
        context.enable_progress_bars, context.execution_options.preserve_order = before
        if started:
            ray.shutdown()


def _place(workers: int) -> dict[str, Any]:
    address = os.environ.get("RAY_ADDRESS")
    environment = {"env_vars": dict.fromkeys(THREAD_LIMITS, "1")}
    if address:
        return {"address": address, "runtime_env": environment}
    return {"include_dashboard": False, "num_cpus": workers, "runtime_env": environment}


def _last_line(error: BaseException) -> str:
    """Of what Ray says; where it tells of an error of ours, what that says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    own = [line.partition(": ")[2] for line in lines if line.startswith("dermalens.")]
    return ([type(error).__name__, *lines, *own][-1])[:300]
