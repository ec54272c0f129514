"""Train on another machine, which has PyTorch, timm and Lightning but neither the data nor this package.

    python -m benchmarks.elsewhere pack MEGABYTES       here: work/carry/part_0.tar, ..., none larger than that
    python -m benchmarks.elsewhere unpack TAR [TAR ...]              there, in a copy of this checkout
    python -m benchmarks.elsewhere throughput OUT                    there: OUT/training.json, as by `make bench`
    python -m benchmarks.elsewhere train OUT MINUTES [NAME ...]      there: OUT/NAME.tar for each network of `PLAN`
    mkdir -p runs/NAME; tar -xf NAME.tar -C runs/NAME   here: a finished run, for `dermalens export`

The networks are trained one after the other, each for as many epochs as fit into its share of the time, and each is
written as soon as it is done. Nothing of the test part is packed. Kernels travel in 16 bits, all else in 32. The whole
procedure stands in docs/how-to/default-model.md.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from benchmarks.training import measure, own_device, real_batches, seconds_of, steps
from dermalens.data.index import read_index, write_index
from dermalens.models.backbones import BACKBONES
from dermalens.models.weights import package_file, read_state
from dermalens.train.checkpoint import BEST
from dermalens.train.curves import CURVES
from dermalens.train.datamodule import PREFETCH_BATCHES, LesionData
from dermalens.train.epochs import METRICS
from dermalens.train.failures import check_machine
from dermalens.train.notes import NOTES
from dermalens.train.recipe import Recipe, read_recipe
from dermalens.train.run import train

RECIPES: Final = Path(__file__).resolve().parents[1] / "recipes"
WORK: Final = Path("work")
"""Where recipes look for the tables, here and there."""
SITE: Final = WORK / "site"
"""Start weights, as their packages have them."""
TABLES: Final = ("split.csv", "isic.csv")

TIMED_STEPS: Final = 20
VALIDATION: Final = 0.4
"""What an image of the validation part costs, in images of the train part; a guess on the safe side."""
KEPT_BACK: Final = 0.1
"""Of the time of a network, for its start and its end."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A network: its recipe with what is changed of it, and its epochs; None is as many as fit."""

    recipe: str
    settings: tuple[str, ...] = ()
    epochs: int | None = None


LONG: Final = (
    "model.frozen=[]", "augment.sides_pixels=[[0, 224]]", "trainer.batch_size=128", "optimizer.lr=1e-3",
    "optimizer.warmup_epochs=2", "optimizer.ema_decay=0.99",
)  # fmt: skip
PLAN: Final[Mapping[str, Planned]] = {
    "default": Planned("default.toml", epochs=21),
    "long_lite2": Planned("default_lite0.toml", ("seed=2001", "model.backbone=efficientnet_lite2", *LONG)),
    "long_lite1": Planned("default_lite0.toml", ("seed=2002", "model.backbone=efficientnet_lite1", *LONG)),
    "long_lite0": Planned("default_lite0.toml", ("seed=2003", *LONG)),
}
"""The default recipe as it is, for its time; then longer runs on pictures of worse cameras, with hairs and bubbles, all
layers learning at the side that the bundle has."""


def pack(tables: Sequence[Path], folder: Path, *, megabytes: float, packages: Sequence[str]) -> list[Path]:
    """Write start weights, tables and the images of all rows but those of the test part as tar files into `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        stage, images = Path(name), dict[str, Path]()
        for package in packages:
            _write_weights(package, stage)
        for table in tables:
            images |= _write_table(table, stage)
        staged = {file.relative_to(stage).as_posix(): file for file in sorted(stage.rglob("*")) if file.is_file()}
        return _write_tars({**staged, **images}, folder, int(megabytes * 1e6))


def _write_weights(package: str, stage: Path) -> None:
    """A package of the same name, with its kernels in 16 bits."""
    source = package_file(package)
    place = stage / SITE.name / package
    (place / source.parent.name).mkdir(parents=True)
    (place / "__init__.py").touch()
    torch.save(halved(read_state(source)), place / source.parent.name / source.name)


def _write_table(table: Path, stage: Path) -> dict[str, Path]:
    """A table with its images under new names; gives the files of those that travel."""
    rows = read_index(table)
    paths = dict.fromkeys(row.path for row in rows)
    names = {path: f"images/{table.stem}/{number:05}{Path(path).suffix}" for number, path in enumerate(paths)}
    write_index((replace(row, path=str(stage / names[row.path])) for row in rows), stage / table.name)
    if (note := table.with_suffix(".json")).is_file():
        shutil.copy(note, stage / note.name)
    return {names[row.path]: Path(row.path) for row in rows if row.part != "test"}


def _write_tars(files: Mapping[str, Path], folder: Path, limit: int) -> list[Path]:
    """The files in their order, each tar file below `limit` bytes unless a single file is larger."""
    parts: list[list[str]] = [[]]
    held = 0
    for name, file in files.items():
        size = file.stat().st_size + 2 * tarfile.BLOCKSIZE  # its header, and what fills its last block
        if parts[-1] and held + size > limit - tarfile.RECORDSIZE:
            parts.append([])
            held = 0
        parts[-1].append(name)
        held += size
    targets = [folder / f"part_{number}.tar" for number in range(len(parts))]
    for target, names in zip(targets, parts, strict=True):
        with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT, dereference=True) as archive:
            for name in names:
                archive.add(files[name], name)
    return targets


def unpack(tars: Sequence[Path], folder: Path) -> None:
    """What `pack` wrote, in any number of calls."""
    for tar in tars:
        with tarfile.open(tar) as archive:
            archive.extractall(folder, filter="data")


def halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Kernels in 16 bits; norms and biases, which have one axis, and counters as they are."""
    return {
        name: value.half() if value.is_floating_point() and value.ndim > 1 else value for name, value in state.items()
    }


