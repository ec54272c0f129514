"""Images and outlines in memory, and their random changes, made of a whole batch at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, Sampler

from dermalens.core.spec import PreprocessSpec
from dermalens.data.check import nobody_watches
from dermalens.data.index import Row
from dermalens.data.outlines import outline_files, read_outline
from dermalens.data.parallel import in_threads
from dermalens.models.outline_net import CELL_PIXELS, SIDE_PIXELS
from dermalens.transforms.rows import read_square

KEPT_SIDE_PIXELS = 144
"""Images are kept at this side, somewhat more than the network sees, so that a magnified view is still sharp."""

Batch = tuple[Tensor, Tensor]  # images uint8 [N, 3, S, S], masks uint8 [N, S, S], 1 on the lesion


@dataclass(frozen=True)
class Pairs(Dataset[Batch]):
    """Decoded images uint8 [n, 3, S, S] with their masks uint8 [n, S, S]; an item is a whole batch of numbers."""

    images: Tensor
    masks: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, numbers: Sequence[int]) -> Batch:
        chosen = torch.as_tensor(numbers)
        return self.images[chosen], self.masks[chosen]


def read_pairs(
    rows: Sequence[Row], masks: Path, *, side_pixels: int, advance: Callable[[int], None] = nobody_watches
) -> Pairs:
    """Decode the images of `rows` and their outlines in the folder `masks` once, at a side.

    Raises:
        DataError: an image or an outline is missing or cannot be read.
    """
    spec = PreprocessSpec(side_pixels=side_pixels)
    files = outline_files(rows, masks)
    images = torch.empty(len(rows), 3, side_pixels, side_pixels, dtype=torch.uint8)
    drawn = torch.empty(len(rows), side_pixels, side_pixels, dtype=torch.uint8)

    def read(place: int) -> None:
        images[place] = torch.from_numpy(read_square(rows[place], spec)).permute(2, 0, 1)
        drawn[place] = torch.from_numpy(read_outline(files[place], side_pixels=side_pixels).astype(np.uint8))

    for _ in in_threads(read, range(len(rows)), advance):
        pass
    return Pairs(images, drawn)


class ShuffledBatches(Sampler[list[int]]):
    """Numbers in an order that follows from the seed and the epoch alone; the rest of an incomplete batch is left."""

    def __init__(self, images: int, batch_size: int, *, seed: tuple[int, int]) -> None:
        self.images, self.batch_size, self.seed = images, batch_size, seed

    def __len__(self) -> int:
        return max(1, self.images // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = np.random.default_rng(self.seed).permutation(self.images)
        for place in range(len(self)):
            yield order[place * self.batch_size : (place + 1) * self.batch_size].tolist()


def batches(pairs: Pairs, sampler: Sampler[list[int]] | Sequence[list[int]]) -> DataLoader[Batch]:
    """A loader in this process: the images are in memory, so that there is nothing for workers to do."""
    return DataLoader(pairs, sampler=sampler, batch_size=None)


@dataclass(frozen=True, slots=True)
class Changes:
    """How far images are changed at random, each on its own; image and mask share what moves."""

    scale: tuple[float, float] = (0.75, 1.35)
    """Magnification; below 1 the border is reflected."""
    shift: float = 0.1
    """Of the centre, as a share of the side."""
    brightness: float = 0.25
    contrast: float = 0.25
    saturation: float = 0.3
    channel_gain: float = 0.12
    """Of each colour channel on its own: another lamp, another camera."""


def changed(
    batch: Batch, changes: Changes, random: torch.Generator, *, side_pixels: int = SIDE_PIXELS
) -> tuple[Tensor, Tensor]:
    """Turned, mirrored, scaled and shifted: float images 0..1 [N, 3, S, S] and masks 0..1 [N, S / 2, S / 2]."""
    images, masks = batch
    small = functional.interpolate(images.float() / 255, size=[side_pixels * 9 // 7] * 2, mode="area")
    theta = _warps(len(images), changes, random).to(small.device)  # drawn on the CPU, so alike on every device
    warped = _warp(small, theta, side_pixels)
    drawn = _warp(masks.float()[:, None], theta, side_pixels)
    return _recoloured(warped, changes, random), as_cells(drawn)


def unchanged(batch: Batch) -> tuple[Tensor, Tensor]:
    """Float images 0..1 [N, 3, S, S] and masks 0..1 [N, S / 2, S / 2] of images kept at the side in use."""
    images, masks = batch
    return images.float() / 255, as_cells(masks.float()[:, None])


def as_cells(masks: Tensor) -> Tensor:
    """Masks [N, 1, S, S] as the network draws them, [N, S / 2, S / 2]: the share of each cell on the lesion."""
    return functional.avg_pool2d(masks, CELL_PIXELS)[:, 0]


def _uniform(low: float, high: float, shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    return torch.empty(shape).uniform_(low, high, generator=random)


def _warps(count: int, changes: Changes, random: torch.Generator) -> Tensor:
    """Affine maps [N, 2, 3] as `affine_grid` takes them: any turn, a mirror for every other image, scale, shift."""
    turn = _uniform(-math.pi, math.pi, (count,), random)
    mirror = torch.where(_uniform(0, 1, (count,), random) < 0.5, -1.0, 1.0)
    zoom = _uniform(math.log(changes.scale[0]), math.log(changes.scale[1]), (count,), random).exp()
    cosine, sine = turn.cos() / zoom, turn.sin() / zoom
    shift = _uniform(-2 * changes.shift, 2 * changes.shift, (count, 2), random)
    rows = [torch.stack([cosine * mirror, -sine, shift[:, 0]], 1), torch.stack([sine * mirror, cosine, shift[:, 1]], 1)]
    return torch.stack(rows, 1)


def _warp(planes: Tensor, theta: Tensor, side_pixels: int) -> Tensor:
    size = [len(planes), planes.shape[1], side_pixels, side_pixels]
    grid = functional.affine_grid(theta, size, align_corners=False)
    return functional.grid_sample(planes, grid, padding_mode="reflection", align_corners=False)


def _recoloured(images: Tensor, changes: Changes, random: torch.Generator) -> Tensor:
    count = len(images)
    brightness, contrast, saturation = (
        1 + _uniform(-most, most, (count, 1, 1, 1), random).to(images.device)
        for most in (changes.brightness, changes.contrast, changes.saturation)
    )
    gain = 1 + _uniform(-changes.channel_gain, changes.channel_gain, (count, 3, 1, 1), random).to(images.device)
    grey = images.mean(1, keepdim=True)
    mean = images.mean((1, 2, 3), keepdim=True)
    coloured = grey + (images - grey) * saturation
    return ((mean + (coloured - mean) * contrast) * brightness * gain).clamp(0, 1)
