"""Training in several processes: what they must share to learn as one with all their images would."""

from __future__ import annotations

from types import MethodType

import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only
from timm.layers.norm_act import BatchNormAct2d, convert_sync_batchnorm
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce  # the one that has a gradient


def is_first_process() -> bool:
    """Whether this process is the one that reports; Lightning, torchrun and Slurm each number them."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def share_norms(network: nn.Module, device: torch.device) -> None:
    """Let the batch norms in a network count the images of all processes; names and weights stay.

    On a GPU by timm's converter, because PyTorch's own drops the activation that timm's norms carry; on a CPU, for
    which PyTorch has none, by sums that go through gloo.
    """
    if device.type != "cpu":
        convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]  # timm has no annotation here
        return
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            setattr(module, "forward", MethodType(_forward, module))  # noqa: B010


def share_weights(loss: Tensor, labels: Tensor, weight: Tensor | None) -> Tensor:
    """The weighted mean of one process as its part of the weighted mean over all, which DDP then averages."""
    if weight is None:
        return loss
    mine = weight[labels].sum()
    every = mine.clone()
    distributed.all_reduce(every)
    return loss * mine * distributed.get_world_size() / every


def _forward(norm: nn.BatchNorm2d, images: Tensor) -> Tensor:
    if not norm.training:
        return type(norm).forward(norm, images)
    mean, variance = _mean_and_variance(norm, images)
    scale = norm.weight * (variance + norm.eps).rsqrt()
    normed = images * scale[:, None, None] + (norm.bias - mean * scale)[:, None, None]
    normed = normed.to(images.dtype)
    result: Tensor = norm.act(norm.drop(normed)) if isinstance(norm, BatchNormAct2d) else normed
    return result


def _mean_and_variance(norm: nn.BatchNorm2d, images: Tensor) -> tuple[Tensor, Tensor]:
    images = images.float()  # in bfloat16 the difference of two large sums would be noise
    count = images.new_full((1,), images.numel() / images.shape[1])
    mine = torch.cat([images.sum((0, 2, 3)), (images * images).sum((0, 2, 3)), count])
    sums = all_reduce(mine)  # type: ignore[no-untyped-call]  # torch has no annotation here
    (total, squares), n = sums[:-1].chunk(2), sums[-1].detach()
    mean = total / n
    variance = squares / n - mean * mean
    _remember(norm, mean.detach(), (variance * n / (n - 1)).detach())
    return mean, variance


def _remember(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked.add_(1)
    share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean, share)
    norm.running_var.lerp_(variance, share)
