from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from dermalens.core.errors import RecipeError, TrainingError
from dermalens.train.checkpoint import BEST
from dermalens.train.datamodule import DrawnBatch, LesionData
from dermalens.train.module import LesionModule
from dermalens.train.network import build_network, trained_network
from dermalens.train.notes import NOTES, read_notes, write_notes
from dermalens.train.recipe import read_recipe
from dermalens.train.run import train
from dermalens.train.teacher import Teacher, teaching_loss
from dermalens.transforms.augment import augment
from dermalens.transforms.augment_draws import draws_of
from tests.train.conftest import SMOKE

QUICK = ["trainer.epochs=1", "optimizer.warmup_epochs=0"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, split_file: Path) -> list[Path]:
    """Two finished runs; the first has learned the classes as they are, the second each equally often."""
    folders = [tmp_path_factory.mktemp("runs") / name for name in ("first", "second")]
    for folder, power in zip(folders, (0.0, 1.0), strict=True):
        overrides = [*QUICK, f"data.split='{split_file}'", "data.workers=0", f"balance.sampler_power={power}"]
        train(read_recipe(SMOKE, overrides), folder)
    return folders


def copied(run: Path, folder: Path) -> Path:
    folder.mkdir()
    for name in (BEST, NOTES):
        shutil.copy(run / name, folder / name)
    return folder


def taught_by(*folders: Path) -> str:
    return f"teacher.runs={json.dumps([str(folder) for folder in folders])}"


def test_the_teacher_is_the_mean_of_the_runs_without_the_class_mix_that_each_learned(make_recipe, runs, tmp_path):
    mixed = copied(runs[0], tmp_path / "mixed")
    notes = read_notes(mixed)
    write_notes(mixed, {**notes, "train_counts": {**notes["train_counts"], "akiec": 8}})  # of 4 in every other class
    images = torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        first, second = (trained_network(make_recipe(), run / BEST)(images) for run in (mixed, runs[1]))
    prior = torch.tensor([8.0, 4, 4, 4, 4, 4, 4]).div(32).log()  # of the first; the second has seen sevenths
    expected = (first - prior + second - torch.full((7,), 1 / 7).log()) / 2
    torch.testing.assert_close(Teacher(make_recipe([taught_by(mixed, runs[1])]))(images), expected)


def test_the_loss_is_none_where_both_agree_and_grows_with_the_difference():
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.5]])
    assert float(teaching_loss(logits, logits + 3.0, 2.0)) == pytest.approx(0, abs=1e-6)
    given, aim = torch.tensor([[0.0, 0.0]]), torch.tensor([[np.log(3.0), 0.0]])
    expected = 0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5)
    assert float(teaching_loss(given, aim, 1.0)) == pytest.approx(expected, abs=1e-6)


def test_the_gradient_does_not_shrink_with_the_temperature():
    slopes = []
    for temperature in (4.0, 8.0):
        logits = torch.zeros(1, 2, requires_grad=True)
        teaching_loss(logits, torch.tensor([[0.2, 0.0]]), temperature).backward()
        slopes.append(float(logits.grad.abs().max()))
    assert slopes[0] == pytest.approx(slopes[1], rel=0.01)


def test_a_pupil_of_the_teacher_alone_comes_to_say_what_it_says(make_recipe, runs, tmp_path):
    alone = ["trainer.epochs=12", "teacher.weight=1.0", "optimizer.ema_decay=0.0", "balance.sampler_power=0.0"]
    recipe = make_recipe([*alone, taught_by(runs[0])])
    train(recipe, tmp_path / "pupil")
    loader = LesionData(recipe).val_dataloader()
    images = torch.cat([squares.float() / 255 for squares, _ in loader])
    teacher, pupil = (trained_network(recipe, run / BEST) for run in (runs[0], tmp_path / "pupil"))
    untaught = build_network(recipe).eval()
    with torch.no_grad():
        before, after = (float(teaching_loss(one(images), teacher(images), 1.0)) for one in (untaught, pupil))
    assert after < before / 2


