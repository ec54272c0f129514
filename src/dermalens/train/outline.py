"""What the outline network learns: loss, optimiser, schedule and the figure that selects a checkpoint.

The settings stand here and not in a TOML file: there is one network of this kind, which every bundle shares, and
nothing in it is a matter of taste. What a run was made with is in its `run.json`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dermalens.core.errors import TrainingError
from dermalens.models.outline_net import OutlineNet
from dermalens.train.outline_data import Changes, changed, unchanged

MONITOR: Final = "val_intersection_over_union"
"""What selects the best checkpoint: the mean over the validation images, at the side of the mask."""
WARM_UP: Final = 0.1
"""Share of the steps over which the learning rate rises; then it falls by a cosine to 0."""


@dataclass(frozen=True, slots=True)
class OutlineSettings:
    """What a run is made with."""

    epochs: int = 6
    sides_pixels: tuple[tuple[int, int], ...] = ((0, 80), (3, 112))
    """From which epoch on the squares have which side: an epoch at 80 pixels costs half of one at 112."""
    batch_size: int = 32
    lr: float = 2e-3
    """Of AdamW."""
    weight_decay: float = 0.01
    weights: str = "package"
    """Start weights of the encoder: ImageNet."""
    seed: int = 20261121
    changes: Changes = field(default_factory=Changes)


def outline_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Binary cross-entropy plus soft Dice loss, each the mean over the images; both [N, h, w], masks 0..1.

    Soft Dice: F. Milletari, N. Navab, S.-A. Ahmadi, V-Net, 3DV 2016, with one cell added above and below the line, so
    that an empty mask has a gradient.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, masks)
    drawn = logits.sigmoid()
    shared, total = (drawn * masks).sum((1, 2)), (drawn**2 + masks**2).sum((1, 2))
    return entropy + (1 - (2 * shared + 1) / (total + 1)).mean()


def overlap(logits: Tensor, masks: Tensor) -> Tensor:
    """Intersection over union of each image [N], at a threshold of 0.5; 1 where both are empty."""
    drawn, true = logits > 0, masks >= 0.5
    union = (drawn | true).sum((1, 2))
    return torch.where(union > 0, (drawn & true).sum((1, 2)) / union.clamp(min=1), 1.0)


class OutlineModule(lightning.LightningModule):
    """An `OutlineNet` in training; batches as `Pairs` gives them."""

    def __init__(self, settings: OutlineSettings) -> None:
        super().__init__()
        self.settings = settings
        self.network = OutlineNet(weights=settings.weights)

    def training_step(self, batch: tuple[Tensor, Tensor], number: int) -> Tensor:
        # From seed, epoch and batch alone, so that a resumed epoch equals the first try.
        draw = np.random.SeedSequence((self.settings.seed, self.current_epoch, number))
        random = torch.Generator().manual_seed(int(draw.generate_state(1, np.uint64)[0]))
        side = next(side for first, side in reversed(self.settings.sides_pixels) if self.current_epoch >= first)
        images, masks = changed(batch, self.settings.changes, random, side_pixels=side)
        loss = outline_loss(self.network(images.contiguous(memory_format=torch.channels_last)), masks)
        if not math.isfinite(float(loss.detach())):
            raise TrainingError(f"The loss became {float(loss.detach())} in epoch {self.current_epoch}. Lower the lr.")
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(images))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        images, masks = unchanged(batch)
        logits = self.network(images.contiguous(memory_format=torch.channels_last))
        self.log("val_loss", outline_loss(logits, masks), batch_size=len(images))
        self.log(MONITOR, overlap(logits, masks).mean(), batch_size=len(images))

    def configure_optimizers(self) -> Any:
        settings = self.settings
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        plain = [p for p in self.network.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=settings.lr)
        steps = int(self.trainer.estimated_stepping_batches)
        warm = max(1, round(WARM_UP * steps))

        def factor(step: int) -> float:
            falling = 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
            return (step + 1) / (warm + 1) if step < warm else falling

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
