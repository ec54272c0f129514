"""The log of a run: one record an epoch, kept in the checkpoint and written whole to `metrics.csv`.

A resumed run has the records of the epochs before it from the checkpoint; Lightning's own CSV logger would wipe them.
"""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from dermalens.core.errors import TrainingError
from dermalens.core.files import write_whole

METRICS = "metrics.csv"


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """What one epoch gave; epochs count from 0."""

    epoch: int
    train_loss: float
    val_loss: float
    val_balanced_accuracy: float
    val_macro_auc: float
    lr: float
    """Learning rate at the end of the epoch."""
    seconds: float
    """Training and validation of this epoch."""


COLUMNS = tuple(field.name for field in fields(EpochRecord))


class EpochLog(Callback):
    """Collects the records and writes `metrics.csv` after every epoch, before the checkpoints."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: list[EpochRecord] = []
        self._started = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"records": [list(astuple(record)) for record in self.records]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.records = [EpochRecord(*values) for values in state_dict["records"]]

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        measured = {name: float(value) for name, value in trainer.callback_metrics.items() if name in COLUMNS}
        lr = float(trainer.optimizers[0].param_groups[0]["lr"])
        seconds = time.monotonic() - self._started
        self.records.append(EpochRecord(epoch=trainer.current_epoch, lr=lr, seconds=seconds, **measured))
        if trainer.is_global_zero:
            write_metrics(self.records, self.folder / METRICS)


def write_metrics(records: Sequence[EpochRecord], target: Path) -> None:
    """Write the records as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(astuple(record) for record in records)
    write_whole(target, text.getvalue().encode())


def read_metrics(source: Path) -> list[EpochRecord]:
    """Read `metrics.csv`.

    Raises:
        TrainingError: no such file, or not the log of a run.
    """
    try:
        with source.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        return [EpochRecord(int(row["epoch"]), *(float(row[name]) for name in COLUMNS[1:])) for row in rows]
    except OSError as error:
        raise TrainingError(f"{source} cannot be read: {error.strerror}. Needed is the log of a run.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"{source} is not the log of a run; its columns must be {','.join(COLUMNS)}.") from error


def best_record(records: Sequence[EpochRecord]) -> EpochRecord:
    """The first epoch of the highest validation balanced accuracy, which is the one in `best.ckpt`."""
    numbers = [record for record in records if not math.isnan(record.val_balanced_accuracy)]
    return max(numbers or records, key=lambda record: record.val_balanced_accuracy)
