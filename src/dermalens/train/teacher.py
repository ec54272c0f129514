"""Distillation: what trained networks say of an image is learned beside its label.

G. Hinton et al., Distilling the knowledge in a neural network, 2015. The teacher sees each image as the student does,
changed and blended in the same way: L. Beyer et al., Knowledge distillation: a good teacher is patient and consistent,
CVPR 2022.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from dermalens.core.errors import TrainingError
from dermalens.models.heads import LesionClassifier
from dermalens.models.losses import learned_log_prior
from dermalens.train.finished import read_finished
from dermalens.train.notes import NOTES
from dermalens.train.recipe import Recipe


class Teacher(nn.Module):
    """The mean of the logits of `teacher.runs`, each without the class mix that it has seen; it never learns."""

    log_prior: Tensor

    def __init__(self, recipe: Recipe) -> None:
        """Raises:
        TrainingError: a run is missing, damaged, or cannot take what the recipe trains on.
        """
        super().__init__()
        read = [_read(Path(run), recipe) for run in recipe.teacher.runs]
        self.networks = nn.ModuleList(network for network, _ in read)
        self.register_buffer("log_prior", torch.stack([prior for _, prior in read]).mean(0))
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, K] of float images [N, 3, S, S], for equally frequent classes (`learned_log_prior`)."""
        return torch.stack([network(images).float() for network in self.networks]).mean(0) - self.log_prior


def teaching_loss(logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """How far the probabilities of `logits` [N, K] are from those of `taught` [N, K], both softened.

    The Kullback-Leibler divergence times the squared temperature, so that its gradient does not shrink with it.
    """
    learned = functional.log_softmax(logits.float() / temperature, dim=1)
    aim = functional.log_softmax(taught.float() / temperature, dim=1)
    return functional.kl_div(learned, aim, reduction="batchmean", log_target=True) * temperature**2


def _read(folder: Path, recipe: Recipe) -> tuple[LesionClassifier, Tensor]:
    """The network of a run, and the log prior [K] that it learned."""
    try:
        run = read_finished(folder)
        counts = [run.notes["train_counts"][code] for code in run.recipe.classes]
    except KeyError as error:
        raise TrainingError(f"teacher.runs: {folder / NOTES} is damaged, it lacks {error}. Train again.") from error
    except TrainingError as error:
        raise TrainingError(f"teacher.runs: {error}") from error
    own, network = run.recipe, run.classifier
    if own.classes != recipe.classes:
        raise TrainingError(
            f"teacher.runs: {folder} knows {' '.join(own.classes)}; the recipe has {' '.join(recipe.classes)}. "
            "Choose a run with the same classes."
        )
    if network.fixed_side_pixels is not None:
        _check_side(folder, network.fixed_side_pixels, recipe)
    balance = own.balance
    return network, learned_log_prior(counts, sampler_power=balance.sampler_power, weight_power=balance.weight_power)


def _check_side(folder: Path, side_pixels: int, recipe: Recipe) -> None:
    sides = {trained for _, trained in recipe.augment.sides_pixels}
    if sides != {side_pixels}:
        raise TrainingError(
            f"teacher.runs: {folder} takes squares of {side_pixels} pixels only; the recipe trains at "
            f"{', '.join(map(str, sorted(sides)))}. Set augment.sides_pixels=[[0, {side_pixels}]]."
        )
