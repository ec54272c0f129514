"""`run.json`: what a run was made from and what came of it; export copies it into the bundle's provenance."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

import dermalens
from dermalens.core.errors import TrainingError, name_some
from dermalens.core.files import write_whole
from dermalens.data.index import read_index
from dermalens.data.split import split_sha256
from dermalens.train.checkpoint import BEST
from dermalens.train.datamodule import LesionData
from dermalens.train.epochs import EpochRecord, best_record
from dermalens.train.recipe import Recipe

NOTES = "run.json"
MAY_DIFFER = (
    "data.split",
    "data.extra",
    "data.workers",
    "data.decoded",
    "teacher.runs",
    "trainer.accelerator",
    "trainer.compile",
)
"""Keys of a recipe that a resumed run may change: they say where it runs and where the data lies, not what it learns;
the data itself is compared by its hashes. With `data.decoded` figures differ a little where there are several sides,
which are then reduced from the largest. The number of devices is none of them: with it the images of a step change, and
so the steps of the schedule and the reach of the average."""


class Forerunner(BaseModel):
    """What the run of start weights or of a teacher has learned from, as its `run.json` says."""

    model_config = ConfigDict(frozen=True)

    run: str
    split: str
    extra: tuple[str, ...] = ()
    fold: int | None = None
    left_out: int | None = None
    split_sha256: str
    folds_sha256: str = ""
    extra_sha256: str = ""
    sources: tuple[str, ...]


def read_forerunners(folder: Path) -> list[Forerunner]:
    """The run in `folder` and the runs that it came from itself; none where `run.json` is not that of a classifier.

    Raises:
        TrainingError: `run.json` is damaged.
    """
    try:
        notes = read_notes(folder)
        if "recipe" not in notes:
            return []
        own = Forerunner.model_validate({**notes["recipe"]["data"], **notes, "run": str(folder)})
        return [own, *map(Forerunner.model_validate, notes.get("forerunners", []))]
    except (KeyError, TypeError, TrainingError, ValidationError) as error:
        raise TrainingError(
            f"{folder / NOTES} does not say what the run has learned from. Train it again, or take other weights."
        ) from error


def start_notes(recipe: Recipe, data: LesionData, folder: Path, forerunners: Sequence[Forerunner]) -> None:
    """Write `run.json` at the start; a resumed run keeps the time of its first start.

    `sources` are also those of `forerunners`, the runs that this one comes from: its network has learned from them.
    """
    former = read_notes(folder)
    sources = {row.source for row in (*data.train_rows, *data.val_rows)}
    write_notes(
        folder,
        {
            "recipe": recipe.model_dump(mode="json"),
            "code_version": dermalens.__version__,
            "git_commit": _git_commit(),
            "packages": {name: version(name) for name in ("torch", "torchvision", "timm", "lightning")},
            "split_sha256": data.split_sha256,
            "folds_sha256": data.folds_sha256,
            "extra_sha256": extra_sha256(recipe),
            "teacher_sha256": teacher_sha256(recipe),
            "sources": sorted(sources.union(*(one.sources for one in forerunners))),
            "forerunners": [one.model_dump(mode="json") for one in forerunners],
            "train_counts": dict(zip(recipe.classes, data.train_counts, strict=True)),
            "train_images": len(data.train_rows),
            "val_images": len(data.val_rows),
            "started": former.get("started", now()),
        },
    )


def extra_sha256(recipe: Recipe) -> str:
    """The SHA-256 of each index of `data.extra`, in order, with commas between."""
    return ",".join(split_sha256(read_index(Path(source))) for source in recipe.data.extra)


def teacher_sha256(recipe: Recipe) -> str:
    """The SHA-256 of the checkpoint of each run of `teacher.runs`, in order, with commas between.

    Raises:
        TrainingError: a run has none.
    """
    checkpoints = [Path(run) / BEST for run in recipe.teacher.runs]
    if missing := [str(path.parent) for path in checkpoints if not path.is_file()]:
        raise TrainingError(
            f"teacher.runs: {name_some(missing)} without a {BEST}. Train it first, or say where it lies."
        )
    return ",".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in checkpoints)


def finish_notes(records: Sequence[EpochRecord], device: torch.device, folder: Path) -> None:
    """Add the end and what came of it; `training` has the keys that the bundle's provenance takes over."""
    best = best_record(records)
    training = {
        "device": device_name(device),
        "seconds": round(sum(record.seconds for record in records), 1),
        "epochs": len(records),
        "best_epoch": best.epoch,
        "val_balanced_accuracy": best.val_balanced_accuracy,
        "val_macro_auc": best.val_macro_auc,
    }
    write_notes(folder, {**read_notes(folder), "ended": now(), "training": training})


