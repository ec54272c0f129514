"""Sequential CNNs to be trained from scratch: convolutions and pooling, nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class SmallCnn(nn.Module):
    """For each width a 3 x 3 convolution without border, ReLU and 2 x 2 max pooling; [N, 3, H, W] to [N, C, h, w]."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.num_features = widths[-1]
        self.stages = nn.Sequential()
        for given, width in zip([3, *widths], widths, strict=False):
            self.stages.append(nn.Sequential(nn.Conv2d(given, width, 3), nn.ReLU(), nn.MaxPool2d(2)))

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.stages(images)
        return maps


def cnn_128() -> SmallCnn:
    """32-64-128: at 128 pixels 14 x 14 maps; 3,304,769 parameters with a flat head of 128 and one output."""
    return SmallCnn((32, 64, 128))


def cnn_150() -> SmallCnn:
    """32-64-128-128: at 150 pixels 7 x 7 maps; 3,456,199 parameters with a flat head of 512 and seven outputs."""
    return SmallCnn((32, 64, 128, 128))
