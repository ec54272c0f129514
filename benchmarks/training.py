"""Images a second of real training against the same steps on random tensors that already lie on the device.

    make bench ARGS=training

Real training is the recipe's own data module: drawn JPEG files of 256 pixels, as `dermalens data cache` makes them, or
the same images kept decoded (`data.decoded`), with the random changes of the default recipe. Both sides take turns, so
that what else the machine does falls on both. Each real turn starts its workers anew, so that nothing was decoded while
the other side was timed. The first step after the workers were forked takes seconds, as the system then copies each
page of memory that is written to; that happens once in a run, as workers stay from epoch to epoch, and stands beside.

The workers decode ahead. So an epoch is longer here than what they may hold, and a batch is decoded for every batch
that is taken while the clock runs. Where a GPU takes batches faster than new ones come, what they hold is used up
before the clock starts. A step is that of the recipe's module as Lightning calls it, without the average of the weights
and the log.
"""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor

from benchmarks.evaluation import draw_index
from benchmarks.timing import machine
from dermalens.core.taxonomy import CLASSES
from dermalens.data.index import Row, read_index
from dermalens.data.split import write_split
from dermalens.train.datamodule import PREFETCH_BATCHES, LesionData
from dermalens.train.module import LesionModule
from dermalens.train.notes import device_name
from dermalens.train.recipe import Recipe, read_recipe

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "default.toml"
FILES = 280
"""Drawn images; rows of the split name them again and again."""

TURNS = {"cpu": 5, "cuda": 3}
"""Turns of each side; the figure is the median of their ratios."""

AIM = {"cpu": 0.9, "cuda": 0.95}
"""Of the ratio."""

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Case:
    """A network at its side, with the images of a batch and the timed batches of a turn, for a CPU and for a GPU."""

    backbone: str
    side_pixels: int
    on_cpu: tuple[int, int]
    on_gpu: tuple[int, int]


CASES = (
    Case("efficientnet_lite0", 224, on_cpu=(32, 6), on_gpu=(256, 50)),
    Case("efficientnet_b4", 380, on_cpu=(4, 3), on_gpu=(64, 50)),
)


def measure() -> dict[str, object]:
    """Both networks, from JPEG files and from images kept decoded."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = read_index(draw_index(folder, FILES))
        found = {
            f"{case.backbone} at {case.side_pixels}": {
                "JPEG files": measure_case(case, files, folder, decoded=""),
                "kept decoded": measure_case(case, files, folder, decoded=str(folder / "decoded")),
            }
            for case in CASES
        }
    aim = AIM[own_device().type]
    return {
        "machine": machine(),
        "device": device_name(own_device()),
        "threads": torch.get_num_threads(),
        "aim": aim,
        "aim_reached": all(one["ratio"] >= aim for sources in found.values() for one in sources.values()),
        **found,
    }


def measure_case(case: Case, files: Sequence[Row], folder: Path, *, decoded: str) -> dict[str, Any]:
    """Images a second of both sides and their ratio, medians over the turns."""
    device = own_device()
    batch_size, batches = case.on_gpu if device.type == "cuda" else case.on_cpu
    workers = _workers(decoded)
    ahead = workers * PREFETCH_BATCHES
    split = _split(files, folder / f"{case.backbone}.csv", batch_size * (2 + ahead + batches))
    recipe = _recipe(case, split, decoded, batch_size, workers)
    lightning.seed_everything(0, verbose=False)
    step = steps(recipe, device)
    data = LesionData(recipe)
    data.prepare_data()
    ready = torch.rand(batch_size, 3, case.side_pixels, case.side_pixels, device=device)
    synthetic = itertools.repeat((ready, torch.arange(batch_size, device=device) % len(CLASSES)))
    for source in (synthetic, real_batches(data, device)):
        seconds_of(step, source, 2)
    turns, firsts = [], []
    for _ in range(TURNS[device.type]):
        bare, real = seconds_of(step, synthetic, batches), real_batches(data, device)
        firsts.append(seconds_of(step, real, 1))
        if device.type == "cuda":
            seconds_of(step, real, ahead)
        turns.append((bare, seconds_of(step, real, batches)))
    bare, full = (statistics.median(times) / batches for times in zip(*turns, strict=True))
    return {
        "batch": batch_size,
        "precision": recipe.trainer.precision,
        "compiled": "yes" if recipe.trainer.compile else "no",
        "workers": recipe.data.workers,
        "synthetic_images_per_second": round(batch_size / bare, 2),
        "real_images_per_second": round(batch_size / full, 2),
        "ratio": round(statistics.median(first / second for first, second in turns), 3),
        "first_step_of_an_epoch_s": round(statistics.median(firsts), 2),
    }


def _split(files: Sequence[Row], target: Path, count: int) -> Path:
    """A split with so many training rows, or as many as every class needs; the first rows of each class judge."""
    judges = [replace(row, part="val") for row in files[: 4 * len(CLASSES)]]
    learned = itertools.islice(itertools.cycle(files[len(judges) :]), max(count, len(judges)))
    rows = [replace(row, image_id=f"{row.image_id}_{number}", part="train") for number, row in enumerate(learned)]
    write_split([*judges, *rows], target, seed=0)
    return target


def own_device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _workers(decoded: str) -> int:
    if own_device().type == "cuda":
        return min(16, os.cpu_count() or 1)
    return 0 if decoded else 2


def _recipe(case: Case, split: Path, decoded: str, batch_size: int, workers: int) -> Recipe:
    is_gpu = own_device().type == "cuda"
    return read_recipe(
        RECIPE,
        [
            f"data.split='{split}'",
            "data.extra=[]",
            "balance.sampler_power=0.0",
            f"data.decoded='{decoded}'",
            f"data.workers={workers}",
            f"model.backbone={case.backbone}",
            "model.weights=none",
            f"augment.sides_pixels=[[0, {case.side_pixels}]]",
            f"trainer.batch_size={batch_size}",
            f"trainer.precision={'bf16-mixed' if is_gpu else '32-true'}",
            f"trainer.compile={'true' if is_gpu else 'false'}",
        ],
    )


def steps(recipe: Recipe, device: torch.device) -> Callable[[Batch], None]:
    """One step of the recipe's module: forward, loss, backward, clipping, optimiser; as Lightning calls them."""
    module = LesionModule(recipe, [1] * len(CLASSES)).to(device)
    network = module.network.to(memory_format=torch.channels_last).train()
    run = torch.compile(network, dynamic=False) if recipe.trainer.compile else network
    spec = recipe.optimizer
    optimizer = torch.optim.AdamW(network.parameters(), lr=spec.lr)
    is_mixed = recipe.trainer.precision == "bf16-mixed"

    def step(batch: Batch) -> None:
        images, labels = batch
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_mixed):
            loss = module.loss(run(images.contiguous(memory_format=torch.channels_last)), labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), spec.gradient_clip)
        optimizer.step()

    return step


def real_batches(data: LesionData, device: torch.device) -> Iterator[Batch]:
    """Batches of an epoch from its second on, changed on the device; the first has been waited for."""
    batches = iter(data.train_dataloader())
    next(batches)

    def changed() -> Iterator[Batch]:
        for batch in batches:
            squares, labels = (part.to(device, non_blocking=True) for part in (batch.squares, batch.labels))
            yield data.on_after_batch_transfer(batch._replace(squares=squares, labels=labels), 0)

    return changed()


def seconds_of(step: Callable[[Batch], None], source: Iterator[Batch], batches: int) -> float:
    """How long so many steps take, those of the device included."""
    start = time.perf_counter()
    for _ in range(batches):
        step(next(source))
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start