def read_notes(folder: Path) -> dict[str, Any]:
    """The notes of a run; empty where there are none.

    Raises:
        TrainingError: the file is damaged.
    """
    source = folder / NOTES
    if not source.is_file():
        return {}
    try:
        notes: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TrainingError(f"{source} is damaged: {error}. Choose another --out.") from error
    return notes


def write_notes(folder: Path, notes: Mapping[str, Any]) -> None:
    """Write `run.json`, whole or not at all."""
    write_whole(folder / NOTES, (json.dumps(notes, indent=2) + "\n").encode())


def check_same_run(recipe: Recipe, data: LesionData, folder: Path) -> None:
    """Refuse to resume the run in `folder` with another recipe or other data.

    Raises:
        TrainingError: no run there, keys of the recipe that differ (up to five), or another split.
    """
    notes = read_notes(folder)
    if not notes:
        raise TrainingError(f"There is no run in {folder} to resume. Start it without --resume.")
    try:
        former = Recipe.model_validate_json(json.dumps(notes["recipe"]))
    except (KeyError, ValidationError) as error:
        raise TrainingError(f"{folder / NOTES} has no recipe of this version. Choose another --out.") from error
    check_same_recipe(former, recipe, folder)
    hashes = {
        "split_sha256": data.split_sha256,
        "extra_sha256": extra_sha256(recipe),
        "teacher_sha256": teacher_sha256(recipe),
    }
    if data.folds_sha256:
        hashes["folds_sha256"] = data.folds_sha256
    for key, given in hashes.items():
        if notes.get(key, "") != given:
            raise TrainingError(
                f"{folder} holds a run on other data than {recipe.data.split}, data.extra and teacher.runs "
                f"({key} differs). Choose another --out."
            )


def check_same_recipe(former: BaseModel, recipe: BaseModel, folder: Path) -> None:
    """Refuse to go on in `folder` with another recipe, of a run or of an ensemble.

    Raises:
        TrainingError: keys that differ (up to five).
    """
    before, given = _flat(former.model_dump(mode="json")), _flat(recipe.model_dump(mode="json"))
    changed = [key for key in {**given, **before} if before.get(key) != given.get(key) and not key.endswith(MAY_DIFFER)]
    if changed:
        differing = name_some(f"{key} (was {before.get(key)!r}, is {given.get(key)!r})" for key in changed)
        raise TrainingError(
            f"{folder} holds a run of another recipe: {differing}. Resume with the recipe that it was "
            f"started with (only {', '.join(MAY_DIFFER)} may change), or choose another --out."
        )


def device_name(device: torch.device) -> str:
    """The device for people: the GPU's name, or the processor's architecture and the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} {platform.machine()}, {torch.get_num_threads()} threads"


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat.update(_flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value})
    return flat


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _git_commit() -> str:
    """The commit of the checkout that this package lies in; empty for an installed copy or without git."""
    source = Path(dermalens.__file__).resolve().parents[2]
    if not (source / ".git").exists():
        return ""
    command = ["git", "-C", str(source), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
