"""What stops a training run, said in one line: disk, memory, GPU, compiler, a killed worker."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch._dynamo.exc import ShortenTraceback  # the public torch.compiler has no name for it

from dermalens.core.errors import NO_ROOM, DermaLensError, StoppedError, TrainingError
from dermalens.train.checkpoint import BEST, LAST
from dermalens.train.recipe import Recipe

_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR)
_NO_SUCH_NAME = (errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP)
_NO_MEMORY = (
    *("DefaultCPUAllocator", "can't allocate memory", "not enough memory"),
    *("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"),
)
"""What PyTorch says on the CPU, and on a GPU where it does not raise its own kind of error."""
_SHARED_MEMORY = ("shared memory(shm)", "out of shared memory")
_IN_WORKER = "in DataLoader worker process"


@contextmanager
def plain_failures(recipe: Recipe | None, folder: Path) -> Iterator[None]:
    """Turn what the machine does to a run into a TrainingError of one line; anything else passes: it is our bug.

    Without a recipe, as for the outline network, the line names no key of one.

    Raises:
        TrainingError: what gave out, what to change, and whether a checkpoint is there to go on from.
        StoppedError: Ctrl-C or SIGTERM.
    """
    try:
        yield
    except DermaLensError as error:
        if _IN_WORKER not in str(error):
            raise
        raise type(error)(str(error).strip().rpartition("\n")[2].partition(": ")[2]) from error
    except SystemExit as error:  # Lightning's form of Ctrl-C and SIGTERM
        raise StoppedError(f"Training was stopped from outside. {_what_is_kept(folder)}") from error
    except FloatingPointError as error:  # the network's own: a loss that is no number
        raise TrainingError(f"{error} {_where_to_go_on(folder)}") from error
    except (RuntimeError, OSError, MemoryError) as error:
        line = explain(error, recipe, folder)
        if line is None:
            raise
        kept = _where_to_go_on(folder) if recipe and _is_out_of_memory(error, recipe) else _what_is_kept(folder)
        raise TrainingError(f"{line} {kept}") from error


def explain(error: Exception, recipe: Recipe | None, folder: Path) -> str | None:
    """The line for a failure of the machine; None for any other error."""
    if _is_out_of_memory(error, recipe):
        return f"Out of memory: {_smaller(recipe)}" if recipe else "Out of memory: this machine has too little for it."
    if isinstance(error, OSError) and error.errno != errno.ENOMEM:
        return _disk_line(error, folder)
    if isinstance(error, ShortenTraceback):  # by the compiler, or by a GPU that it cannot compile for
        inner = getattr(error, "inner_exception", error)
        reason = next((line for line in str(inner).splitlines() if line.strip()), "no reason given")
        return (
            f"torch.compile failed ({reason}); it needs a C++ compiler, for a GPU Triton: install g++ or Triton, or "
            "set trainer.compile=false."
        )
    return _worker_line(error, recipe.data.workers) if recipe else None


def _is_out_of_memory(error: Exception, recipe: Recipe | None) -> bool:
    """Whether a smaller batch helps; where the system has no memory for a new process, fewer workers do."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM and not (recipe and recipe.data.workers)
    is_said = any(part in str(error) for part in _NO_MEMORY)
    return is_said or isinstance(error, (torch.OutOfMemoryError, MemoryError))


def _worker_line(error: Exception, workers: int) -> str | None:
    """The line for what workers need of a machine: a process and shared memory each."""
    if isinstance(error, OSError):
        return f"Out of memory ({error.strerror}): lower data.workers ({workers} now), or close other programs."
    if any(part in str(error) for part in _SHARED_MEMORY):
        return (
            f"The shared memory, through which workers hand images over, is full: lower data.workers ({workers} now; 0 "
            "needs none), or give a container more of it (docker run --shm-size=2g)."
        )
    if str(error).startswith("DataLoader worker"):
        return (
            "A worker that loads images was killed, most often because memory ran out: lower data.workers "
            f"({workers} now)."
        )
    return None


