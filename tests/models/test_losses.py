from __future__ import annotations

import pytest
import torch

from dermalens.models.losses import class_weights, learned_log_prior

COUNTS = [90, 10]


def test_weights_are_one_over_the_frequency_with_mean_one_over_the_images():
    assert class_weights(COUNTS, 1.0).tolist() == pytest.approx([50 / 90, 5.0])
    assert class_weights(COUNTS, 0.0).tolist() == [1.0, 1.0]
    half = class_weights(COUNTS, 0.5)
    assert float(half[1] / half[0]) == pytest.approx(3.0)
    assert float((half * torch.tensor([0.9, 0.1])).sum()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("sampler_power", "weight_power", "shares"),
    [(0.0, 0.0, [0.9, 0.1]), (0.5, 0.0, [0.75, 0.25]), (0.0, 0.5, [0.75, 0.25]), (1.0, 0.0, [0.5, 0.5])],
)
def test_the_prior_is_what_the_loss_has_seen(sampler_power, weight_power, shares):
    prior = learned_log_prior(COUNTS, sampler_power=sampler_power, weight_power=weight_power)
    assert prior.exp().tolist() == pytest.approx(shares)


def test_logit_adjustment_by_hand():
    # p = (0.6, 0.4) under shares 0.9 and 0.1 is (0.6/0.9, 0.4/0.1) = (1/7, 6/7) under equal shares.
    logits = torch.log(torch.tensor([0.6, 0.4])) - learned_log_prior(COUNTS, sampler_power=0, weight_power=0)
    assert logits.softmax(0).tolist() == pytest.approx([1 / 7, 6 / 7])
