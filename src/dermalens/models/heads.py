"""A classifier: backbone, global average pooling and a head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dermalens.models.backbones import build_backbone, find_backbone


class LesionClassifier(nn.Module):
    """Backbone, pooling, head. `forward` takes float RGB 0..1 [N, 3, H, W] and gives logits [N, K].

    The normalisation (mean, std of the backbone) is part of the network, so that nothing outside it can differ.
    """

    mean: Tensor
    std: Tensor

    def __init__(  # noqa: PLR0913  # one name and five numbers of the recipe, all but the name by keyword
        self,
        backbone: str,
        *,
        classes: int,
        weights: str,
        hidden: int = 0,
        dropout: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        entry = find_backbone(backbone)
        self.register_buffer("mean", torch.tensor(entry.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(entry.std).view(1, 3, 1, 1), persistent=False)
        self.backbone = build_backbone(backbone, weights=weights, drop_path=drop_path)
        self.head = build_head(int(getattr(self.backbone, "num_features")), hidden, classes, dropout)  # noqa: B009

    def features(self, images: Tensor) -> Tensor:
        """Feature maps [N, C, h, w] after the last activation of the backbone."""
        maps: Tensor = self.backbone((images - self.mean) / self.std)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(images).mean((2, 3)))
        return logits


def build_head(features: int, hidden: int, classes: int, dropout: float) -> nn.Sequential:
    """Dropout and a linear layer; with `hidden`, linear, ReLU, dropout, linear."""
    if hidden:
        return nn.Sequential(
            nn.Linear(features, hidden), nn.ReLU(inplace=True), nn.Dropout(dropout), nn.Linear(hidden, classes)
        )
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(features, classes))
