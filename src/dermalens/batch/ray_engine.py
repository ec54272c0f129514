"""The Ray engine: the same scorer in an actor pool of Ray Data, on this machine or on a cluster.

The shards and the resuming stay ours: Ray is handed keys and gives back rows in the same order.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

from dermalens.batch.errors import BatchError
from dermalens.batch.keys import chunked
from dermalens.batch.scorer import Rows
from dermalens.batch.worker import Work
from dermalens.batch.workers import THREAD_LIMITS
from dermalens.core.errors import MissingExtraError

GROUP: Final = 200_000
"""Keys that Ray is handed at once, some 20 MB; the start of the actors, some seconds, counts little against them."""

CPU_CHUNK: Final = 16
"""Images in one call of an actor."""

GPU_CHUNK: Final = 64
"""Images in one run on a GPU."""

LARGEST_BLOCK: Final = 512
"""Keys of one task of Ray."""


def score_with_ray(keys: Iterator[str], work: Work, *, workers: int, gpus: int = 0) -> Generator[Rows, None, None]:
    """Rows of the keys, in order; `RAY_ADDRESS` names a cluster, otherwise Ray runs on this machine.

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
        for group in chunked(keys, GROUP):
            try:
                yield from _scored(group, work, workers=workers, gpus=gpus)
            except RayError as error:
                raise BatchError(f"Ray gave up: {_last_line(error)} Finished shards stay; {_advice(gpus)}") from error
            except ray.data.exceptions.RayDataUserCodeException as error:
                raise BatchError(f"Ray gave up: {_last_line(error.__cause__ or error)}") from error


def _scored(group: list[str], work: Work, *, workers: int, gpus: int) -> Iterator[Rows]:
    import pyarrow as pa
    import ray

    size = GPU_CHUNK if gpus else CPU_CHUNK
    block = max(size, min(LARGEST_BLOCK, -(-len(group) // (4 * workers))))
    tables = [pa.table({"path": pa.array(map(os.fsencode, keys), pa.binary())}) for keys in chunked(group, block)]
    with warnings.catch_warnings():
        # Ray takes the limit of restarts away in 2.64 and has nothing in its place yet: the extra stops before that.
        warnings.simplefilter("ignore", DeprecationWarning)
        rows = ray.data.from_arrow(tables).map_batches(
            work.scorer,
            fn_constructor_args=(work.bundle, work.options),
            batch_size=size,
            compute=ray.data.ActorPoolStrategy(size=gpus or workers),
            num_cpus=1,
            num_gpus=1 if gpus else None,
            ray_remote_args_fn=_retries,
        )
    yield from rows.iter_batches(batch_size=block, batch_format="numpy")


def _retries() -> dict[str, Any]:
    """Ray would start an actor anew without end, also where it is an image that kills it."""
    return {"max_restarts": 2, "max_task_retries": 2}


def _advice(gpus: int) -> str:
    """Only the local engine finds the image that kills its worker, and it does not go on with a run of a GPU."""
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
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