def _disk_line(error: OSError, folder: Path) -> str | None:
    if error.errno in NO_ROOM:
        return f"The disk is full or out of quota ({error.strerror}): free space in the run folder."
    is_ours = error.filename is not None and _is_in_or_above(str(error.filename), folder)
    if is_ours and error.errno in (*_NOT_WRITABLE, *_NO_SUCH_NAME):
        return f"{error.filename} cannot be written ({error.strerror}): choose another --out."
    if error.errno in _NOT_WRITABLE:
        place = error.filename or "A file"
        return f"{place} cannot be read or written ({error.strerror}): make it accessible, or name another place."
    return None


def _is_in_or_above(name: str, folder: Path) -> bool:
    """Whether a file lies in the run folder, or is a folder that the run folder was to be made in."""
    file, own = Path(os.path.realpath(name)), Path(os.path.realpath(folder))
    return file.is_relative_to(own) or own.is_relative_to(file)


def _smaller(recipe: Recipe) -> str:
    size, accumulate = recipe.trainer.batch_size, recipe.trainer.accumulate
    half = max(1, size // 2)
    return (
        f"trainer.batch_size {size} is too much for this machine. Try trainer.batch_size={half} with "
        f"trainer.accumulate={accumulate * -(-size // half)}, which learns from as many images a step."
    )


def _where_to_go_on(folder: Path) -> str:
    """After a failure that the same recipe would meet again: a changed recipe is another run."""
    if not _is_file(folder / BEST):
        return _what_is_kept(folder)
    return (
        f"{folder / BEST} is intact: a run with the changed recipe may begin with it (another --out, --set "
        f"model.weights={folder / BEST})."
    )


def _what_is_kept(folder: Path) -> str:
    if _is_file(folder / LAST):
        return f"{folder / LAST} is intact; go on with --resume."
    if _is_file(folder / BEST):
        return f"{folder / BEST} holds a complete epoch, but there is nothing to resume from."
    return "No epoch was complete, so there is no checkpoint yet."


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def check_machine(recipe: Recipe) -> None:
    """Refuse a recipe that asks for GPUs that are not there, or for another number of processes than were started.

    Raises:
        TrainingError: how many are asked for, how many are there, what to set.
    """
    wanted, kind = recipe.trainer.devices, recipe.trainer.accelerator
    found = torch.accelerator.device_count() if torch.accelerator.is_available() else 0
    if found < wanted and (kind == "gpu" or (kind == "auto" and wanted > 1)):
        if kind == "auto":
            remedy = f"trainer.devices={found or 1}, or trainer.accelerator=cpu for processes on the CPU"
        else:
            remedy = f"trainer.devices={found}" if found else 'trainer.accelerator="cpu" (or "auto")'
        raise TrainingError(f"The recipe asks for {wanted} GPU(s), PyTorch finds {found}: set {remedy}.")
    together = wanted * recipe.trainer.nodes
    started = _processes_started()
    if started not in (None, together):
        raise TrainingError(
            f"{started} process(es) were started by torchrun or Slurm, the recipe asks for {together} (trainer.devices "
            f"{wanted} x trainer.nodes {recipe.trainer.nodes}): set these to what was started."
        )
    if recipe.trainer.nodes > 1 and started is None:
        raise TrainingError(
            f"trainer.nodes is {recipe.trainer.nodes}, and this process was started neither by torchrun nor by Slurm: "
            "it would wait for the others in vain. Start it with torchrun on every node, or set trainer.nodes=1."
        )
    if together > 1 and hasattr(sys, "ps1"):
        raise TrainingError(
            f"trainer.devices x trainer.nodes is {together}: several processes cannot be started from a notebook or an "
            "interactive Python. Use dermalens train, or trainer.devices=1."
        )


def _processes_started() -> int | None:
    """How many torchrun or Slurm has started; None where Lightning starts its own."""
    for environment in (TorchElasticEnvironment, SLURMEnvironment):
        if environment.detect():
            return environment().world_size()
    return None
