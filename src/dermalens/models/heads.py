"""A classifier: backbone, pooling and a head."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from dermalens.core.errors import RecipeError
from dermalens.models.backbones import build_backbone, find_backbone
from dermalens.models.weights import load_head, weights_file

Pooling = Literal["mean", "flatten"]
"""mean: global average pooling, [N, C]; flatten: every cell of every map, [N, C * h * w], for one side only."""


class LesionClassifier(nn.Module):
    """Backbone, pooling, head. `forward` takes float RGB 0..1 [N, 3, S, S] and gives logits [N, K].

    The normalisation (mean, std of the backbone) is part of the network, so that nothing outside it can differ.
    With `single_logit` the head has one output z for two classes and the logits are [0, z]: their softmax is the
    sigmoid of z, and cross-entropy is binary cross-entropy.
    """

    mean: Tensor
    std: Tensor

    def __init__(  # noqa: PLR0913  # the keys of the recipe's model, all but the name by keyword
        self,
        backbone: str,
        *,
        classes: int,
        weights: str,
        hidden: int = 0,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        pooling: Pooling = "mean",
        side_pixels: int = 0,
        single_logit: bool = False,
    ) -> None:
        """`side_pixels` is that of the images, needed for `pooling` "flatten".

        Raises:
            RecipeError: an unknown backbone, weights that cannot be had, a side that the backbone cannot take, or
                one logit for other than two classes.
        """
        super().__init__()
        if single_logit and classes != 2:
            raise RecipeError(f"model.single_logit is for two classes, given are {classes}. Set it to false.")
        entry = find_backbone(backbone)
        self.register_buffer("mean", torch.tensor(entry.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(entry.std).view(1, 3, 1, 1), persistent=False)
        self.backbone = build_backbone(backbone, weights=weights, drop_path=drop_path)
        self.pooling, self.single_logit = pooling, single_logit
        self.fixed_side_pixels = side_pixels if pooling == "flatten" else None
        width = int(getattr(self.backbone, "num_features"))  # noqa: B009
        if pooling == "flatten":
            width *= _cells(self.backbone, backbone, side_pixels)
        self.head = build_head(width, hidden, 1 if single_logit else classes, dropout)
        if file := weights_file(weights):
            load_head(self.head, file)

    def features(self, images: Tensor) -> Tensor:
        """Feature maps [N, C, h, w] after the last activation of the backbone."""
        maps: Tensor = self.backbone((images - self.mean) / self.std)
        return maps

    def pooled(self, maps: Tensor) -> Tensor:
        """What the head takes: [N, C] or, flattened, [N, C * h * w]."""
        return maps.flatten(1) if self.pooling == "flatten" else maps.mean((2, 3))

    def logits(self, pooled: Tensor) -> Tensor:
        """The head on pooled features: [N, K]."""
        given: Tensor = self.head(pooled)
        return torch.cat([torch.zeros_like(given), given], dim=1) if self.single_logit else given

    def forward(self, images: Tensor) -> Tensor:
        return self.logits(self.pooled(self.features(images)))


def build_head(features: int, hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    """Dropout and a linear layer; with `hidden`, linear, ReLU, dropout, linear."""
    if hidden:
        return nn.Sequential(
            nn.Linear(features, hidden), nn.ReLU(inplace=True), nn.Dropout(dropout), nn.Linear(hidden, outputs)
        )
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(features, outputs))


def _cells(backbone: nn.Module, name: str, side_pixels: int) -> int:
    """Cells of a feature map at a side."""
    backbone.eval()
    try:
        with torch.inference_mode():
            maps: Tensor = backbone(torch.zeros(1, 3, side_pixels, side_pixels))
    except RuntimeError as error:
        raise RecipeError(
            f"{name} cannot take images of {side_pixels} pixels. Raise preprocess.side_pixels."
        ) from error
    finally:
        backbone.train()
    return maps.shape[2] * maps.shape[3]
