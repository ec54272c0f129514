from __future__ import annotations

import multiprocessing
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dermalens.core.errors import DataError
from dermalens.core.files import claimed, has_locks
from dermalens.data.index import read_index, write_index
from dermalens.data.leaks import SAME_LESION_PAIRS
from dermalens.data.split import write_split
from dermalens.train.datamodule import DrawSampler, FixedImages, LesionData, TrainingImages, side_at

LABELS = [0] * 900 + [1] * 100
SIDES = [(0, 48)]


@pytest.mark.parametrize(("power", "share"), [(0.5, 10 / 40), (1.0, 0.5)])
def test_the_sampler_draws_classes_by_their_size_to_the_power_of_one_minus_power(power, share):
    drawn = [LABELS[row] for epoch in range(20) for row, *_ in sampler_of(power, epoch=epoch)]
    assert np.mean(drawn) == pytest.approx(share, abs=0.015)


def test_with_power_0_every_image_is_drawn_once_an_epoch():
    assert sorted(row for row, *_ in sampler_of(0.0)) == list(range(1000))


def test_draws_depend_on_seed_and_epoch_alone():
    assert list(sampler_of(0.5, epoch=3)) == list(sampler_of(0.5, epoch=3))
    assert list(sampler_of(0.5, epoch=3)) != list(sampler_of(0.5, epoch=4))
    assert list(sampler_of(0.5, seed=1)) != list(sampler_of(0.5, seed=2))


@pytest.mark.parametrize("power", [0.0, 0.5])
def test_the_processes_of_ddp_share_the_draws_of_one(power):
    alone = list(sampler_of(power))
    parts = [list(DrawSampler(LABELS, power=power, seed=1, sides=SIDES, rank=rank, world=3)) for rank in range(3)]
    assert [len(part) for part in parts] == [333, 333, 333]
    assert [draw for draws in zip(*parts, strict=True) for draw in draws] == alone[:999]


def sampler_of(power: float, *, seed: int = 1, epoch: int = 0) -> DrawSampler:
    sampler = DrawSampler(LABELS, power=power, seed=seed, sides=SIDES)
    sampler.set_epoch(epoch)
    return sampler


def test_the_test_part_is_never_read(make_recipe):
    # The drawn test images do not exist: opening one would raise.
    data = LesionData(make_recipe())
    rows = data.train_rows + data.val_rows
    assert Counter(row.part for row in rows) == {"train": 28, "val": 14}
    images = TrainingImages(data.train_rows, data.recipe), FixedImages(data.val_rows, data.recipe)
    assert [images[0][number, 5, 48][2] for number in range(28)] == [
        images[0].recipe.classes.index(r.label) for r in data.train_rows
    ]
    assert {tuple(images[1][number][0].shape) for number in range(14)} == {(3, 64, 64)}


def test_a_fold_is_held_out_instead_of_the_val_part(make_recipe):
    data = LesionData(make_recipe(["data.fold=1"]))
    assert {row.fold for row in data.val_rows} == {1}
    assert {row.fold for row in data.train_rows} == {0}
    assert len(data.train_rows) + len(data.val_rows) == 42
    assert all(row.part != "test" for row in data.val_rows)


def test_a_fold_that_the_split_has_not_is_refused(make_recipe):
    with pytest.raises(DataError, match="data.fold is 2, but .* has folds 0, 1"):
        LesionData(make_recipe(["data.fold=2"]))


def test_labels_that_the_recipe_does_not_list_are_refused(make_recipe):
    with pytest.raises(DataError, match="does not list in `classes`: df, vasc"):
        LesionData(make_recipe(['classes=["akiec", "bcc", "bkl", "mel", "nv"]']))


def test_a_class_with_a_single_lesion_is_refused(make_recipe, split_file, tmp_path):
    rows = [
        replace(row, lesion_id="one") if row.label == "vasc" and row.part == "val" else row
        for row in read_index(split_file)
    ]
    write_split([replace(row, fold=None) for row in rows], tmp_path / "split.csv", seed=0)
    with pytest.raises(DataError, match=r"fewer than 2 validation lesions: vasc \(1\)"):
        LesionData(make_recipe([f"data.split='{tmp_path / 'split.csv'}'"]))


def test_diagnoses_count_as_benign_or_malignant_and_such_labels_stay(make_recipe, split_file, tmp_path):
    rows = read_index(split_file)
    assert rows[0].label == "akiec"
    rows[0] = replace(rows[0], label="malignant")
    write_split(rows, tmp_path / "split.csv", seed=0)
    data = LesionData(make_recipe([f"data.split='{tmp_path / 'split.csv'}'", 'classes=["benign", "malignant"]']))
    assert data.train_counts == [16, 12]
    assert [FixedImages(data.val_rows, data.recipe)[number][1] for number in (0, 4)] == [1, 0]


