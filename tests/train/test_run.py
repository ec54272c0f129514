from __future__ import annotations

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging

from dermalens.train import datamodule
from dermalens.train.checkpoint import MONITOR, MovableCheckpoint, checkpoint_callbacks
from dermalens.train.epochs import read_metrics
from dermalens.train.run import PatientStopping, build_trainer, train


def test_the_best_checkpoint_holds_the_average_of_the_weights_and_the_last_weights_beside_it(make_recipe, tmp_path):
    done = train(make_recipe(["trainer.epochs=1"]), tmp_path / "run")
    kept = torch.load(done.checkpoint, weights_only=True)
    average, last = kept["state_dict"], kept["current_model_state"]
    assert average.keys() == last.keys()
    assert not torch.equal(average["network.head.1.weight"], last["network.head.1.weight"])


def test_a_worker_stays_for_all_epochs_and_changes_nothing(make_recipe, tmp_path, monkeypatch):
    alone = train(make_recipe(), tmp_path / "alone")
    monkeypatch.setattr(datamodule, "_step_back", lambda _: (tmp_path / f"worker-{os.getpid()}").touch())
    helped = train(make_recipe(["data.workers=1"]), tmp_path / "helped")
    assert [replace(record, seconds=0.0) for record in read_metrics(helped.log)] == [
        replace(record, seconds=0.0) for record in read_metrics(alone.log)
    ]
    assert len(read_metrics(helped.log)) == 4
    assert len(list(tmp_path.glob("worker-*"))) == 1


def test_training_stops_when_nothing_gets_better(make_recipe, tmp_path):
    still = ["trainer.early_stopping_patience=1", "optimizer.lr=1e-12", "optimizer.ema_decay=0.0", "trainer.epochs=4"]
    frozen_norms = ["model.frozen=['conv_stem', 'bn1', 'blocks', 'conv_head', 'bn2']"]
    done = train(make_recipe([*still, *frozen_norms]), tmp_path / "run")
    assert [record.epoch for record in read_metrics(done.log)] == [0, 1]
    assert done.best.epoch == 0


def test_a_resumed_run_remembers_that_it_had_decided_to_stop():
    stopping = PatientStopping(MONITOR, mode="max", patience=2)
    trainer = SimpleNamespace(should_stop=False)
    stopping.wait_count = 1
    stopping.on_train_start(trainer, None)
    assert not trainer.should_stop
    stopping.wait_count = 2
    stopping.on_train_start(trainer, None)
    assert trainer.should_stop


def test_a_run_that_was_moved_remembers_its_best_score(tmp_path):
    before, after = (checkpoint_callbacks(tmp_path / name)[0] for name in ("before", "after"))
    assert isinstance(before, MovableCheckpoint)
    assert isinstance(after, MovableCheckpoint)
    path, score = str(tmp_path / "before" / "best.ckpt"), torch.tensor(0.8)
    before.best_model_path, before.best_model_score, before.best_k_models = path, score, {path: score}
    after.load_state_dict(before.state_dict())
    assert after.best_model_path == str(tmp_path / "after" / "best.ckpt")
    assert after.best_model_score == score
    assert list(after.best_k_models) == [after.best_model_path]


@pytest.mark.parametrize(("decay", "expected"), [(0.0, 0), (0.9, 1)])
def test_the_trainer_is_set_by_the_recipe(make_recipe, tmp_path, decay, expected):
    recipe = make_recipe([f"optimizer.ema_decay={decay}", "trainer.accumulate=3", "trainer.precision=bf16-mixed"])
    trainer = build_trainer(recipe, tmp_path, [])
    assert trainer.accumulate_grad_batches == 3
    assert trainer.gradient_clip_val == 1.0
    assert trainer.precision == "bf16-mixed"
    assert trainer.max_epochs == 4
    assert sum(isinstance(callback, EMAWeightAveraging) for callback in trainer.callbacks) == expected
