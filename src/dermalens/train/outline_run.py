"""One training run of the outline network: a folder with notes, checkpoints and a log, which can be resumed."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import lightning
import torch
from lightning.pytorch.callbacks import Callback

import dermalens
from dermalens.core.errors import DataError, TrainingError
from dermalens.core.files import write_whole
from dermalens.data.check import nobody_watches
from dermalens.data.split import Split
from dermalens.models.outline_net import SIDE_PIXELS
from dermalens.train.checkpoint import BEST, LAST, AtomicCheckpointIO, MovableCheckpoint, check_last
from dermalens.train.failures import plain_failures
from dermalens.train.notes import NOTES, device_name, now, read_notes, write_notes
from dermalens.train.outline import MONITOR, OutlineModule, OutlineSettings
from dermalens.train.outline_data import KEPT_SIDE_PIXELS, Pairs, ShuffledBatches, batches, read_pairs
from dermalens.train.run import _alone_in, _quiet, refuse_former

COLUMNS: Final = ("epoch", "train_loss", "val_loss", MONITOR, "lr", "seconds")
LOG: Final = "metrics.csv"
GRADIENT_CLIP: Final = 1.0


def _say_nothing(line: str) -> None:
    """For a caller who does not watch."""


class OutlineData(lightning.LightningDataModule):
    """The train part, shuffled anew in every epoch, and the val part."""

    def __init__(self, settings: OutlineSettings, train: Pairs, val: Pairs) -> None:
        super().__init__()
        self.settings, self.train, self.val = settings, train, val

    def train_dataloader(self) -> Any:
        epoch = self.trainer.current_epoch if self.trainer else 0
        size, seed = self.settings.batch_size, (self.settings.seed, epoch)
        return batches(self.train, ShuffledBatches(len(self.train), size, seed=seed))

    def val_dataloader(self) -> Any:
        count, size = len(self.val), self.settings.batch_size
        return batches(self.val, [list(range(at, min(at + size, count))) for at in range(0, count, size)])


class OutlineLog(Callback):
    """A row an epoch in `metrics.csv`, kept in the checkpoint, and a line for whoever watches."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder, self.say = folder, say
        self.rows: list[dict[str, float]] = []
        self._started = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        measured = {name: float(value) for name, value in trainer.callback_metrics.items() if name in COLUMNS}
        lr, seconds = float(trainer.optimizers[0].param_groups[0]["lr"]), time.monotonic() - self._started
        row = {"epoch": float(trainer.current_epoch), **measured, "lr": lr, "seconds": seconds}
        self.rows.append(row)
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "epoch": int(row["epoch"])} for row in self.rows)
        write_whole(self.folder / LOG, text.getvalue().encode())
        self.say(
            f"epoch {trainer.current_epoch} of 0 to {(trainer.max_epochs or 1) - 1}: training loss "
            f"{row['train_loss']:.3f}, validation loss {row['val_loss']:.3f}, intersection over union "
            f"{row[MONITOR]:.4f}, {seconds:.0f} s"
        )


def train_outline(  # noqa: PLR0913  # who watches is no part of the settings
    split: Split,
    masks: Path,
    folder: Path,
    settings: OutlineSettings,
    *,
    resume: bool = False,
    advance: Callable[[int], None] = nobody_watches,
    say: Callable[[str], None] = _say_nothing,
) -> list[dict[str, float]]:
    """Train on the train part of `split` with the outlines in `masks`; the val part selects. Gives the log.

    A run that is complete is not touched by `resume`; one that was killed before its first checkpoint starts over.

    Raises:
        TrainingError: the folder holds another run, the machine gave out (disk, memory), or the loss is no number.
        DataError: an image or an outline is missing or cannot be read, or the split has no train or val part.
    """
    _check_parts(split)
    _check_folder(split, folder, settings, resume=resume)
    if "training" in read_notes(folder):
        return _read_log(folder)
    with _quiet(), plain_failures(None, folder):
        check_last(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with _alone_in(folder):
            train = read_pairs(split.part("train"), masks, side_pixels=KEPT_SIDE_PIXELS, advance=advance)
            val = read_pairs(split.part("val"), masks, side_pixels=SIDE_PIXELS, advance=advance)
            log = OutlineLog(folder, say)
            _fit(OutlineData(settings, train, val), split, folder, log)
    return log.rows


def _check_parts(split: Split) -> None:
    empty = [part for part in ("train", "val") if not split.part(part)]
    if empty:
        raise DataError(
            f"The split has no images in {' and '.join(empty)}: the outline network learns from the train part, and "
            "the val part selects an epoch. Split the index again: dermalens data split INDEX"
        )


def _fit(data: OutlineData, split: Split, folder: Path, log: OutlineLog) -> None:
    settings, started = data.settings, read_notes(folder).get("started", now())
    notes = {"settings": _plain(settings), "split_sha256": split.sha256, "code_version": dermalens.__version__}
    counts = {"train_images": len(data.train), "val_images": len(data.val)}
    write_notes(folder, {**notes, **counts, "started": started})
    lightning.seed_everything(settings.seed, verbose=False)
    module = OutlineModule(settings)
    module.network.to(memory_format=torch.channels_last)
    last = folder / LAST
    trainer = _trainer(folder, settings, log)
    trainer.fit(module, data, ckpt_path=str(last) if last.exists() else None)
    device = device_name(trainer.strategy.root_device)
    write_notes(folder, {**read_notes(folder), "ended": now(), "training": _outcome(log.rows, device)})


def _read_log(folder: Path) -> list[dict[str, float]]:
    with (folder / LOG).open(encoding="utf-8", newline="") as stream:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]


def _trainer(folder: Path, settings: OutlineSettings, log: Callback) -> lightning.Trainer:
    best = MovableCheckpoint(
        folder, filename=Path(BEST).stem, monitor=MONITOR, mode="max", enable_version_counter=False
    )
    last = MovableCheckpoint(folder, filename=Path(LAST).stem, every_n_epochs=1, enable_version_counter=False)
    return lightning.Trainer(
        default_root_dir=folder,
        max_epochs=settings.epochs,
        devices=1,
        gradient_clip_val=GRADIENT_CLIP,
        callbacks=[log, best, last],
        logger=False,  # Lightning's log wipes the former epochs when a run is resumed
        plugins=[AtomicCheckpointIO()],
        reload_dataloaders_every_n_epochs=1,  # the order of the images follows from the epoch
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=False,
    )


def _check_folder(split: Split, folder: Path, settings: OutlineSettings, *, resume: bool) -> None:
    if not resume:
        refuse_former(folder)
        return
    notes = read_notes(folder)
    if not notes:
        raise TrainingError(f"There is no run in {folder} to resume. Start it without --resume.")
    asked = {"settings": _plain(settings), "split_sha256": split.sha256}
    differing = [key for key, value in asked.items() if notes.get(key) != value]
    if differing:
        raise TrainingError(
            f"{folder / NOTES} is of a run with other {' and '.join(differing)}. Resume with what it was started "
            "with, or choose another --out."
        )


def _plain(settings: OutlineSettings) -> dict[str, Any]:
    """As JSON has it: lists for tuples."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(settings)))
    return plain


def _outcome(rows: list[dict[str, float]], device: str) -> dict[str, Any]:
    best = max(rows, key=lambda row: row[MONITOR])
    return {
        "device": device,
        "seconds": round(sum(row["seconds"] for row in rows), 1),
        "epochs": len(rows),
        "best_epoch": int(best["epoch"]),
        MONITOR: best[MONITOR],
    }
