"""The network of a recipe: new, or as a checkpoint has it."""

from __future__ import annotations

from pathlib import Path

import torch

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


def trained_network(recipe: Recipe, checkpoint: Path) -> LesionClassifier:
    """The network of a checkpoint, on the CPU and ready to predict.

    Raises:
        KeyError, RuntimeError, EOFError, pickle.UnpicklingError: the file is damaged or of another network.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    network = build_network(recipe, weights="none")
    network.load_state_dict({key[len(_PREFIX) :]: value for key, value in state.items() if key.startswith(_PREFIX)})
    return network.eval()
