"""The convolutions of depthwise.cpp as an operator of PyTorch, with its gradient."""

from __future__ import annotations

import ctypes
from typing import Any, Final

import torch
from torch import Tensor, nn

from benchmarks.fast_cpu.library import LANES, LAST, at, entry
from dermalens.models.depthwise import give_forward

SOURCE: Final = "depthwise"
KERNELS: Final = (3, 5)
STRIDES: Final = (1, 2)
FIXED: Final = (torch.Tag.needs_fixed_stride_order,)


@torch.library.custom_op("fast_depthwise::forward", mutates_args=(), tags=FIXED)
def convolved(images: Tensor, weight: Tensor, stride: int, padding: list[int]) -> Tensor:
    """Images [N, C, H, W], float32 or bfloat16; weights [C, 1, k, k], float32; `padding` above, below, left, right."""
    images, result = images.contiguous(memory_format=LAST), _empty_result(images, weight, stride, padding)
    places, kernel = _kernel_last(weight), weight.shape[-1]
    sizes = _sizes(images, result, padding)
    failed = entry(SOURCE, "dw_forward", images)(*at(images, places, result), sizes, kernel, stride)
    assert not failed, (kernel, stride)
    return result


@torch.library.custom_op("fast_depthwise::backward", mutates_args=(), tags=FIXED)
def gradients(images: Tensor, given: Tensor, weight: Tensor, stride: int, padding: list[int]) -> tuple[Tensor, Tensor]:
    """The gradients of images and weights for that of the result, `given`."""
    images, given = images.contiguous(memory_format=LAST), given.to(images.dtype).contiguous(memory_format=LAST)
    places, kernel = _kernel_last(weight), weight.shape[-1]
    of_images, of_places = torch.empty_like(images, memory_format=LAST), torch.empty_like(places)
    pointers = at(images, given, places, of_images, of_places)
    failed = entry(SOURCE, "dw_backward", images)(*pointers, _sizes(images, given, padding), kernel, stride)
    assert not failed, (kernel, stride)
    return of_images, of_places.permute(2, 0, 1).unsqueeze(1).contiguous()


def _empty_result(images: Tensor, weight: Tensor, stride: int, padding: list[int]) -> Tensor:
    above, below, left, right = padding
    kernel = weight.shape[-1]
    height = (images.shape[2] + above + below - kernel) // stride + 1
    width = (images.shape[3] + left + right - kernel) // stride + 1
    return torch.empty(images.shape[0], images.shape[1], height, width, dtype=images.dtype, memory_format=LAST)


def _empty_gradients(
    images: Tensor,
    given: Tensor,  # noqa: ARG001  (the operator's own arguments)
    weight: Tensor,
    stride: int,  # noqa: ARG001
    padding: list[int],  # noqa: ARG001
) -> tuple[Tensor, Tensor]:
    return torch.empty_like(images, memory_format=LAST), torch.empty(weight.shape)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    images, weight, ctx.stride, ctx.padding = inputs
    ctx.save_for_backward(images, weight)


def _pass_back(ctx: Any, given: Tensor) -> tuple[Tensor, Tensor, None, None]:
    images, weight = ctx.saved_tensors
    return *gradients(images, given, weight, ctx.stride, ctx.padding), None, None


convolved.register_fake(_empty_result)
gradients.register_fake(_empty_gradients)
torch.library.register_autograd("fast_depthwise::forward", _pass_back, setup_context=_remember)


def speed_up(network: nn.Module) -> int:
    """Let the depthwise convolutions of a network that fit use these; gives how many. Names and weights stay."""
    fitting = [module for module in network.modules() if isinstance(module, nn.Conv2d) and _fits(module)]
    return give_forward(fitting, _forward)


def _fits(module: nn.Conv2d) -> bool:
    return (
        module.groups == module.in_channels == module.out_channels > 1
        and module.in_channels % LANES == 0
        and module.bias is None
        and module.dilation == (1, 1)
        and module.kernel_size in [(size, size) for size in KERNELS]
        and module.stride in [(step, step) for step in STRIDES]
    )


def _forward(module: nn.Conv2d, images: Tensor) -> Tensor:
    kernel, stride = module.kernel_size[0], module.stride[0]
    padding = [int(module.padding[0])] * 4
    if type(module) is not nn.Conv2d:  # timm's Conv2dSame: half of the padding on each side, the odd one at the end
        spare = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in images.shape[-2:]]
        padding = [spare[0] // 2, spare[0] - spare[0] // 2, spare[1] // 2, spare[1] - spare[1] // 2]
    result: Tensor = convolved(images, module.weight, stride, padding)
    return result


def _kernel_last(weight: Tensor) -> Tensor:
    return weight.detach().float().squeeze(1).permute(1, 2, 0).contiguous()


def _sizes(images: Tensor, result: Tensor, padding: list[int]) -> Any:
    count, channels, height, width = images.shape
    numbers = (count, height, width, channels, result.shape[2], result.shape[3], padding[0], padding[2])
    return (ctypes.c_int64 * len(numbers))(*numbers)
