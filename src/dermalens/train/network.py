"""The network of a recipe: new, or as a checkpoint has it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import torch

from dermalens.core.errors import RecipeError
from dermalens.models.heads import LesionClassifier
from dermalens.train.recipe import Recipe

_PREFIX = "network."
"""Of the network's tensors in a checkpoint of `LesionModule`."""


def build_network(recipe: Recipe, *, weights: str | None = None) -> LesionClassifier:
    """The network with the start weights of the recipe, or with others, such as "none"."""
    model = recipe.model
    return LesionClassifier(
        model.backbone,
        classes=len(recipe.classes),
        weights=model.weights if weights is None else weights,
        hidden=model.hidden,
        dropout=model.dropout,
        drop_path=model.drop_path,
        pooling=model.pooling,
        side_pixels=recipe.preprocess.side_pixels,
        single_logit=model.single_logit,
    )


def check_sides(network: LesionClassifier, recipe: Recipe) -> None:
    """Try copies of a network, frozen as it learns, with a square of every side of the recipe.

    Raises:
        RecipeError: a side that the backbone cannot take, or one at which its norms need more than one image.
    """
    name, trial = recipe.model.backbone, copy.deepcopy(network).eval()
    trained = [(side, "augment.sides_pixels") for _, side in recipe.augment.sides_pixels]
    for side, key in (*trained, (recipe.preprocess.side_pixels, "preprocess.side_pixels")):
        try:
            _try_square(trial, side)
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            raise RecipeError(f"{name} cannot take images of {side} pixels ({reason}). Raise {key}.") from error
    trainer = recipe.trainer
    if trainer.batch_size * trainer.devices * trainer.nodes == 1:  # processes share their norms
        _check_norms(copy.deepcopy(network), name, [side for side, _ in trained])


def _check_norms(network: LesionClassifier, name: str, sides: Sequence[int]) -> None:
    for side in sides:
        try:
            _try_square(network, side)
        except ValueError as error:
            raise RecipeError(
                f"{name} has norms that cannot learn from one image of {side} pixels at a time. Raise "
                "trainer.batch_size or augment.sides_pixels."
            ) from error


def _try_square(network: LesionClassifier, side_pixels: int) -> None:
    with torch.no_grad():
        network(torch.zeros(1, 3, side_pixels, side_pixels))


def trained_network(recipe: Recipe, checkpoint: Path) -> LesionClassifier:
    """The network of a checkpoint, on the CPU and ready to predict.

    Raises:
        KeyError, RuntimeError, EOFError, pickle.UnpicklingError: the file is damaged or of another network.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    network = build_network(recipe, weights="none")
    network.load_state_dict({key[len(_PREFIX) :]: value for key, value in state.items() if key.startswith(_PREFIX)})
    return network.eval()
