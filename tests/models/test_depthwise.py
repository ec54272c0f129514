from __future__ import annotations

import copy

import pytest
import timm
import torch

from dermalens.models.depthwise import speed_up_depthwise


@pytest.mark.parametrize("name", ["test_efficientnet", "tf_efficientnet_lite0"])
def test_the_forward_and_backward_pass_stay_the_same(name):
    torch.manual_seed(0)
    plain = timm.create_model(name, num_classes=3).eval()
    fast = copy.deepcopy(plain)
    assert speed_up_depthwise(fast) == sum(m.groups > 1 for m in plain.modules() if isinstance(m, torch.nn.Conv2d))
    images = torch.rand(2, 3, 65, 65)  # odd: the padding of "same" is uneven
    for network in (plain, fast):
        network(images).square().sum().backward()
    assert torch.allclose(plain(images), fast(images))
    for (name, given), expected in zip(fast.named_parameters(), plain.parameters(), strict=True):
        assert torch.allclose(given.grad, expected.grad, rtol=1e-3, atol=1e-4), name


def test_in_bfloat16_the_gradient_of_the_weights_is_that_of_the_same_rounded_input():
    torch.manual_seed(0)
    network = torch.nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
    assert speed_up_depthwise(network) == 1
    images = torch.rand(2, 8, 9, 9)
    with torch.autocast("cpu", torch.bfloat16):
        result = network(images.bfloat16())
    assert result.dtype == torch.bfloat16
    result.float().sum().backward()
    exact = torch.nn.functional.conv2d(images.bfloat16().float(), network.weight, padding=1, groups=8)
    expected = torch.autograd.grad(exact.sum(), network.weight)[0]
    assert torch.allclose(network.weight.grad, expected, rtol=1e-5)


def test_a_copy_uses_its_own_weights():
    network = torch.nn.Conv2d(4, 4, 3, groups=4, bias=False)
    speed_up_depthwise(network)
    twin = copy.deepcopy(network)
    torch.nn.init.zeros_(twin.weight)
    images = torch.rand(1, 4, 5, 5)
    assert not twin(images).any()
    assert network(images).any()


def test_others_are_left_as_they_are():
    biased = torch.nn.Conv2d(4, 4, 3, groups=4)
    grouped = torch.nn.Conv2d(4, 4, 3, groups=2, bias=False)
    assert speed_up_depthwise(torch.nn.Sequential(biased, grouped)) == 0