def test_the_teacher_sees_the_picture_before_it_is_spoiled(make_recipe, runs):
    spoiling = ["augment.hair_probability=1.0", "augment.noise_probability=1.0", "augment.erase_probability=1.0"]
    recipe = make_recipe([*spoiling, taught_by(runs[0])])
    squares, draws = torch.randint(256, (2, 3, 74, 74), dtype=torch.uint8), np.stack([draws_of(1), draws_of(2)])
    batch = DrawnBatch(squares, draws, 64, torch.tensor([0, 1]))
    seen, labels, by_teacher = LesionData(recipe).on_after_batch_transfer(batch, 0)
    off = {name: 0.0 for name in type(recipe.augment).model_fields if name.endswith("_probability")}
    torch.testing.assert_close(by_teacher, augment(squares, draws, recipe.augment.model_copy(update=off), 64))
    torch.testing.assert_close(seen, augment(squares, draws, recipe.augment, 64))
    assert not torch.equal(seen, by_teacher)
    assert labels.tolist() == [0, 1]


def test_pupil_and_teacher_get_the_same_blend(make_recipe, runs, monkeypatch):
    recipe = make_recipe(["augment.mixup_alpha=1.0", taught_by(runs[0])])
    module = LesionModule(recipe, [4] * 7)
    module.on_fit_start()
    given = []
    module._forward = (lambda images: given.append(images) or module.network(images),)
    module._teacher = (lambda images: given.append(images) or torch.zeros(len(images), 7),)
    monkeypatch.setattr(module, "log", lambda *_, **__: None)
    images = torch.rand(4, 3, 64, 64)
    module.training_step((images, torch.arange(4), images + 1), 0)
    torch.testing.assert_close(given[0] + 1, given[1])
    assert not torch.equal(given[0], images)


def test_no_checkpoint_holds_the_teacher(make_recipe, runs):
    names = set(LesionModule(make_recipe([taught_by(*runs)]), [4] * 7).state_dict())
    assert names == set(LesionModule(make_recipe(), [4] * 7).state_dict())


def test_a_run_resumes_only_with_the_teacher_that_it_had(make_recipe, runs, tmp_path):
    recipe = make_recipe([*QUICK, taught_by(runs[0])])
    train(recipe, tmp_path / "run")
    assert len(read_notes(tmp_path / "run")["teacher_sha256"]) == 64
    train(recipe, tmp_path / "run", resume=True)
    other = copied(runs[0], tmp_path / "other")
    torch.save({**torch.load(other / BEST, weights_only=True), "epoch": 99}, other / BEST)
    with pytest.raises(TrainingError, match=r"teacher_sha256 differs"):
        train(make_recipe([*QUICK, taught_by(other)]), tmp_path / "run", resume=True)
    with pytest.raises(TrainingError, match=r"teacher_sha256 differs"):
        train(make_recipe(QUICK), tmp_path / "run", resume=True)
    with pytest.raises(TrainingError, match=r"teacher\.runs: .*gone without a best\.ckpt"):
        train(make_recipe([*QUICK, taught_by(tmp_path / "gone")]), tmp_path / "run", resume=True)


def test_a_teacher_that_cannot_teach_is_refused_before_training(make_recipe, runs, tmp_path):
    with pytest.raises(TrainingError, match=r"teacher\.runs: .*none holds no trained run \(run\.json and best\.ckpt\)"):
        train(make_recipe([taught_by(tmp_path / "none")]), tmp_path / "out")
    damaged = copied(runs[1], tmp_path / "damaged")
    (damaged / BEST).write_bytes(b"nothing")
    with pytest.raises(TrainingError, match=r"teacher\.runs: .*damaged is damaged or from another version"):
        train(make_recipe([taught_by(damaged)]), tmp_path / "out")
    uncounted = copied(runs[1], tmp_path / "uncounted")
    write_notes(uncounted, {**read_notes(runs[1]), "train_counts": {}})
    with pytest.raises(TrainingError, match=r"teacher\.runs: .*run\.json is damaged, it lacks 'akiec'"):
        train(make_recipe([taught_by(uncounted)]), tmp_path / "out")
    binary = make_recipe(["classes=['benign', 'malignant']", taught_by(runs[1])])
    with pytest.raises(TrainingError, match=r"second knows akiec .*; the recipe has benign malignant"):
        train(binary, tmp_path / "out")
    assert not (tmp_path / "out" / BEST).exists()


@pytest.mark.parametrize("override", ["teacher.weight=0", "teacher.weight=1.1", "teacher.temperature=0.5"])
def test_a_weight_or_temperature_out_of_bounds_is_refused(make_recipe, override):
    with pytest.raises(RecipeError, match=override.partition("=")[0]):
        make_recipe([override])
