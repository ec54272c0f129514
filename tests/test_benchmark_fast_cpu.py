"""The depthwise convolutions and norms of benchmarks/fast_cpu against PyTorch's."""

from __future__ import annotations

import copy
import shutil

import pytest
import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import nn
from torch.nn import functional

from dermalens.models.heads import LesionClassifier

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ compiles these convolutions")

CASES = [
    (32, 13, 3, 1, [1, 1, 1, 1]),
    (16, 12, 3, 2, [0, 1, 0, 1]),
    (24, 10, 5, 2, [1, 2, 1, 2]),
    (8, 4, 5, 1, [2] * 4),
]


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-4), (torch.bfloat16, 0.05)])
@pytest.mark.parametrize(("channels", "side", "kernel", "stride", "padding"), CASES)
def test_result_and_gradients_are_those_of_pytorch(channels, side, kernel, stride, padding, dtype, near) -> None:
    from benchmarks.fast_cpu.depthwise import convolved

    torch.manual_seed(0)
    stored = torch.randn(3, channels, side, side).to(dtype).contiguous(memory_format=torch.channels_last)
    images = stored.float().requires_grad_()
    weight = torch.randn(channels, 1, kernel, kernel, requires_grad=True)
    above, below, left, right = padding
    padded = functional.pad(images, [left, right, above, below])
    expected = functional.conv2d(padded, weight, None, stride, 0, 1, channels)
    given = torch.randn_like(expected).to(dtype)
    needed = torch.autograd.grad(expected, (images, weight), given.float())
    stored.requires_grad_()
    result = convolved(stored, weight, stride, padding)
    assert result.dtype == dtype
    torch.testing.assert_close(result.float(), expected, rtol=near, atol=near)
    for ours, theirs in zip(torch.autograd.grad(result, (stored, weight), given), needed, strict=True):
        torch.testing.assert_close(ours.float(), theirs, rtol=near, atol=near)


def test_a_network_that_was_sped_up_gives_the_same_logits_and_so_does_its_copy() -> None:
    from benchmarks.fast_cpu.depthwise import speed_up

    torch.manual_seed(0)
    network = LesionClassifier("efficientnet_lite0", classes=7, weights="none").eval()
    images = torch.rand(2, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        expected = network(images)
        assert speed_up(network) == 16
        twin = copy.deepcopy(network)
        torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-5)
        for parameter in network.parameters():
            parameter.zero_()
        torch.testing.assert_close(twin(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-4), (torch.bfloat16, 0.05)])
@pytest.mark.parametrize(("channels", "act"), [(32, nn.ReLU6), (24, nn.Identity), (8, nn.ReLU6)])
def test_norm_and_its_gradients_are_those_of_pytorch(channels, act, dtype, near) -> None:
    from benchmarks.fast_cpu.norm import speed_up_norms

    torch.manual_seed(0)
    ours, theirs = (BatchNormAct2d(channels, momentum=0.3, act_layer=act, inplace=False) for _ in range(2))
    with torch.no_grad():
        ours.weight.uniform_(0.5, 3)
        ours.bias.uniform_(-1, 2)
    theirs.load_state_dict(ours.state_dict())
    assert speed_up_norms(nn.Sequential(ours)) == 1
    stored = (3 * torch.randn(5, channels, 7, 9) + 2).to(dtype).contiguous(memory_format=torch.channels_last)
    given = torch.randn(5, channels, 7, 9).to(dtype)
    images = [stored.clone().requires_grad_(), stored.float().requires_grad_()]
    results = [ours(images[0]), theirs(images[1])]
    torch.testing.assert_close(results[0].float(), results[1], rtol=near, atol=near)
    found = torch.autograd.grad(results[0], (images[0], ours.weight, ours.bias), given)
    needed = torch.autograd.grad(results[1], (images[1], theirs.weight, theirs.bias), given.float())
    for mine, other in zip(found, needed, strict=True):
        torch.testing.assert_close(mine.float(), other, rtol=near, atol=near)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.eval()(images[1]), theirs.eval()(images[1]), rtol=1e-4, atol=1e-4)
