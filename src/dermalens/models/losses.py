"""Losses and priors for unbalanced classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def class_weights(counts: Sequence[int], power: float) -> Tensor:
    """Weights [K] in proportion to count ** -power, with mean one over the images; power 0 gives ones."""
    sizes = torch.tensor(counts, dtype=torch.float64)
    weights = sizes.clamp(min=1) ** -power
    return (weights * sizes.sum() / (weights * sizes).sum()).float()


def learned_log_prior(counts: Sequence[int], *, sampler_power: float, weight_power: float) -> Tensor:
    """Log of the class shares [K] that the loss has seen, after sampling and weighting.

    Subtracting it from the logits gives the prediction for equally frequent classes (logit adjustment,
    Menon et al., Long-tail learning via logit adjustment, ICLR 2021, post-hoc form).
    """
    sizes = torch.tensor(counts, dtype=torch.float64).clamp(min=1)
    shares = sizes ** (1 - sampler_power - weight_power)
    return torch.log(shares / shares.sum()).float()
