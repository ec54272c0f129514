"""One training run: a folder with the resolved recipe, checkpoints, log and curves."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ProgressBar

from dermalens.core.errors import TrainingError
from dermalens.core.files import has_locks, is_held_by_another
from dermalens.train.checkpoint import BEST, LAST, MONITOR, AtomicCheckpointIO, check_last, checkpoint_callbacks
from dermalens.train.curves import CURVES, draw_curves
from dermalens.train.datamodule import LesionData
from dermalens.train.epochs import METRICS, EpochLog, EpochRecord, best_record, read_metrics
from dermalens.train.failures import check_machine, plain_failures
from dermalens.train.forerunners import check_forerunners
from dermalens.train.module import LesionModule
from dermalens.train.notes import check_same_run, finish_notes, read_notes, start_notes
from dermalens.train.processes import is_first_process
from dermalens.train.recipe import Recipe

LOCK: Final = ".lock"
"""Held by the process that trains in a folder; the empty file stays."""


@dataclass(frozen=True, slots=True)
class TrainingSummary:
    """What came of a run, and where it is."""

    folder: Path
    epochs: int
    best: EpochRecord

    @property
    def checkpoint(self) -> Path:
        """The best checkpoint; with an average of the weights, its `state_dict` is the average."""
        return self.folder / BEST

    @property
    def is_first_process(self) -> bool:
        """Whether this process is the one that reports; with several GPUs each has its own."""
        return is_first_process()

    @property
    def log(self) -> Path:
        """One row an epoch."""
        return self.folder / METRICS

    @property
    def curves(self) -> Path:
        """The log as a picture."""
        return self.folder / CURVES


def train(recipe: Recipe, folder: Path, *, resume: bool = False, callbacks: Sequence[Callback] = ()) -> TrainingSummary:
    """Train `recipe` in `folder`. `callbacks` watch: a progress bar, a test.

    A run that is complete is not touched by `resume`; one that was killed before its first checkpoint starts over.

    Raises:
        TrainingError: the folder holds another run, or the machine gave out (disk, memory, GPU, NaN).
        DataError: images or labels that cannot be trained on.
    """
    check_machine(recipe)
    with _quiet(), plain_failures(recipe, folder):
        if not resume:
            refuse_former(folder)
        data = LesionData(recipe)
        if resume:
            check_same_run(recipe, data, folder)
        if not (resume and "training" in read_notes(folder)):
            check_last(folder)
            _fit(recipe, folder, data, callbacks)
    records = read_metrics(folder / METRICS)
    return TrainingSummary(folder, len(records), best_record(records))


def refuse_former(folder: Path) -> None:
    """Refuse a folder with a run, also where what it could be resumed from was deleted.

    Raises:
        TrainingError: there is one.
    """
    if (folder / LAST).exists():
        raise TrainingError(f"{folder} already holds a run. Continue it with --resume or choose another --out.")
    if (folder / BEST).exists():
        raise TrainingError(f"{folder} already holds a trained network, {BEST}. Choose another --out.")


def _fit(recipe: Recipe, folder: Path, data: LesionData, callbacks: Sequence[Callback]) -> None:
    forerunners = check_forerunners(recipe, data)
    lightning.seed_everything(recipe.seed, verbose=False)
    module = LesionModule(recipe, data.train_counts)
    module.network.to(memory_format=torch.channels_last)
    folder.mkdir(parents=True, exist_ok=True)
    log = EpochLog(folder)
    trainer = build_trainer(recipe, folder, [log, *callbacks])  # knows which process this is
    with _alone_in(folder) if trainer.is_global_zero else nullcontext():
        if trainer.is_global_zero:
            start_notes(recipe, data, folder, forerunners)
        last = folder / LAST
        trainer.fit(module, data, ckpt_path=str(last) if last.exists() else None, weights_only=True)
        if trainer.is_global_zero:
            draw_curves(log.records, folder / CURVES)
            finish_notes(log.records, trainer.strategy.root_device, folder)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keeps a second training out of a run folder on this machine, where each would replace the other's checkpoints.

    Raises:
        TrainingError: another process trains there.
    """
    if not has_locks():
        yield
        return
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if is_held_by_another(handle, with_forks=False):  # workers outlive a killed run for seconds
            raise TrainingError(f"Another process trains in {folder}. Wait for it, or choose another --out.")
        yield
    finally:
        os.close(handle)


def build_trainer(recipe: Recipe, folder: Path, callbacks: Sequence[Callback]) -> lightning.Trainer:
    """Lightning's trainer for a recipe; checkpoints are written whole or not at all."""
    spec = recipe.trainer
    many_phases = spec.devices * spec.nodes > 1 and spec.head_epochs > 0
    return lightning.Trainer(
        default_root_dir=folder,
        max_epochs=spec.epochs,
        accelerator=spec.accelerator,
        devices=spec.devices,
        num_nodes=spec.nodes,
        # DDP must be told that the backbone gives no gradient while only the head learns.
        strategy="ddp_find_unused_parameters_true" if many_phases else "auto",
        precision=spec.precision,
        accumulate_grad_batches=spec.accumulate,
        gradient_clip_val=recipe.optimizer.gradient_clip or None,
        callbacks=[*_recipe_callbacks(recipe), *callbacks, *checkpoint_callbacks(folder)],
        logger=False,  # the log is `EpochLog`: Lightning's wipes the former epochs when a run is resumed
        plugins=[AtomicCheckpointIO()],
        use_distributed_sampler=False,  # `DrawSampler` divides the draws
        num_sanity_val_steps=0,
        enable_model_summary=False,
        # Lightning refuses a bar among the callbacks otherwise, and adds one of its own where there is none.
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
    )


class PatientStopping(EarlyStopping):
    """Lightning's `EarlyStopping`, which forgets on a resume that it had decided to stop; this one does not."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


def _recipe_callbacks(recipe: Recipe) -> list[Callback]:
    callbacks: list[Callback] = []
    if recipe.optimizer.ema_decay:
        callbacks.append(EMAWeightAveraging(decay=recipe.optimizer.ema_decay))
    if recipe.trainer.early_stopping_patience:
        callbacks.append(PatientStopping(MONITOR, mode="max", patience=recipe.trainer.early_stopping_patience))
    return callbacks


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Lightning's greetings and its warnings about choices that are meant; errors stay."""
    talk = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    before = [logger.level for logger in talk]
    for logger in talk:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        for meant in _MEANT:
            warnings.filterwarnings("ignore", message=meant)
        try:
            yield
        finally:
            for logger, level in zip(talk, before, strict=True):
                logger.setLevel(level)


_MEANT = (
    r".*isinstance\(treespec",  # Lightning 2.6 with torch 2.15
    r".*module\(s\) in eval mode",  # frozen layers
    r".*does not have many workers",  # the recipe says how many
    r".*Checkpoint directory .* exists and is not empty",  # run.json is in it
    r".*logging interval",  # nothing is logged by step
    r".*dataloader.*across ranks",  # a small validation part is not divided
    r".*nn\.functional\.all_reduce is deprecated",  # on a CPU; what should replace it is private to PyTorch
    r".*sync_dist=True",  # torchmetrics has gathered the figure already
    r".*lr_scheduler.step.*before.*optimizer.step",  # 16-mixed skips a first step that overflowed
)
