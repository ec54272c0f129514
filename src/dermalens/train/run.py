"""One training run: a folder with the resolved recipe, checkpoints, log and curves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from dermalens.core.errors import TrainingError
from dermalens.train.checkpoint import AtomicCheckpointIO
from dermalens.train.datamodule import LesionData
from dermalens.train.module import LesionModule
from dermalens.train.recipe import Recipe

MONITOR = "val_balanced_accuracy"


def train(recipe: Recipe, folder: Path, *, resume: bool = False) -> Path:
    """Train `recipe` in `folder`; returns the path of the best checkpoint.

    Raises:
        TrainingError: the folder holds another run, or the machine gave out (disk, memory, GPU, NaN).
    """
    last = folder / "last.ckpt"
    if last.exists() and not resume:
        raise TrainingError(f"{folder} already holds a run. Continue it with --resume or choose another --out.")
    lightning.seed_everything(recipe.seed, verbose=False)
    data = LesionData(recipe)
    module = LesionModule(recipe, data.train_counts)
    module.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    folder.mkdir(parents=True, exist_ok=True)
    write_run_notes(recipe, data, folder)
    trainer = build_trainer(recipe, folder)
    trainer.fit(module, data, ckpt_path=str(last) if resume and last.exists() else None, weights_only=False)
    return folder / "best.ckpt"


def build_trainer(recipe: Recipe, folder: Path) -> lightning.Trainer:
    """Lightning's trainer for a recipe; checkpoints are written whole or not at all."""
    spec = recipe.trainer
    return lightning.Trainer(
        default_root_dir=folder,
        max_epochs=spec.epochs,
        accelerator=spec.accelerator,
        devices=spec.devices,
        num_nodes=spec.nodes,
        precision=spec.precision,
        accumulate_grad_batches=spec.accumulate,
        gradient_clip_val=recipe.optimizer.gradient_clip or None,
        callbacks=build_callbacks(recipe, folder),
        logger=CSVLogger(folder, name="", version=""),
        plugins=[AtomicCheckpointIO()],
        use_distributed_sampler=False,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        log_every_n_steps=20,
        enable_model_summary=False,
    )


def build_callbacks(recipe: Recipe, folder: Path) -> list[Callback]:
    """Best and last checkpoint, and what the recipe switches on."""
    callbacks: list[Callback] = [
        ModelCheckpoint(
            folder, filename="best", monitor=MONITOR, mode="max", save_last=True, enable_version_counter=False
        ),
        LearningRateMonitor("epoch"),
    ]
    if recipe.optimizer.ema_decay:
        callbacks.append(EMAWeightAveraging(decay=recipe.optimizer.ema_decay))
    if recipe.trainer.early_stopping_patience:
        callbacks.append(EarlyStopping(MONITOR, mode="max", patience=recipe.trainer.early_stopping_patience))
    return callbacks


def write_run_notes(recipe: Recipe, data: LesionData, folder: Path) -> None:
    """`run.json`: the resolved recipe, the code version, the split's hash and the class counts."""
    from dermalens import __version__

    note: dict[str, Any] = {
        "recipe": recipe.model_dump(mode="json"),
        "code_version": __version__,
        "split_sha256": data.split_sha256,
        "train_counts": dict(zip(recipe.classes, data.train_counts, strict=True)),
        "train_images": len(data.train_rows),
        "val_images": len(data.val_rows),
    }
    (folder / "run.json").write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
