"""Depthwise convolutions that train fast in bfloat16 on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Depthwise(torch.autograd.Function):
    """Forward in the type of the input, backward in float32: oneDNN's bfloat16 backward of it is 3 times slower."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, stride: list[int], padding: list[int]) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding = stride, padding
        return functional.conv2d(images, weight.to(images.dtype), None, stride, padding, 1, weight.shape[0])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        images, weight = ctx.saved_tensors
        of_images, of_weight, _ = torch.ops.aten.convolution_backward(
            grads[0].float(),
            images.float(),
            weight.float(),
            None,
            ctx.stride,
            ctx.padding,
            [1, 1],
            False,
            [0, 0],
            weight.shape[0],
            [True, True, False],
        )
        return of_images.to(images.dtype), of_weight.to(weight.dtype), None, None


def speed_up_depthwise(network: nn.Module) -> int:
    """Let the depthwise convolutions of a network train with a float32 backward pass; gives how many.

    Names, weights and the forward pass stay; for automatic mixed precision on a CPU. A convolution with a bias or
    a dilation is left as it is.
    """
    return give_forward([module for module in network.modules() if _is_depthwise(module)], _forward)


def give_forward(modules: Sequence[nn.Module], forward: Callable[..., Tensor]) -> int:
    """Let modules compute by another function, which takes the module first; gives how many they are.

    It is bound, so that a copy of a network (the average of the weights is one) uses its own weights.
    """
    for module in modules:
        setattr(module, "forward", MethodType(forward, module))  # noqa: B010
    return len(modules)


def _is_depthwise(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and module.groups == module.in_channels == module.out_channels > 1
        and module.bias is None
        and module.dilation == (1, 1)
    )


def _forward(module: nn.Conv2d, images: Tensor) -> Tensor:
    stride, padding = list(module.stride), list(module.padding)
    if type(module) is not nn.Conv2d:  # timm's Conv2dSame: half of the padding on each side, the odd one at the end
        sides = zip(images.shape[-2:], module.kernel_size, stride, strict=True)
        spare = [max((-(-side // step) - 1) * step + size - side, 0) for side, size, step in sides]
        top, left = spare[0] // 2, spare[1] // 2
        images = functional.pad(images, [left, spare[1] - left, top, spare[0] - top])
        padding = [0, 0]
    result: Tensor = _Depthwise.apply(images, module.weight, stride, padding)
    return result
