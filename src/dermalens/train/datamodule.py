"""Images of a split as batches: what is drawn and how it is changed depends on the seed and the epoch alone.

Workers decode and reduce; the changes themselves happen a batch at a time on the device.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from dermalens.core.errors import DataError, name_some
from dermalens.core.spec import PreprocessSpec
from dermalens.core.taxonomy import class_of
from dermalens.data.index import Row
from dermalens.data.leaks import check_no_leak, check_not_in
from dermalens.data.split import check_ids, folds_sha256, read_rows, read_split
from dermalens.train.decoded import Squares, keep_decoded, open_decoded
from dermalens.train.recipe import Recipe
from dermalens.transforms.augment import framed, jpeg_loss, load_side, spoiled
from dermalens.transforms.augment_draws import Draws, draws_of
from dermalens.transforms.clean import check_cleaning
from dermalens.transforms.preprocess import SquarePixels
from dermalens.transforms.rows import read_square

PREFETCH_BATCHES = 6
LEAST_LESIONS = 2
"""Of each class, on either side."""

Drawn = tuple[int, int, int]  # number of a row, seed of its random changes, training side in pixels
DrawnImage = tuple[Tensor, Draws, int, int]  # square, draws, label, training side


class DrawSampler(Sampler[Drawn]):
    """Draws of one epoch, with its side. Classes are drawn in proportion to their size to the power 1 - `power`.

    The order depends on seed and epoch alone; each of `world` processes takes every world-th draw. `sides` are those of
    a recipe: the first epoch of each, and the side.
    """

    def __init__(  # noqa: PLR0913  (each is by keyword)
        self,
        labels: Sequence[int],
        *,
        power: float,
        seed: int,
        sides: Sequence[tuple[int, int]],
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.sides = sides
        counts = Counter(labels)
        weights = np.array([counts[label] ** -power for label in labels])
        self.shares: NDArray[np.float64] = weights / weights.sum()
        self.power, self.seed, self.rank, self.world, self.epoch = power, seed, rank, world, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch, also before the first one of a resumed run."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.shares) // self.world

    def __iter__(self) -> Iterator[Drawn]:
        random = np.random.default_rng([self.seed, self.epoch])
        total = len(self.shares)
        order = random.choice(total, total, p=self.shares) if self.power else random.permutation(total)
        seeds = random.integers(2**31, size=total)
        mine = slice(self.rank, len(self) * self.world, self.world)
        side = side_at(self.sides, self.epoch)
        return iter([(int(row), int(seed), side) for row, seed in zip(order[mine], seeds[mine], strict=True)])


class DrawnBatch(NamedTuple):
    """Squares uint8 [N, 3, S, S], the draws of their changes (which stay on the CPU), the training side, labels [N]."""

    squares: Tensor
    draws: Draws
    side_pixels: int
    labels: Tensor


class TrainingImages(Dataset[DrawnImage]):
    """Rows as squares uint8 [3, S, S], somewhat larger than the training side, with their draws and labels."""

    def __init__(self, rows: Sequence[Row], recipe: Recipe, decoded: Path | None = None) -> None:
        self.rows, self.recipe, self.decoded = rows, recipe, decoded
        self.specs = {side: loaded_at(side, recipe) for _, side in recipe.augment.sides_pixels}
        self._squares: Squares | None = None  # opened where it is read: a worker does not inherit what it can map

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, drawn: Drawn) -> DrawnImage:
        number, seed, side = drawn
        draws = draws_of(seed)
        square = jpeg_loss(self._square(number, side), draws, self.recipe.augment)
        return _as_tensor(square), draws, self.recipe.classes.index(self.rows[number].label), side

    def _square(self, number: int, side: int) -> SquarePixels:
        if self.decoded is None:
            return read_square(self.rows[number], self.specs[side])
        if self._squares is None:
            self._squares = open_decoded(self.decoded)
        return np.array(self._squares[number])

    def collate(self, images: Sequence[DrawnImage]) -> DrawnBatch:
        """A batch of one epoch; in a worker its squares lie in shared memory."""
        squares, draws, labels, sides = zip(*images, strict=True)
        return DrawnBatch(default_collate(list(squares)), np.stack(draws), sides[0], torch.tensor(labels))


class DrawnLoader(DataLoader[DrawnImage]):
    """Begins an epoch when its first batch is asked for: a resumed run is told only then which epoch it is."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # PyTorch names the class of its own iterator
        yield from super().__iter__()