def train_plan(plan: Mapping[str, Planned], runs: Path, out: Path, *, until: float, common: Sequence[str]) -> None:
    """Train the networks of `plan` with the settings `common`, to be done at `until` (`time.monotonic()`)."""
    for left, (name, planned) in zip(range(len(plan), 0, -1), plan.items(), strict=True):
        own_end = time.monotonic() + (until - time.monotonic()) / left
        source, settings = RECIPES / planned.recipe, [*planned.settings, f"name={name}", *common]
        check_machine(wanted := read_recipe(source, settings))
        epochs = planned.epochs or fitting_epochs(wanted, own_end - time.monotonic())
        recipe = read_recipe(source, [*settings, f"trainer.epochs={epochs}"])
        began = time.monotonic()
        summary = train(recipe, runs / name, callbacks=[Deadline(until if planned.epochs else own_end)])
        print(f"{name}: {summary.epochs} of {epochs} epochs in {time.monotonic() - began:.0f} s", flush=True)
        write_run(runs / name, out / f"{name}.tar")


def fitting_epochs(recipe: Recipe, seconds: float) -> int:
    """How many epochs fit into a time, by the rate of some steps; measuring it is part of that time."""
    began = time.monotonic()
    device, data = own_device(), LesionData(recipe)
    data.prepare_data()
    step, batches = steps(recipe, device), real_batches(data, device)
    ready = 1 + recipe.data.workers * PREFETCH_BATCHES  # what the workers may have decoded before the clock starts
    length = len(data.train_rows) // recipe.trainer.batch_size
    timed = min(TIMED_STEPS, max(1, length - ready - 1))
    seconds_of(step, batches, min(ready, length - timed - 1))
    of_an_image = seconds_of(step, batches, timed) / timed / recipe.trainer.batch_size
    of_an_epoch = of_an_image * (len(data.train_rows) + VALIDATION * len(data.val_rows))
    left = seconds * (1 - KEPT_BACK) - (time.monotonic() - began)
    print(f"{1 / of_an_image:.0f} images/s, {of_an_epoch:.1f} s an epoch, {left:.0f} s left", flush=True)
    return max(int(recipe.optimizer.warmup_epochs) + 1, int(left / of_an_epoch))


class Deadline(Callback):
    """Ends a run after the last epoch that ends in time, by the longest epoch so far; what it has is kept."""

    def __init__(self, end: float) -> None:
        self._end = end
        self._began = time.monotonic()
        self._longest = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of an epoch."""
        self._began = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """After its validation."""
        self._longest = max(self._longest, time.monotonic() - self._began)
        if time.monotonic() + self._longest > self._end:
            trainer.should_stop = True


def write_run(run: Path, target: Path) -> None:
    """The best weights of a run with its notes, log and curves as one tar file."""
    with tempfile.TemporaryDirectory() as name:
        state = torch.load(run / BEST, map_location="cpu", weights_only=True)["state_dict"]
        torch.save({"state_dict": halved(state)}, Path(name) / BEST)
        with tarfile.open(target, "w") as archive:
            archive.add(Path(name) / BEST, BEST)
            for beside in (NOTES, METRICS, CURVES):
                archive.add(run / beside, beside)


def there() -> list[str]:
    """Settings for the machine that one is on: a GPU in bfloat16 that is fed from images kept decoded in memory."""
    shared = Path("/dev/shm")
    return [
        "trainer.accelerator=gpu",
        "trainer.precision=bf16-mixed",
        "trainer.compile=false",  # compiling takes a minute of a network's two or three
        f"data.workers={max(1, (os.cpu_count() or 1) - 1)}",
        f"data.decoded='{(shared if shared.is_dir() else WORK) / 'dermalens_decoded'}'",
    ]


def main() -> None:
    """One of the commands above."""
    match sys.argv[1:]:
        case ["pack", megabytes]:
            packages = [entry.package for entry in BACKBONES.values() if entry.package]
            tables = [WORK / name for name in TABLES]
            for tar in pack(tables, WORK / "carry", megabytes=float(megabytes), packages=packages):
                print(f"{tar}: {tar.stat().st_size / 1e6:.1f} MB")
        case ["unpack", *tars]:
            unpack([Path(tar) for tar in tars], WORK)
        case ["throughput", out]:
            found = json.dumps(measure(), indent=2)
            (Path(out) / "training.json").write_text(found + "\n", encoding="utf-8")
            print(found)
        case ["train", out, minutes, *names]:
            sys.path.insert(0, str(SITE.resolve()))
            until = time.monotonic() + 60 * float(minutes)
            plan = {name: PLAN[name] for name in names or PLAN}
            train_plan(plan, Path("runs"), Path(out), until=until, common=there())
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
