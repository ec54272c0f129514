"""Two processes on one machine (gloo, CPU) learn what one learns from batches twice as large."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from timm.layers.norm_act import SyncBatchNormAct
from torch import distributed

from dermalens.train.epochs import read_metrics
from dermalens.train.network import build_network
from dermalens.train.notes import read_notes
from dermalens.train.processes import share_norms
from dermalens.train.run import train

SCRIPT = """
import sys
from pathlib import Path
import torch
from lightning.pytorch.callbacks import Callback
from dermalens.core.errors import TrainingError
from dermalens.train.recipe import Recipe
from dermalens.train.run import train

class Stop(Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if trainer.current_epoch == int(sys.argv[3]) and batch_idx == 0:
            raise TrainingError("stopped by the test")

if __name__ == "__main__":
    torch.set_num_threads(1)
    recipe, folder = Recipe.model_validate_json(sys.argv[1]), Path(sys.argv[2])
    try:
        done = train(recipe, folder, resume=sys.argv[4] == "resume", callbacks=[Stop()])
        print("first" if done.is_first_process else "other")
    except TrainingError as error:
        print(error)
"""
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
LEARNING = [
    "model.dropout=0.0",  # what is dropped depends on the process
    "balance.sampler_power=0.3",
    "balance.weight_power=0.5",
    "trainer.epochs=3",
    "trainer.accelerator=cpu",
    "trainer.accumulate=2",
]


def run(launcher: tuple[str, ...], script: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, str(script), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_processes_learn_as_one_with_twice_the_batch_through_a_stop_and_a_resume(make_recipe, tmp_path):
    one, two, script = tmp_path / "one", tmp_path / "two", tmp_path / "script.py"
    script.write_text(SCRIPT)
    train(make_recipe([*LEARNING, "trainer.batch_size=8"]), one)
    recipe = make_recipe([*LEARNING, "trainer.batch_size=4", "trainer.devices=2"]).model_dump_json()
    stopped = run(TORCHRUN, script, recipe, str(two), "1", "begin")  # torchrun starts both processes
    assert stopped.count("stopped by the test") == 2
    assert [record.epoch for record in read_metrics(two / "metrics.csv")] == [0]
    said = run((), script, recipe, str(two), "-1", "resume")  # Lightning starts the second process
    assert sorted(said.split()) == ["first", "other"]
    pairs = list(zip(read_metrics(one / "metrics.csv"), read_metrics(two / "metrics.csv"), strict=True))
    assert [second.epoch for _, second in pairs] == [0, 1, 2]
    for first, second in pairs:
        assert second.train_loss == pytest.approx(first.train_loss, abs=1e-3)
        assert second.val_loss == pytest.approx(first.val_loss, abs=1e-3)
        assert second.val_balanced_accuracy == pytest.approx(first.val_balanced_accuracy)
    assert {path.name for path in two.iterdir()} == {path.name for path in one.iterdir()}
    assert read_notes(two)["training"]["epochs"] == 3
    first, second = (torch.load(folder / "last.ckpt", weights_only=True)["state_dict"] for folder in (one, two))
    assert first.keys() == second.keys()
    assert distance(first, second) < 0.01 * distance(first, {key: torch.zeros(()) for key in first})


def distance(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    return float(sum(((first[key] - second[key]).float() ** 2).sum() for key in first)) ** 0.5


def test_norms_shared_on_gpus_keep_names_weights_and_activations(make_recipe):
    network = build_network(make_recipe()).eval()
    images, before = torch.rand(2, 3, 64, 64), set(network.state_dict())
    with torch.inference_mode():
        expected = network(images)
        share_norms(network, torch.device("cuda"))
        given = network(images)
    assert torch.allclose(given, expected, atol=1e-6)
    assert set(network.state_dict()) == before
    assert any(isinstance(module, SyncBatchNormAct) for module in network.modules())


def test_norms_shared_on_a_cpu_count_in_float32_also_under_bfloat16(make_recipe, tmp_path):
    network = build_network(make_recipe()).train()
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        share_norms(network, torch.device("cpu"))
        with torch.autocast("cpu", torch.bfloat16):
            given = network(torch.rand(4, 3, 64, 64))
    finally:
        distributed.destroy_process_group()
    assert torch.isfinite(given).all()
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert all(norm.running_mean.dtype == torch.float32 and torch.isfinite(norm.running_var).all() for norm in norms)