class FixedImages(Dataset[tuple[Tensor, int]]):
    """Rows exactly as the model sees them when it predicts: uint8 [3, side, side] and labels."""

    def __init__(self, rows: Sequence[Row], recipe: Recipe) -> None:
        self.rows, self.recipe = rows, recipe

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        row = self.rows[number]
        return _as_tensor(read_square(row, self.recipe.preprocess)), self.recipe.classes.index(row.label)


def _as_tensor(square: SquarePixels) -> Tensor:
    """Channels first, as PyTorch has them: uint8 [3, side, side]."""
    return torch.from_numpy(square).permute(2, 0, 1)


class LesionData(lightning.LightningDataModule):
    """Train and validation rows of a recipe; refuses a leak or labels that the recipe does not know.

    The labels are classes of the recipe: a benign/malignant one has its diagnoses counted as such. `left_out_rows` are
    the train rows of the fold `data.left_out`.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        check_cleaning(recipe.preprocess.clean)
        split = read_split(Path(recipe.data.split))
        self.split_sha256 = split.sha256
        kept = [_as_class(row, recipe) for row in split.rows if row.part != "test"]
        fold, left_out = recipe.data.fold, recipe.data.left_out
        _check_fold("fold", fold, kept, recipe)
        _check_fold("left_out", left_out, kept, recipe)
        self.folds_sha256 = "" if fold is None and left_out is None else folds_sha256(split.rows)
        self.val_rows = [row for row in kept if (row.part == "val" if fold is None else row.fold == fold)]
        held_out = {row.image_id for row in self.val_rows}
        learned = [row for row in kept if row.image_id not in held_out]
        self.left_out_rows = [row for row in learned if left_out is not None and row.fold == left_out]
        self.train_rows = [row for row in learned if left_out is None or row.fold != left_out]
        self.train_rows += [_as_class(row, recipe) for row in _extra_rows(recipe, split.rows)]
        sides = {"train": self.train_rows, "val": self.val_rows, "test": split.part("test")}
        _check_sides({**sides, "the fold left out": self.left_out_rows})
        _check_labels(self.train_rows, self.val_rows, recipe)

    @property
    def train_counts(self) -> list[int]:
        """Training images of each class, in the order of the recipe."""
        counts = Counter(row.label for row in self.train_rows)
        return [counts[label] for label in self.recipe.classes]

    def prepare_data(self) -> None:
        """Decode the training images once, on one process of each machine, where the recipe keeps them decoded."""
        if self.recipe.data.decoded:
            keep_decoded(self.train_rows, self._decoded_spec, Path(self.recipe.data.decoded))

    @property
    def _decoded_spec(self) -> PreprocessSpec:
        return loaded_at(max(side for _, side in self.recipe.augment.sides_pixels), self.recipe)

    def train_dataloader(self) -> DataLoader[DrawnImage]:
        """For all epochs, so that its workers stay: the sampler says what an epoch draws, and its training side."""
        recipe = self.recipe
        labels = [recipe.classes.index(row.label) for row in self.train_rows]
        rank, world = self._place
        power, sides = recipe.balance.sampler_power, recipe.augment.sides_pixels
        sampler = DrawSampler(labels, power=power, seed=recipe.seed, sides=sides, rank=rank, world=world)
        kept = Path(recipe.data.decoded) if recipe.data.decoded else None
        decoded = kept and keep_decoded(self.train_rows, self._decoded_spec, kept)
        images = TrainingImages(self.train_rows, recipe, decoded)
        return DrawnLoader(
            images,
            batch_size=recipe.trainer.batch_size,
            sampler=sampler,
            collate_fn=images.collate,
            num_workers=recipe.data.workers,
            prefetch_factor=PREFETCH_BATCHES if recipe.data.workers else None,
            persistent_workers=recipe.data.workers > 0,
            worker_init_fn=_step_back,
            drop_last=len(sampler) >= recipe.trainer.batch_size,
            pin_memory=torch.cuda.is_available(),
        )

    def val_dataloader(self) -> DataLoader[tuple[Tensor, int]]:
        """The validation part, divided over the processes; the figures are gathered from all."""
        rank, world = self._place
        is_divided = len(self.val_rows) >= world
        return DataLoader(
            FixedImages(self.val_rows[rank::world] if is_divided else self.val_rows, self.recipe),
            batch_size=self.recipe.trainer.batch_size,
            num_workers=self.recipe.data.workers,
            pin_memory=torch.cuda.is_available(),
        )

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """The random changes of a training batch, on the device: float images 0..1, labels and, where the recipe has
        a teacher, the images as it sees them: without hairs, blur, noise and what else spoils them.
        """
        if not isinstance(batch, DrawnBatch):
            return batch
        spec = self.recipe.augment
        images = framed(batch.squares, batch.draws, spec, batch.side_pixels)
        for_teacher = [images.clone()] if self.recipe.teacher.runs else []
        return spoiled(images, batch.draws, spec), batch.labels, *for_teacher

    @property
    def _place(self) -> tuple[int, int]:
        """The number of this process and how many there are."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