def test_a_fold_left_out_is_not_learned_from_and_the_val_part_still_selects(make_recipe):
    data = LesionData(make_recipe(["data.left_out=1"]))
    assert {(row.part, row.fold) for row in data.train_rows} == {("train", 0)}
    assert {(row.part, row.fold) for row in data.left_out_rows} == {("train", 1)}
    assert {row.part for row in data.val_rows} == {"val"}
    assert (len(data.train_rows), len(data.left_out_rows), len(data.val_rows)) == (14, 14, 14)
    with pytest.raises(DataError, match="data.left_out is 2, but .* has folds 0, 1"):
        LesionData(make_recipe(["data.left_out=2"]))


def test_an_extra_image_of_a_lesion_in_the_fold_left_out_is_refused(make_recipe, split_file, tmp_path):
    known = next(row for row in read_index(split_file) if (row.part, row.fold) == ("train", 1))
    write_index([replace(known, image_id="another", part="", fold=None)], tmp_path / "extra.csv")
    with pytest.raises(DataError, match=f"in both train and the fold left out: {known.lesion_id}"):
        LesionData(make_recipe([f"data.extra=['{tmp_path / 'extra.csv'}']", "data.left_out=1"]))


@pytest.mark.parametrize(("part", "what"), [("train", "training"), ("val", "validation")])
def test_a_class_without_an_image_in_a_part_is_refused(make_recipe, split_file, tmp_path, part, what):
    rows = [row for row in read_index(split_file) if (row.part, row.label) != (part, "df")]
    write_split(rows, tmp_path / "split.csv", seed=0)
    with pytest.raises(DataError, match=rf"fewer than 2 {what} lesions: df \(0\)"):
        LesionData(make_recipe([f"data.split='{tmp_path / 'split.csv'}'"]))


def test_extra_images_go_to_the_train_part_and_may_not_be_in_the_split(make_recipe, split_file, tmp_path):
    rows = read_index(split_file)
    foreign = [replace(row, image_id=f"x{row.image_id}", lesion_id=f"x{row.lesion_id}", part="") for row in rows[:3]]
    extra = tmp_path / "extra.csv"
    write_index(foreign, extra)
    data = LesionData(make_recipe([f"data.extra=['{extra}']"]))
    assert len(data.train_rows) == 31
    assert data.train_counts == [7, 4, 4, 4, 4, 4, 4]
    write_index(rows[:1], extra)
    with pytest.raises(DataError, match="already in the split: akiec_0"):
        LesionData(make_recipe([f"data.extra=['{extra}']"]))
    write_index([replace(foreign[0], lesion_id=rows[6].lesion_id)], extra)
    with pytest.raises(DataError, match="in both train and test"):
        LesionData(make_recipe([f"data.extra=['{extra}']"]))


def test_extra_images_of_a_split_that_was_edited_are_refused(make_recipe, split_file, tmp_path):
    extra = tmp_path / "extra.csv"
    write_split([replace(row, image_id=f"x{n}") for n, row in enumerate(read_index(split_file)[:2])], extra, seed=0)
    extra.write_text(extra.read_text().replace("\nx0,", "\nx9,"))
    with pytest.raises(DataError, match=r"extra\.csv was changed after it was split"):
        LesionData(make_recipe([f"data.extra=['{extra}']"]))


def test_an_extra_image_of_a_lesion_in_the_held_out_fold_is_refused(make_recipe, split_file, tmp_path):
    known = next(row for row in read_index(split_file) if (row.part, row.fold) == ("train", 1))
    extra = tmp_path / "extra.csv"
    write_index([replace(known, image_id="another", part="", fold=None)], extra)
    with pytest.raises(DataError, match=f"1 lesion is in both train and val: {known.lesion_id}"):
        LesionData(make_recipe([f"data.extra=['{extra}']", "data.fold=1"]))
    for settings in (["data.fold=0"], []):  # there the lesion is in train as well
        data = LesionData(make_recipe([f"data.extra=['{extra}']", *settings]))
        assert [row.lesion_id for row in data.train_rows].count(known.lesion_id) == 2


def test_an_extra_image_known_to_show_a_held_out_lesion_is_refused(make_recipe, split_file, tmp_path):
    first, second = SAME_LESION_PAIRS[0]
    rows = read_index(split_file)
    rows[-1] = replace(rows[-1], image_id=first)
    write_split(rows, tmp_path / "split.csv", seed=0)
    write_index([replace(rows[0], image_id=second, lesion_id="unheard of", part="")], tmp_path / "extra.csv")
    settings = [f"data.split='{tmp_path / 'split.csv'}'", f"data.extra=['{tmp_path / 'extra.csv'}']"]
    with pytest.raises(DataError, match="1 lesion is in both train and test"):
        LesionData(make_recipe(settings))


