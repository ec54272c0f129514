"""What is learned: loss, optimiser, schedule and the validation figures that select a checkpoint."""

from __future__ import annotations

import math
from typing import Any, Final

import lightning
import numpy as np
import torch
from lightning.pytorch.utilities.types import LRSchedulerTypeUnion
from torch import Tensor, distributed, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torchmetrics.classification import MulticlassAUROC, MulticlassRecall

from dermalens.models.depthwise import speed_up_depthwise
from dermalens.models.losses import class_weights, learned_log_prior
from dermalens.train.checkpoint import MONITOR
from dermalens.train.freezing import freeze
from dermalens.train.network import build_network, check_sides
from dermalens.train.processes import share_norms, share_weights
from dermalens.train.recipe import Recipe
from dermalens.train.teacher import Teacher, teaching_loss
from dermalens.transforms.augment import mixed

LOOK_EVERY: Final = 20
"""Steps between two looks at the loss on a GPU."""


class LesionModule(lightning.LightningModule):
    """A `LesionClassifier` in training. Batches: images [N, 3, S, S] (float 0..1 or uint8) and labels [N]."""

    def __init__(self, recipe: Recipe, train_counts: list[int]) -> None:
        super().__init__()
        self.log_prior: Tensor
        self.recipe = recipe
        self.network = build_network(recipe)
        freeze(self.network, frozen=recipe.model.frozen, head_only=False)
        check_sides(self.network, recipe)
        balance, classes = recipe.balance, len(recipe.classes)
        self.register_buffer("log_prior", _prior(recipe, train_counts))
        self.loss = nn.CrossEntropyLoss(
            weight=class_weights(train_counts, balance.weight_power), label_smoothing=recipe.optimizer.label_smoothing
        )
        self.val_loss = nn.CrossEntropyLoss()
        self._is_sound = torch.tensor(True)
        self.recall = MulticlassRecall(classes, average="macro")
        self.auc = MulticlassAUROC(classes, average="macro")
        self._forward: tuple[Any, ...] = ()  # a tuple, so that the compiled network is not a second submodule
        # And so no checkpoint holds the teacher.
        self._teacher: tuple[Any, ...] = (Teacher(recipe),) if recipe.teacher.runs else ()

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(_as_float(images))
        return logits

    def setup(self, stage: str) -> None:
        if self.trainer.world_size > 1:
            share_norms(self.network, self.trainer.strategy.root_device)

    def on_fit_start(self) -> None:
        if self.recipe.trainer.precision == "bf16-mixed" and self.device.type == "cpu":
            speed_up_depthwise(self.network)
        # Static shapes: at a new side torch would otherwise compile for any side, which takes minutes on a CPU.
        compiled = torch.compile(self.network, dynamic=False) if self.recipe.trainer.compile else self.network
        self._forward = (compiled,)
        if self._teacher:
            teacher = self._teacher[0].to(device=self.device, memory_format=torch.channels_last)
            self._teacher = (torch.compile(teacher, dynamic=False) if self.recipe.trainer.compile else teacher,)

    def on_train_epoch_start(self) -> None:
        head_only = self.current_epoch < self.recipe.trainer.head_epochs
        freeze(self.network, frozen=self.recipe.model.frozen, head_only=head_only)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Dropout and mixup follow from seed, epoch, batch and process, so that a resumed epoch equals the first try.
        draw = (self.recipe.seed, self.current_epoch, batch_idx, self.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(draw).generate_state(1, np.uint64)[0]))

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        images, labels, *for_teacher = batch
        together, labels = mixed(
            torch.cat([images, *for_teacher], dim=1), labels, self.recipe.augment, len(self.recipe.classes)
        )
        images, *for_teacher = (
            some.contiguous(memory_format=torch.channels_last) for some in torch.split(together, 3, dim=1)
        )
        logits = self._forward[0](images)
        loss: Tensor = self.loss(logits, labels)
        if self.recipe.balance.weight_power and labels.ndim == 1 and distributed.is_initialized():
            loss = share_weights(loss, labels, self.loss.weight)
        if self._teacher:
            spec = self.recipe.teacher
            taught = teaching_loss(logits, self._teacher[0](for_teacher[0]) + self.log_prior, spec.temperature)
            loss = (1 - spec.weight) * loss + spec.weight * taught
        # A GPU waits for whoever looks; weights that broke meanwhile are found at the last batch, before a checkpoint.
        is_looked_at = self.device.type == "cpu" or batch_idx % LOOK_EVERY == 0 or self.trainer.is_last_batch
        if is_looked_at and not math.isfinite(float(loss.detach())):
            raise FloatingPointError(
                f"The loss became {float(loss.detach())} in epoch {self.current_epoch}. Lower optimizer.lr or set "
                'optimizer.gradient_clip; with precision "16-mixed" try "bf16-mixed".'
            )
        self.log("train_loss", loss, on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        images, labels = batch
        logits = self(images).float()
        loss = self.val_loss(logits, labels)
        self._is_sound = self._is_sound & torch.isfinite(loss)
        self.log("val_loss", loss, sync_dist=True)
        adjusted = logits - self.recipe.balance.logit_adjustment * self.log_prior
        self.recall.update(adjusted, labels)
        self.auc.update(logits.softmax(1), labels)

    def on_validation_epoch_start(self) -> None:
        self._is_sound = torch.tensor(True, device=self.device)

    def on_validation_epoch_end(self) -> None:
        if not bool(self._is_sound):  # the last step of the epoch broke the weights; no checkpoint has them yet
            raise FloatingPointError(
                f"The validation loss of epoch {self.current_epoch} is no number. Lower optimizer.lr or set "
                "optimizer.gradient_clip."
            )
        self.log(MONITOR, self.recall.compute())
        self.log("val_macro_auc", self.auc.compute())
        self.recall.reset()
        self.auc.reset()

    def on_train_epoch_end(self) -> None:
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(float(self.trainer.callback_metrics[MONITOR]))

    def lr_scheduler_step(self, scheduler: LRSchedulerTypeUnion, metric: Any | None) -> None:
        # Lightning steps a plateau after the checkpoint was written, and a resume would lose that step.
        if not isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step()

    def configure_optimizers(self) -> Any:
        optimizer = _optimizer(self.recipe, self.network)
        scheduler = _schedule(self.recipe, optimizer, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": scheduler} if scheduler else optimizer


def _as_float(images: Tensor) -> Tensor:
    return images.float() / 255 if images.dtype == torch.uint8 else images


def _prior(recipe: Recipe, train_counts: list[int]) -> Tensor:
    balance = recipe.balance
    return learned_log_prior(train_counts, sampler_power=balance.sampler_power, weight_power=balance.weight_power)


def _optimizer(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    spec = recipe.optimizer
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]  # norms and biases are not decayed
    groups = [{"params": decayed, "weight_decay": spec.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    if spec.name == "sgd":
        return torch.optim.SGD(groups, lr=spec.lr, momentum=spec.momentum, nesterov=spec.momentum > 0)
    return torch.optim.AdamW(groups, lr=spec.lr) if spec.name == "adamw" else torch.optim.Adam(groups, lr=spec.lr)


def _schedule(recipe: Recipe, optimizer: torch.optim.Optimizer, steps: int) -> dict[str, Any] | None:
    spec = recipe.optimizer
    if spec.schedule == "plateau":
        plateau = ReduceLROnPlateau(optimizer, mode="max", factor=0.1, patience=spec.plateau_patience)
        return {"scheduler": plateau, "monitor": MONITOR, "interval": "epoch"}
    warmup = max(1, round(spec.warmup_epochs * steps / recipe.trainer.epochs)) if spec.warmup_epochs else 0

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        if spec.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    return {"scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, factor), "interval": "step"}
