"""The depthwise convolutions of benchmarks/fast_depthwise against PyTorch's."""

from __future__ import annotations

import copy
import shutil

import pytest
import torch
from torch.nn import functional

from dermalens.models.heads import LesionClassifier

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ compiles these convolutions")

CASES = [
    (32, 13, 3, 1, [1, 1, 1, 1]),
    (16, 12, 3, 2, [0, 1, 0, 1]),
    (24, 10, 5, 2, [1, 2, 1, 2]),
    (8, 4, 5, 1, [2] * 4),
]


@pytest.mark.parametrize(("channels", "side", "kernel", "stride", "padding"), CASES)
def test_result_and_gradients_are_those_of_pytorch(channels, side, kernel, stride, padding) -> None:
    from benchmarks.fast_depthwise.operator import convolved

    torch.manual_seed(0)
    images = torch.randn(3, channels, side, side).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(channels, 1, kernel, kernel, requires_grad=True)
    above, below, left, right = padding
    padded = functional.pad(images, [left, right, above, below])
    expected = functional.conv2d(padded, weight, None, stride, 0, 1, channels)
    given = torch.randn_like(expected)
    needed = torch.autograd.grad(expected, (images, weight), given)
    result = convolved(images, weight, stride, padding)
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(torch.autograd.grad(result, (images, weight), given), needed, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_network_that_was_sped_up_gives_the_same_logits_and_so_does_its_copy() -> None:
    from benchmarks.fast_depthwise.operator import speed_up

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