def test_the_same_draw_gives_the_same_image_whatever_is_in_its_batch(make_recipe):
    data = LesionData(make_recipe(["augment.noise_probability=1.0", "augment.blur_probability=1.0"]))
    images = TrainingImages(data.train_rows, data.recipe)

    def changed(*drawn):
        return data.on_after_batch_transfer(images.collate([images[(*one, 48)] for one in drawn]), 0)

    together, labels = changed((3, 11), (3, 12), (8, 11))
    alone, _ = changed((3, 11))
    assert together.shape == (3, 3, 48, 48)
    assert labels.tolist() == [0, 0, 2]
    assert float((alone[0] - together[0]).abs().max()) < 1e-6
    assert float((together[0] - together[1]).abs().max()) > 0.1


def test_validation_batches_are_left_as_they_are(make_recipe):
    data = LesionData(make_recipe())
    batch = next(iter(data.val_dataloader()))
    assert data.on_after_batch_transfer(batch, 0) is batch


def test_images_kept_decoded_are_the_images_and_are_made_once(make_recipe, tmp_path):
    recipe = make_recipe([f"data.decoded='{tmp_path / 'decoded'}'", "augment.sides_pixels=[[0, 64]]"])
    data = LesionData(recipe)
    data.prepare_data()
    (kept,) = (tmp_path / "decoded").iterdir()
    made = kept.stat().st_mtime_ns
    from_files = TrainingImages(data.train_rows, recipe)
    from_memory = data.train_dataloader().dataset
    assert from_memory.decoded == kept
    assert all(torch.equal(from_memory[n, 5, 64][0], from_files[n, 5, 64][0]) for n in range(28))
    assert kept.stat().st_mtime_ns == made


@pytest.mark.skipif(not has_locks(), reason="what nobody holds is told by its lock")
def test_what_a_killed_run_left_half_decoded_goes_and_what_is_being_decoded_stays(make_recipe, tmp_path):
    recipe = make_recipe([f"data.decoded='{tmp_path / 'decoded'}'"])
    LesionData(recipe).prepare_data()
    (kept,) = (tmp_path / "decoded").iterdir()
    abandoned, being_made = (kept.with_suffix(f".{number}.tmp") for number in (1, 2))
    foreign = kept.with_name("mine.tmp")
    for file in (abandoned, being_made, foreign):
        file.write_bytes(b"half")
    kept.unlink()
    with claimed(being_made) as is_ours:
        assert is_ours
        LesionData(recipe).prepare_data()
    assert set((tmp_path / "decoded").iterdir()) == {kept, being_made, foreign}


def test_decoded_images_that_do_not_fit_are_refused_with_what_they_need(make_recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match=r"28 images need 0\.0 GB .* has 0\.0 GB"):
        LesionData(make_recipe([f"data.decoded='{tmp_path}'"])).prepare_data()


def test_an_image_that_cannot_be_read_is_named(make_recipe, split_file):
    missing = [row for row in read_index(split_file) if row.part == "test"][:1]
    with pytest.raises(DataError, match="Image akiec_6 .*akiec_6.png"):
        FixedImages(missing, make_recipe())[0]


def test_the_training_side_follows_the_epoch(make_recipe):
    recipe = make_recipe(["augment.sides_pixels=[[0, 48], [2, 64], [5, 80]]"])
    sides = recipe.augment.sides_pixels
    assert [side_at(sides, epoch) for epoch in range(7)] == [48, 48, 64, 64, 64, 80, 80]
    images = TrainingImages(LesionData(recipe).train_rows, recipe)
    assert images[0, 1, 80][0].shape == (3, 92, 92)  # the margin that the warp takes from
    assert Path(images.rows[0].path).is_file()


def test_workers_stay_and_an_epoch_gives_what_a_run_that_begins_with_it_gives(make_recipe):
    recipe = make_recipe(["augment.sides_pixels=[[0, 48], [1, 64]]", "data.workers=1"])
    stays, begins = LesionData(recipe).train_dataloader(), LesionData(recipe).train_dataloader()
    begins.sampler.set_epoch(1)
    first = next(iter(stays))
    (worker,) = multiprocessing.active_children()
    stays.sampler.set_epoch(1)
    second = list(stays)
    assert worker.is_alive()
    assert (first.side_pixels, {batch.side_pixels for batch in second}) == (48, {64})
    for batch, expected in zip(second, begins, strict=True):
        assert torch.equal(batch.squares, expected.squares)
        assert np.array_equal(batch.draws, expected.draws)
        assert torch.equal(batch.labels, expected.labels)
