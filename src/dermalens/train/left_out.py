"""Out-of-fold predictions: what a network says of the images of the fold that it was trained without, as a CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from dermalens.core.errors import TrainingError
from dermalens.core.files import write_whole
from dermalens.data.index import Row
from dermalens.models.heads import LesionClassifier
from dermalens.train.datamodule import FixedImages
from dermalens.train.recipe import Recipe

Logits = NDArray[np.float64]  # [N, K]


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Logits [N, K] for images that the network has not learned from, in order of image id."""

    image_ids: tuple[str, ...]
    labels: tuple[str, ...]
    """Classes of the recipe."""
    logits: Logits


def predict_rows(network: LesionClassifier, rows: Sequence[Row], recipe: Recipe) -> Logits:
    """Logits [N, K] of the preprocessed squares of `rows`, on a GPU where the recipe takes one."""
    on_gpu = recipe.trainer.accelerator != "cpu" and torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    network = network.to(device).eval()
    loader = DataLoader(
        FixedImages(rows, recipe), batch_size=recipe.trainer.batch_size, num_workers=recipe.data.workers
    )
    with torch.inference_mode():
        parts = [network(images.to(device).float() / 255).float().cpu().numpy() for images, _ in loader]
    return np.concatenate(parts).astype(np.float64)


def write_out_of_fold(rows: Sequence[Row], logits: Logits, classes: Sequence[str], target: Path) -> None:
    """Write one row an image, whole or not at all: image id, class, and the logit of each class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("image_id", "label", *(f"logit_{code}" for code in classes)))
    for row, values in zip(rows, logits, strict=True):
        writer.writerow((row.image_id, row.label, *(f"{value:.7g}" for value in values)))
    write_whole(target, text.getvalue().encode())


def read_out_of_fold(sources: Sequence[Path], classes: Sequence[str]) -> OutOfFold:
    """Read the predictions of all folds of a member.

    Raises:
        TrainingError: a file is missing or is not such a table, or an image stands in two folds.
    """
    found: dict[str, tuple[str, list[float]]] = {}
    for source in sources:
        rows = _read(source, classes)
        if not found.keys().isdisjoint(rows):
            raise TrainingError(f"{source} has images of another fold. Train the ensemble anew.")
        found.update(rows)
    ids = tuple(sorted(found))
    labels = tuple(found[name][0] for name in ids)
    return OutOfFold(ids, labels, np.array([found[name][1] for name in ids], dtype=np.float64))


def _read(source: Path, classes: Sequence[str]) -> dict[str, tuple[str, list[float]]]:
    try:
        with source.open(newline="", encoding="utf-8") as stream:
            return {
                row["image_id"]: (row["label"], [float(row[f"logit_{code}"]) for code in classes])
                for row in csv.DictReader(stream)
            }
    except OSError as error:
        raise TrainingError(
            f"{source} cannot be read ({error.strerror}): the ensemble is not complete. Go on with --resume."
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        needed = ",".join(("image_id", "label", *(f"logit_{code}" for code in classes)))
        raise TrainingError(f"{source} is not of out-of-fold predictions; its columns must be {needed}.") from error
