from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dermalens.core.errors import DataError, TrainingError
from dermalens.core.files import has_locks
from dermalens.data.split import read_split
from dermalens.train.notes import read_notes
from dermalens.train.outline import OutlineSettings, outline_loss, overlap
from dermalens.train.outline_data import Changes, ShuffledBatches, changed, read_pairs, unchanged
from dermalens.train.outline_run import LOG, train_outline
from dermalens.train.run import LOCK
from tests.drawn_outlines import disc, draw_pairs

TINY = OutlineSettings(epochs=2, batch_size=4, weights="none", sides_pixels=((0, 32), (1, 48)))


def as_batch(mask: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """An image that is red where its mask is, and that mask."""
    image = np.where(mask[None], np.array([200, 0, 0])[:, None, None], np.array([0, 0, 200])[:, None, None])
    return torch.from_numpy(image.astype(np.uint8))[None], torch.from_numpy(mask.astype(np.uint8))[None]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs on drawn discs, with its split and outlines beside it."""
    folder = tmp_path_factory.mktemp("outline")
    split, masks = draw_pairs(folder, {"train": 8, "val": 4, "test": 1})
    train_outline(read_split(split), masks, folder / "run", TINY)
    return folder


def test_the_loss_falls_to_nothing_for_the_right_mask_and_rises_for_the_opposite():
    mask = torch.from_numpy(disc(32, 0.3).astype(np.float32))[None]
    sure = 20 * (2 * mask - 1)
    assert float(outline_loss(sure, mask)) == pytest.approx(0, abs=1e-4)
    assert float(outline_loss(-sure, mask)) == pytest.approx(20 + 1, abs=0.05)


def test_overlap_is_intersection_over_union():
    true = torch.zeros(2, 4, 4)
    true[0, :2] = 1
    logits = torch.full((2, 4, 4), -1.0)
    logits[0, 1:3] = 1
    assert overlap(logits, true).tolist() == pytest.approx([4 / 12, 1])


def test_image_and_mask_move_together():
    batch = as_batch(disc(64, 0.25, (0.3, 0.6)))
    still = Changes(brightness=0, contrast=0, saturation=0, channel_gain=0)
    images, masks = changed(batch, still, torch.Generator().manual_seed(3), side_pixels=48)
    assert images.shape == (1, 3, 48, 48)
    assert masks.shape == (1, 24, 24)
    red = torch.nn.functional.avg_pool2d(images[:, 0], 2)[0] > 0.4
    agreement = (red == (masks[0] > 0.5)).float().mean()
    assert float(agreement) > 0.97
    assert not torch.equal(masks, unchanged((torch.zeros(1, 3, 48, 48), torch.zeros(1, 48, 48)))[1])


def test_what_is_drawn_goes_to_the_device_of_the_images():
    """The meta device knows shapes and devices only, and refuses to mix them as a GPU does."""
    batch = torch.empty(2, 3, 64, 64, dtype=torch.uint8, device="meta"), torch.empty(2, 64, 64, device="meta")
    images, masks = changed(batch, Changes(), torch.Generator().manual_seed(5), side_pixels=48)
    assert (images.device.type, images.shape, masks.shape) == ("meta", (2, 3, 48, 48), (2, 24, 24))


def test_changes_follow_from_the_generator_alone():
    batch = as_batch(disc(64, 0.25))
    first, second = (changed(batch, Changes(), torch.Generator().manual_seed(5)) for _ in range(2))
    other = changed(batch, Changes(), torch.Generator().manual_seed(6))
    assert torch.equal(first[0], second[0])
    assert not torch.equal(first[0], other[0])


def test_batches_are_shuffled_anew_every_epoch_and_alike_on_a_resume():
    first, again, later = (list(ShuffledBatches(10, 4, seed=(1, epoch))) for epoch in (0, 0, 1))
    assert first == again != later
    assert len(first) == 2
    assert len({number for batch in first for number in batch}) == 8


def test_pairs_are_the_centre_squares_of_image_and_outline(tmp_path: Path):
    split, masks = draw_pairs(tmp_path, {"train": 2})
    pairs = read_pairs(read_split(split).part("train"), masks, side_pixels=72)
    images, drawn = pairs[[1]]
    assert images.shape == (1, 3, 72, 72)
    dark = images[0].float().mean(0) < 120
    assert float((dark == (drawn[0] == 1)).float().mean()) > 0.99


def test_an_image_without_an_outline_is_named(tmp_path: Path):
    split, masks = draw_pairs(tmp_path, {"train": 2, "val": 1})
    (masks / "drawn_train_1_segmentation.png").unlink()
    with pytest.raises(DataError, match=r"1 of 2 image\(s\) have no outline .*drawn_train_1"):
        train_outline(read_split(split), masks, tmp_path / "run", TINY)


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_split_without_a_part_is_refused_before_training(tmp_path: Path, part: str):
    split, masks = draw_pairs(tmp_path, {"train": 2, "val": 2, "test": 2} | {part: 0})
    with pytest.raises(DataError, match=rf"^The split has no images in {part}: .*dermalens data split INDEX$"):
        train_outline(read_split(split), masks, tmp_path / "run", TINY)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not has_locks(), reason="this system has no lock of files")
def test_a_second_process_does_not_train_in_the_same_folder(tmp_path: Path, run_folder: Path):
    run = tmp_path / "run"
    run.mkdir()
    script = f"import fcntl, sys; file = open({str(run / LOCK)!r}, 'w'); fcntl.lockf(file, 2); print(1); input()"
    with subprocess.Popen([sys.executable, "-uc", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"1\n"
        with pytest.raises(TrainingError, match=r"Another process trains in .*run\. Wait for it, or"):
            train_outline(read_split(run_folder / "split.csv"), run_folder / "masks", run, TINY)
        assert not (run / "run.json").exists()
        other.communicate(b"\n")


def test_a_run_leaves_checkpoints_notes_and_a_log(run_folder: Path):
    folder = run_folder / "run"
    assert (folder / "best.ckpt").is_file()
    assert (folder / "last.ckpt").is_file()
    with (folder / LOG).open(newline="") as stream:
        log = list(csv.DictReader(stream))
    assert [row["epoch"] for row in log] == ["0", "1"]
    assert read_notes(folder)["training"]["epochs"] == 2


def test_a_folder_that_holds_a_run_is_not_overwritten(run_folder: Path):
    split = read_split(run_folder / "split.csv")
    with pytest.raises(TrainingError, match="already holds a run"):
        train_outline(split, run_folder / "masks", run_folder / "run", TINY)


def test_a_finished_run_is_not_touched_by_a_resume(run_folder: Path):
    run = run_folder / "run"
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    with (run / LOG).open(newline="") as stream:
        losses = [float(row["val_loss"]) for row in csv.DictReader(stream)]
    rows = train_outline(read_split(run_folder / "split.csv"), run_folder / "masks", run, TINY, resume=True)
    assert [row["val_loss"] for row in rows] == losses
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_too_little_memory_is_one_line(tmp_path: Path, run_folder: Path):
    def fill_memory(_: str) -> None:
        raise MemoryError

    split = read_split(run_folder / "split.csv")
    with pytest.raises(TrainingError, match=r"^Out of memory: this machine .* No epoch was complete"):
        train_outline(split, run_folder / "masks", tmp_path / "run", TINY, say=fill_memory)


def test_a_resume_with_other_settings_is_refused(run_folder: Path):
    split = read_split(run_folder / "split.csv")
    with pytest.raises(TrainingError, match="other settings"):
        train_outline(split, run_folder / "masks", run_folder / "run", replace(TINY, epochs=3), resume=True)


def test_a_resumed_run_ends_as_one_that_was_never_stopped(tmp_path: Path, run_folder: Path):
    split, masks = read_split(run_folder / "split.csv"), run_folder / "masks"

    class StopError(Exception):
        pass

    def stop(line: str) -> None:
        if line.startswith("epoch 1 "):
            raise StopError

    with pytest.raises(StopError):
        train_outline(split, masks, tmp_path / "run", TINY, say=stop)
    last = (tmp_path / "run" / "last.ckpt").read_bytes()  # of epoch 0
    (tmp_path / "run" / "last.ckpt").write_bytes(last[:1000])
    with pytest.raises(TrainingError, match=r"last\.ckpt is damaged, nothing can be resumed from it"):
        train_outline(split, masks, tmp_path / "run", TINY, resume=True)
    (tmp_path / "run" / "last.ckpt").write_bytes(last)
    train_outline(split, masks, tmp_path / "run", TINY, resume=True)
    again, before = ((folder / LOG).read_text().splitlines() for folder in (tmp_path / "run", run_folder / "run"))
    assert [line.split(",")[:4] for line in again] == [line.split(",")[:4] for line in before]
