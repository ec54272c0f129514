"""Batch norm and ReLU6 in one, with its gradient, by norm.cpp."""

from __future__ import annotations

import ctypes
from typing import Any, Final

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn

from benchmarks.fast_cpu.library import LANES, LAST, at, entry
from dermalens.models.depthwise import give_forward

SOURCE: Final = "norm"
CAP: Final = 6.0
NO_CAP: Final = 0.0


class _Normed(torch.autograd.Function):
    """Images [N, C, H, W] normed by their own statistics and limited to 0..`cap`; updates the running statistics."""

    @staticmethod
    def forward(  # noqa: PLR0913  (what a gradient is asked for comes by itself)
        ctx: Any, images: Tensor, norm: nn.BatchNorm2d, weight: Tensor, bias: Tensor, cap: float
    ) -> Tensor:
        images = images.contiguous(memory_format=LAST)
        channels, rows = images.shape[1], images.numel() // images.shape[1]
        total, squares = torch.empty(2, channels, dtype=torch.float64)
        entry(SOURCE, "bn_sums", images)(*at(images, total, squares), *_numbers(rows, channels))
        mean = total / rows
        var = (squares / rows - mean.square()).clamp_min(0)
        _remember(norm, mean, var * (rows / max(rows - 1, 1)))
        rstd = (var + norm.eps).rsqrt()
        scale = (weight.detach() * rstd).float()
        shift = (bias.detach() - mean * weight.detach() * rstd).float()
        result = torch.empty_like(images, memory_format=LAST)
        sizes = (*_numbers(rows, channels), ctypes.c_float(cap))
        entry(SOURCE, "bn_apply", images)(*at(images, scale, shift, result), *sizes)
        ctx.save_for_backward(images, scale, shift, mean.float(), rstd.float())
        ctx.sizes = sizes
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, Tensor, Tensor, None]:
        images, scale, shift, mean, rstd = ctx.saved_tensors
        given = grads[0].to(images.dtype).contiguous(memory_format=LAST)
        of_images = torch.empty_like(images, memory_format=LAST)
        of_weight, of_bias = torch.empty_like(scale), torch.empty_like(shift)
        pointers = at(images, given, scale, shift, mean, rstd, of_images, of_weight, of_bias)
        entry(SOURCE, "bn_backward", images)(*pointers, *ctx.sizes)
        return of_images, None, of_weight, of_bias, None


def _remember(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor) -> None:
    """Move the running statistics towards those of a batch."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    norm.running_mean.lerp_(mean.float(), norm.momentum)
    norm.running_var.lerp_(var.float(), norm.momentum)
    norm.num_batches_tracked.add_(1)


def _numbers(rows: int, channels: int) -> tuple[ctypes.c_int64, ctypes.c_int64]:
    return ctypes.c_int64(rows), ctypes.c_int64(channels)


def speed_up_norms(network: nn.Module) -> int:
    """Let the norms of a network with ReLU6 or nothing behind them use this; gives how many. Names and weights stay."""
    fitting = [module for module in network.modules() if isinstance(module, BatchNormAct2d) and _fits(module)]
    return give_forward(fitting, _forward)


def _fits(module: BatchNormAct2d) -> bool:
    return (
        module.num_features % LANES == 0
        and module.affine
        and module.track_running_stats
        and module.momentum is not None
        and isinstance(module.drop, nn.Identity)
        and isinstance(module.act, (nn.ReLU6, nn.Identity))
    )


def _forward(module: BatchNormAct2d, images: Tensor) -> Tensor:
    if not module.training:
        plain: Tensor = BatchNormAct2d.forward(module, images)  # type: ignore[no-untyped-call]
        return plain
    cap = CAP if isinstance(module.act, nn.ReLU6) else NO_CAP
    result: Tensor = _Normed.apply(images, module, module.weight, module.bias, cap)
    return result
