"""The network of the outline: which pixels of a square belong to the lesion."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from dermalens.models.backbones import build_backbone, find_backbone

ENCODER: Final = "efficientnet_lite0"
SIDE_PIXELS: Final = 112
"""Side that the network sees in use; the graph of a bundle brings every square to it."""
CELL_PIXELS: Final = 2
"""Side of the square of pixels that one logit stands for."""

_STAGES: Final = ((0,), (1,), (2,), (3, 4))
"""Blocks of the encoder between two maps that the decoder takes."""
_CHANNELS: Final = (16, 24, 40, 112)
"""Of those maps, at strides 2, 4, 8 and 16. The last stages of the encoder, stride 32, hold three quarters of its
parameters and are left out: at 112 pixels they would see 4 x 4 cells."""


class OutlineNet(nn.Module):
    """Float RGB 0..1 [N, 3, S, S] to logits [N, S / 2, S / 2] of "belongs to the lesion"; S a multiple of 16.

    The first stages of EfficientNet-Lite0 and a light decoder in the manner of feature pyramids (Lin et al., Feature
    pyramid networks for object detection, CVPR 2017): from the coarsest map up, each is brought to the width of the
    next finer one, enlarged, added to it and convolved once.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, *, weights: str) -> None:
        """`weights` of the encoder: "package" (ImageNet), "none" or a file.

        Raises:
            RecipeError: weights that cannot be had or do not fit.
        """
        super().__init__()
        entry = find_backbone(ENCODER)
        self.register_buffer("mean", torch.tensor(entry.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(entry.std).view(1, 3, 1, 1), persistent=False)
        self.stem, self.stages = _encoder(weights)
        coarse_first = _CHANNELS[::-1]
        self.ups = nn.ModuleList(_Up(*pair) for pair in pairwise(coarse_first))
        self.last = nn.Conv2d(_CHANNELS[0], 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        maps = [self.stem((images - self.mean) / self.std)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        coarse = maps.pop()
        for up in self.ups:
            coarse = up(coarse, maps.pop())
        logits: Tensor = self.last(coarse)
        return logits[:, 0]


class _Up(nn.Module):
    """A coarse map [N, C, h, w] and the next finer one [N, D, 2h, 2w] to [N, D, 2h, 2w]."""

    def __init__(self, channels: int, finer: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, finer, 1)
        self.join = nn.Sequential(
            nn.Conv2d(finer, finer, 3, padding=1, bias=False), nn.BatchNorm2d(finer), nn.ReLU6(inplace=True)
        )

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        enlarged = functional.interpolate(self.narrow(coarse), scale_factor=2.0, mode="nearest")
        joined: Tensor = self.join(enlarged + fine)
        return joined


def _encoder(weights: str) -> tuple[nn.Sequential, nn.ModuleList]:
    """Stem (stride 2) and stages of the encoder."""
    backbone = build_backbone(ENCODER, weights=weights)
    blocks = backbone.get_submodule("blocks")
    stem = nn.Sequential(backbone.get_submodule("conv_stem"), backbone.get_submodule("bn1"))
    stages = [nn.Sequential(*(blocks.get_submodule(str(number)) for number in stage)) for stage in _STAGES]
    return stem, nn.ModuleList(stages)