def _as_class(row: Row, recipe: Recipe) -> Row:
    return replace(row, label=class_of(row.label, recipe.classes))


def _step_back(_: int) -> None:
    """Workers yield to the training threads: on two cores 65 images/s instead of 52 (EfficientNet-Lite2, 144 px)."""
    if hasattr(os, "nice"):  # not on Windows
        os.nice(19)


def side_at(sides: Sequence[tuple[int, int]], epoch: int) -> int:
    """The training side of an epoch, in pixels; `sides` are those of a recipe, each with its first epoch."""
    return [side for start, side in sides if start <= epoch][-1]


def loaded_at(side_pixels: int, recipe: Recipe) -> PreprocessSpec:
    """How a picture is read that is trained on at this side."""
    return recipe.preprocess.model_copy(update={"side_pixels": load_side(side_pixels)})


def _extra_rows(recipe: Recipe, known: Sequence[Row]) -> list[Row]:
    rows = [row for source in recipe.data.extra for row in read_rows(Path(source))]
    check_not_in(known, rows)
    check_ids(rows)
    return rows


def _check_sides(sides: Mapping[str, Sequence[Row]]) -> None:
    """Refuse a lesion on two sides of the division that this run makes, whatever parts and folds the rows carry."""
    check_no_leak(replace(row, part=part, fold=None) for part, rows in sides.items() for row in rows)


def _check_fold(key: str, fold: int | None, rows: Sequence[Row], recipe: Recipe) -> None:
    folds = sorted({row.fold for row in rows if row.fold is not None})
    if fold is not None and fold not in folds:
        given = f"folds {name_some(folds)}" if folds else "no folds"
        raise DataError(
            f"data.{key} is {fold}, but {recipe.data.split} has {given}. "
            "Choose one of them, or split with folds: dermalens data split --folds 5"
        )


def _check_labels(train_rows: Sequence[Row], val_rows: Sequence[Row], recipe: Recipe) -> None:
    unknown = sorted({row.label for row in [*train_rows, *val_rows]} - set(recipe.classes))
    if unknown:
        raise DataError(f"Labels that the recipe does not list in `classes`: {name_some(unknown)}. Add or drop them.")
    for rows, what in ((train_rows, "training"), (val_rows, "validation")):
        lesions = {code: len({row.lesion_id for row in rows if row.label == code}) for code in recipe.classes}
        rare = [f"{code} ({count})" for code, count in lesions.items() if count < LEAST_LESIONS]
        if rare:  # balanced accuracy and macro AUC are undefined without a class, and mean nothing with one lesion
            raise DataError(
                f"Classes of the recipe with fewer than {LEAST_LESIONS} {what} lesions: {name_some(rare)}. "
                "Add images of them, leave them out of the recipe's classes and the split, or split anew."
            )
