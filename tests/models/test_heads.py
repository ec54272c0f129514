from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from dermalens.core.errors import RecipeError
from dermalens.models.heads import LesionClassifier


def small(*, classes: int = 2, **options: Any) -> LesionClassifier:
    torch.manual_seed(1)
    return LesionClassifier("cnn_128", classes=classes, weights="none", **options).eval()


def test_a_head_on_flattened_features_takes_every_cell():
    network = small(classes=7, pooling="flatten", side_pixels=40, hidden=5)
    images = torch.rand(2, 3, 40, 40)
    maps = network.features(images)
    assert maps.shape == (2, 128, 3, 3)
    assert network.head[0].in_features == 128 * 9
    assert torch.equal(network(images), network.head(maps.reshape(2, -1)))
    assert network.training is False
    assert LesionClassifier("cnn_128", classes=7, weights="none", pooling="flatten", side_pixels=40).backbone.training


def test_a_side_that_the_network_cannot_take_is_refused():
    with pytest.raises(RecipeError, match="cnn_128 cannot take images of 16 pixels"):
        small(pooling="flatten", side_pixels=16)


def test_a_single_logit_is_the_sigmoid_and_its_loss_the_binary_one():
    network = small(single_logit=True)
    images, labels = torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 1, 0])
    logits = network(images)
    output = network.head(network.pooled(network.features(images)))
    assert output.shape == (4, 1)
    torch.testing.assert_close(logits.softmax(1)[:, 1], output[:, 0].sigmoid())
    expected = functional.binary_cross_entropy_with_logits(output[:, 0], labels.float())
    torch.testing.assert_close(functional.cross_entropy(logits, labels), expected)


def test_a_single_logit_for_more_classes_than_two_is_refused():
    with pytest.raises(RecipeError, match="for two classes, given are 3"):
        small(single_logit=True, classes=3)


def test_the_small_networks_see_pixels_over_255_and_nothing_else():
    network = small()
    images = torch.rand(1, 3, 32, 32)
    assert torch.equal(network.features(images), network.backbone(images))
