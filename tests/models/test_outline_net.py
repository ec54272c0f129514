from __future__ import annotations

import pytest
import torch

from dermalens.core.errors import RecipeError
from dermalens.models.backbones import build_backbone
from dermalens.models.outline_net import ENCODER, OutlineNet


@pytest.mark.parametrize("side", [64, 80, 112])
def test_the_network_gives_a_logit_for_every_two_by_two_pixels(side: int):
    network = OutlineNet(weights="none").eval()
    with torch.inference_mode():
        assert network(torch.rand(2, 3, side, side)).shape == (2, side // 2, side // 2)


def test_the_network_fits_into_six_megabytes():
    assert sum(tensor.numel() for tensor in OutlineNet(weights="none").state_dict().values()) * 4 < 6e6


def test_the_encoder_starts_from_the_weights_of_the_package():
    network = OutlineNet(weights="package")
    whole = build_backbone(ENCODER, weights="package").state_dict()
    assert torch.equal(network.stem[0].weight, whole["conv_stem.weight"])
    last = network.stages[-1].state_dict()
    assert torch.equal(last["1.0.conv_pw.weight"], whole["blocks.4.0.conv_pw.weight"])


def test_weights_that_are_not_there_are_named():
    with pytest.raises(RecipeError, match="No weights at nowhere.pth"):
        OutlineNet(weights="nowhere.pth")
