from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Callback

from dermalens.core.errors import TrainingError
from dermalens.train.epochs import EpochRecord, read_metrics
from dermalens.train.notes import read_notes
from dermalens.train.run import train

KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from lightning.pytorch.callbacks import Callback
from dermalens.train.recipe import Recipe
from dermalens.train.run import train

class Kill(Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if trainer.current_epoch == 2 and batch_idx == 0:
            os.kill(os.getpid(), signal.SIGKILL)

torch.set_num_threads(1)
train(Recipe.model_validate_json(sys.argv[1]), Path(sys.argv[2]), callbacks=[Kill()])
"""


class Stop(Callback):
    """A run that ends in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.current_epoch == self.epoch and batch_idx == 0:
            raise TrainingError("stopped by the test")


def records_without_time(folder: Path) -> list[EpochRecord]:
    return [replace(record, seconds=0.0) for record in read_metrics(folder / "metrics.csv")]


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return torch.load(checkpoint, weights_only=True)["state_dict"]


def assert_same_run(first: Path, second: Path) -> None:
    assert records_without_time(first) == records_without_time(second)
    for name in ("best.ckpt", "last.ckpt"):
        expected, given = weights(first / name), weights(second / name)
        assert expected.keys() == given.keys()
        assert [key for key in expected if not torch.equal(expected[key], given[key])] == []
    ours, theirs = (read_notes(folder)["training"] for folder in (first, second))
    assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}


def test_a_run_killed_in_the_middle_of_an_epoch_resumes_to_the_same_metrics_and_weights(make_recipe, tmp_path):
    recipe = make_recipe(["data.workers=1", "optimizer.schedule=cosine"])
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", KILLED, recipe.model_dump_json(), str(killed)]
    assert subprocess.run(command, env=environment).returncode == -signal.SIGKILL
    assert [record.epoch for record in read_metrics(killed / "metrics.csv")] == [0, 1]
    train(recipe, killed, resume=True)
    train(recipe, whole)
    assert [record.epoch for record in read_metrics(whole / "metrics.csv")] == [0, 1, 2, 3]
    assert_same_run(whole, killed)


@pytest.mark.parametrize(
    "overrides",
    [
        [
            "optimizer.schedule=plateau",
            "optimizer.plateau_patience=0",
            "optimizer.ema_decay=0.0",
            "augment.mixup_alpha=0.4",
        ],
        ["trainer.early_stopping_patience=1", "optimizer.lr=1e-9", "trainer.accumulate=2", "trainer.head_epochs=1"],
    ],
    ids=["plateau and mixup", "early stopping, accumulation and a head phase"],
)
@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_a_run_stopped_in_any_epoch_resumes_to_the_same_end(make_recipe, tmp_path, overrides, epoch):
    recipe = make_recipe([*overrides, "trainer.epochs=4"])
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train(recipe, whole)
    last = len(read_metrics(whole / "metrics.csv")) - 1
    with pytest.raises(TrainingError, match="stopped by the test"):
        train(recipe, stopped, callbacks=[Stop(min(epoch, last))])
    train(recipe, stopped, resume=True)
    assert_same_run(whole, stopped)
