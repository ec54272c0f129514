"""Checkpoints that are whole or absent: a kill or a full disk never leaves a torn file under the real name."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from dermalens.core.errors import TrainingError
from dermalens.core.files import write_whole
from dermalens.train.epochs import METRICS

MONITOR = "val_balanced_accuracy"
"""What selects the best checkpoint."""

BEST, LAST = "best.ckpt", "last.ckpt"
_DAMAGE = (RuntimeError, EOFError, LookupError, TypeError, ValueError, pickle.UnpicklingError)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's, with `write_whole` for the file."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Through memory, so that a failed write is a plain OSError: torch.save to a file hides it in a RuntimeError.
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_whole(target, buffer.getbuffer())


def check_last(folder: Path) -> None:
    """Refuse to resume from a damaged `last.ckpt`, or to start over where `best.ckpt` would be lost by that.

    A run that was killed between the two checkpoints of its first epoch starts over.

    Raises:
        TrainingError: what is wrong, and what is kept.
    """
    last, best = folder / LAST, folder / BEST
    otherwise = f"choose another --out; {best} stays as it is." if best.is_file() else "choose another --out."
    if not last.is_file():
        if best.is_file() and _epochs_of(folder) != 1:
            raise TrainingError(f"{folder} has no {LAST} to resume from. Bring it back from a copy, or {otherwise}")
        return
    try:
        sound = "state_dict" in torch.load(last, map_location="cpu", weights_only=True)
    except _DAMAGE:
        sound = False
    if not sound:
        raise TrainingError(f"{last} is damaged, nothing can be resumed from it. Bring back a copy, or {otherwise}")


def _epochs_of(folder: Path) -> int:
    """Rows of the log, which is written before the checkpoints of an epoch."""
    log = folder / METRICS
    return len(log.read_bytes().splitlines()) - 1 if log.is_file() else 0


class MovableCheckpoint(ModelCheckpoint):
    """Lightning's `ModelCheckpoint`, which forgets its best score when the run folder was moved; this one does not."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        here = Path(str(self.dirpath))
        moved = {key: str(here / Path(state_dict[key]).name) for key in _PATHS if state_dict.get(key)}
        best = {str(here / Path(path).name): score for path, score in state_dict.get("best_k_models", {}).items()}
        super().load_state_dict({**state_dict, **moved, "dirpath": self.dirpath, "best_k_models": best})


_PATHS = ("best_model_path", "kth_best_model_path", "last_model_path")


def checkpoint_callbacks(folder: Path) -> list[Callback]:
    """`best.ckpt` when the monitored figure is better than ever, then `last.ckpt`, after every epoch.

    Lightning's `save_last` would write `last.ckpt` only together with a better `best.ckpt`.
    """
    best = MovableCheckpoint(
        folder, filename=Path(BEST).stem, monitor=MONITOR, mode="max", enable_version_counter=False
    )
    last = MovableCheckpoint(folder, filename=Path(LAST).stem, every_n_epochs=1, enable_version_counter=False)
    return [best, last]
