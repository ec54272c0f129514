"""The mean of several epochs is a run that can be read again."""

from __future__ import annotations

import sys

import pytest
import torch
from safetensors.torch import save_file

from benchmarks import average_weights
from dermalens.export.finished import read_run
from dermalens.train.recipe import read_recipe
from dermalens.train.run import train
from tests.drawn_lesions import draw_split
from tests.train.conftest import SMOKE


def test_the_mean_of_two_epochs_is_between_them_and_says_which_they_are(tmp_path, monkeypatch):
    split = draw_split(tmp_path, {"train": 2, "val": 2, "test": 1})
    recipe = read_recipe(SMOKE, [f"data.split='{split}'", "trainer.epochs=2"])
    train(recipe, tmp_path / "run")
    last, other = tmp_path / "run" / "last.ckpt", tmp_path / "other.ckpt"
    checkpoint = torch.load(last, weights_only=True)
    state = checkpoint["state_dict"]
    moved = {name: value + 1 if value.is_floating_point() else value + 7 for name, value in state.items()}
    torch.save({**checkpoint, "state_dict": moved, "epoch": 0}, other)
    words = ["average_weights", str(tmp_path / "mean"), str(tmp_path / "run"), str(other), str(last)]
    monkeypatch.setattr(sys, "argv", words)
    average_weights.main()
    run = read_run(tmp_path / "mean")
    assert run.notes["training"]["averaged_epochs"] == "0, 1"
    assert run.notes["training"]["epochs"] == 2
    for name, value in run.classifier.state_dict().items():
        before = state[f"network.{name}"]
        torch.testing.assert_close(value, before + 0.5 if before.is_floating_point() else before)


def test_half_way_from_where_the_run_began(tmp_path, monkeypatch):
    split = draw_split(tmp_path, {"train": 2, "val": 2, "test": 1})
    train(read_recipe(SMOKE, [f"data.split='{split}'", "trainer.epochs=1"]), tmp_path / "run")
    best, began = tmp_path / "run" / "best.ckpt", tmp_path / "began.safetensors"
    state = torch.load(best, weights_only=True)["state_dict"]
    network = {name.removeprefix("network."): value for name, value in state.items() if name.startswith("network.")}
    save_file({name: (value + 1).contiguous() for name, value in network.items() if value.is_floating_point()}, began)
    words = ["average_weights", str(tmp_path / "mean"), str(tmp_path / "run"), str(began), str(best)]
    monkeypatch.setattr(sys, "argv", words)
    average_weights.main()
    run = read_run(tmp_path / "mean")
    assert run.notes["training"]["averaged_epochs"] == "start, 0"
    for name, value in run.classifier.state_dict().items():
        torch.testing.assert_close(value, network[name] + 0.5 if value.is_floating_point() else network[name])
    save_file({"another.weight": torch.zeros(1)}, began)
    with pytest.raises(SystemExit, match="is of another network: network.another.weight is not in it"):
        average_weights.main()
