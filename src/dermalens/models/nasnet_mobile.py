"""NASNet-A (4 @ 1056), which Keras calls NASNetMobile: the wiring of its two cells as tables, and the network.

Source: Zoph, Vasudevan, Shlens, Le, Learning Transferable Architectures for Scalable Image Recognition, CVPR 2018,
figure 4 (cells), appendix A.2 and A.4. Sizes as in keras.applications: 4,232,978 parameters without the top.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

Branch = tuple[str, int]  # an operation of `_operation`, and the number of the hidden state that it takes

CURRENT: Final = 0
"""The output of the cell before, brought to the width of this cell."""
PREVIOUS: Final = 1
"""The output of the cell before that one, brought to the width and side of `CURRENT`."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """A cell: five blocks that each add two branches and give the hidden states 2 to 6, and what is joined at last."""

    blocks: tuple[tuple[Branch, Branch], ...]
    joined: tuple[int, ...]
    stride: int
    """Of the branches that take one of the two inputs of the cell; all others have 1."""


NORMAL: Final = Wiring(
    blocks=(
        (("sep_5", CURRENT), ("sep_3", PREVIOUS)),
        (("sep_5", PREVIOUS), ("sep_3", PREVIOUS)),
        (("avg_3", CURRENT), ("identity", PREVIOUS)),
        (("avg_3", PREVIOUS), ("avg_3", PREVIOUS)),
        (("sep_3", CURRENT), ("identity", CURRENT)),
    ),
    joined=(PREVIOUS, 2, 3, 4, 5, 6),
    stride=1,
)

REDUCTION: Final = Wiring(
    blocks=(
        (("sep_5", CURRENT), ("sep_7", PREVIOUS)),
        (("max_3", CURRENT), ("sep_7", PREVIOUS)),
        (("avg_3", CURRENT), ("sep_5", PREVIOUS)),
        (("avg_3", 2), ("identity", 3)),
        (("sep_3", 2), ("max_3", CURRENT)),
    ),
    joined=(3, 4, 5, 6),
    stride=2,
)

STEM_CHANNELS: Final = 32
FILTERS: Final = 44
"""1056 penultimate channels / 24: four times the width after two reductions, six joined states."""
PLAN: Final = (
    (REDUCTION, FILTERS // 4),
    (REDUCTION, FILTERS // 2),
    *[(NORMAL, FILTERS)] * 4,
    (REDUCTION, 2 * FILTERS),
    *[(NORMAL, 2 * FILTERS)] * 4,
    (REDUCTION, 4 * FILTERS),
    *[(NORMAL, 4 * FILTERS)] * 4,
)
"""The cells in order, each with its width."""


class NasNetMobile(nn.Module):
    """Normalised images [N, 3, H, W] to feature maps [N, 1056, h, w]; 7 x 7 maps at 224 pixels."""

    num_features = 24 * FILTERS

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, STEM_CHANNELS, 3, stride=2, bias=False), _norm(STEM_CHANNELS))
        cells: list[Cell] = []
        previous, current = STEM_CHANNELS, STEM_CHANNELS
        for number, (wiring, filters) in enumerate(PLAN):
            cells.append(Cell((current, previous), filters, wiring, fit=_fit(number, previous, filters)))
            previous, current = current, filters * len(wiring.joined)
        self.cells = nn.ModuleList(cells)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, images: Tensor) -> Tensor:
        current = self.stem(images)
        previous = current
        for cell in self.cells:
            previous, current = current, cell(current, previous)
        return functional.relu(current)


class Cell(nn.Module):
    """A normal or a reduction cell: `current` and `previous` [N, C, H, W] to the joined hidden states."""

    def __init__(self, channels: tuple[int, int], filters: int, wiring: Wiring, *, fit: nn.Module) -> None:
        super().__init__()
        current, previous = channels
        self.wiring = wiring
        self.squeeze = _squeeze(current, filters)
        self.fit = fit
        widths = [filters, previous if isinstance(fit, nn.Identity) else filters, *[filters] * len(wiring.blocks)]
        self.branches = nn.ModuleList(
            _operation(name, (widths[state], filters), wiring.stride if state <= PREVIOUS else 1)
            for block in wiring.blocks
            for name, state in block
        )

    def forward(self, current: Tensor, previous: Tensor) -> Tensor:
        states = [self.squeeze(current), self.fit(previous)]
        for number, ((_, left), (_, right)) in enumerate(self.wiring.blocks):
            first, second = self.branches[2 * number], self.branches[2 * number + 1]
            states.append(first(states[left]) + second(states[right]))
        return torch.cat([states[state] for state in self.wiring.joined], dim=1)


class SeparableTwice(nn.Module):
    """Twice ReLU, depthwise and pointwise convolution, batch norm; the first depthwise one has the stride."""

    def __init__(self, channels: tuple[int, int], kernel: int, stride: int) -> None:
        super().__init__()
        given, filters = channels
        self.kernel, self.stride = kernel, stride
        self.first = _separable(given, filters, kernel, stride=stride, padding=0 if stride > 1 else kernel // 2)
        self.second = _separable(filters, filters, kernel, stride=1, padding=kernel // 2)

    def forward(self, maps: Tensor) -> Tensor:
        maps = functional.relu(maps)
        if self.stride > 1:
            maps = functional.pad(maps, _same_at_stride_two(maps, self.kernel))
        result: Tensor = self.second(functional.relu(self.first(maps)))
        return result


class Pool(nn.Module):
    """Average or maximum of 3 x 3 cells, those beyond the border left out."""

    def __init__(self, kind: str, stride: int) -> None:
        super().__init__()
        self.kind, self.stride = kind, stride

    def forward(self, maps: Tensor) -> Tensor:
        # Stride 2 on an even side has its spare cell at the lower right, as TensorFlow has it.
        padding = [side % 2 if self.stride > 1 else 1 for side in maps.shape[2:]]
        if self.kind == "avg":
            return functional.avg_pool2d(maps, 3, self.stride, padding, ceil_mode=True, count_include_pad=False)
        return functional.max_pool2d(maps, 3, self.stride, padding, ceil_mode=True)


class Halve(nn.Module):
    """Factorised reduction: every second cell and every second cell one further, half of the width from each."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(channels, filters // 2, 1, bias=False)
        self.odd = nn.Conv2d(channels, filters // 2, 1, bias=False)
        self.norm = _norm(filters)

    def forward(self, maps: Tensor) -> Tensor:
        maps = functional.relu(maps)
        shifted = functional.pad(maps[:, :, 1:, 1:], (0, 1, 0, 1))
        halves = [self.even(maps[:, :, ::2, ::2]), self.odd(shifted[:, :, ::2, ::2])]
        result: Tensor = self.norm(torch.cat(halves, dim=1))
        return result


def _operation(name: str, channels: tuple[int, int], stride: int) -> nn.Module:
    kind, _, size = name.partition("_")
    if kind == "sep":
        return SeparableTwice(channels, int(size), stride)
    return nn.Identity() if kind == "identity" else Pool(kind, stride)


def _fit(number: int, previous: int, filters: int) -> nn.Module:
    """What brings `previous` to the width and side of `current`; the first cell takes the stem for both as it is."""
    if number == 0:
        return nn.Identity()
    return Halve(previous, filters) if PLAN[number - 1][0] is REDUCTION else _squeeze(previous, filters)


def _squeeze(channels: int, filters: int) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), nn.Conv2d(channels, filters, 1, bias=False), _norm(filters))


def _separable(given: int, filters: int, kernel: int, *, stride: int, padding: int) -> nn.Sequential:
    depthwise = nn.Conv2d(given, given, kernel, stride, padding, groups=given, bias=False)
    return nn.Sequential(depthwise, nn.Conv2d(given, filters, 1, bias=False), _norm(filters))


def _norm(channels: int) -> nn.BatchNorm2d:
    # Keras keeps 0.9997 of the statistics a step, too slow for runs of a few thousand steps; PyTorch's 0.9 here.
    return nn.BatchNorm2d(channels, eps=1e-3)


def _same_at_stride_two(maps: Tensor, kernel: int) -> list[int]:
    """Left, right, upper and lower border for half of the side, rounded up."""
    height, width = (side % 2 for side in maps.shape[2:])
    half = kernel // 2
    return [half - 1 + width, half, half - 1 + height, half]
