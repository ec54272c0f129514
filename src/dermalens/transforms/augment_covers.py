"""What lies between the skin and the lens, laid on training images: hairs, and bubbles of air in the gel.

Each hair is an arc of a circle and each bubble a circle, so that a picture follows in closed form on any device. The
drawings of the evaluation (`evaluate/corruptions_drawn`, `corruptions_bubbles`) are others, made in another way.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dermalens.transforms.augment_covers_draws import Bubbles, Hairs

PIXEL_EDGE = 0.5
"""Half the width over which an edge fades, in pixels."""


def haired(image: Tensor, hairs: Hairs) -> Tensor:
    """Hairs laid on one float image [3, S, S] of 0..1."""
    side = image.shape[-1]
    across, down = _places(image)
    middle_across, middle_down, cosine, sine, curvature, half_length, half_width = _columns(hairs.arcs, image)
    along = (across - middle_across) * cosine + (down - middle_down) * sine
    beside = (down - middle_down) * cosine - (across - middle_across) * sine
    bent = curvature * (along**2 + beside**2) - 2 * beside
    distance = (bent / (1 + (1 + curvature * bent).clamp_min(0).sqrt())).abs()
    width = half_width * (1 - (along / half_length) ** 2).clamp_min(0).sqrt()
    is_this_side = (along.abs() < half_length) & (curvature * beside < 1)  # not the far side of the circle
    opacity = ((width - distance) * side + PIXEL_EDGE).clamp(0, 1) * is_this_side
    colours = torch.from_numpy(hairs.colours).to(image)
    covered, nearest = opacity.max(dim=0)
    return image + covered * (colours[nearest].permute(2, 0, 1) - image)


def bubbled(image: Tensor, bubbles: Bubbles) -> Tensor:
    """Bubbles laid on one float image [3, S, S] of 0..1: a rim with a lit and a dark side, a glint, a paler inside."""
    across, down = _places(image)
    middle_across, middle_down, radius, rim, light_across, light_down, contrast = _columns(bubbles.circles, image)
    x, y = (across - middle_across) / radius, (down - middle_down) / radius
    distance = (x**2 + y**2).sqrt()
    lit = (x * light_across + y * light_down) / distance.clamp_min(1e-3)
    edge = torch.exp(-(((distance - 1) / rim) ** 2)) * (0.25 * lit - 0.05)
    glint = 0.6 * torch.exp(-((x - 0.5 * light_across) ** 2 + (y - 0.5 * light_down) ** 2) / 0.03)
    inside = 0.06 * (distance < 1)
    return (image + (contrast * (edge + glint + inside)).sum(dim=0)).clamp(0, 1)


def _places(image: Tensor) -> tuple[Tensor, Tensor]:
    """The middles of the pixels as shares of the side: across [1, 1, S] and down [1, S, 1]."""
    line = (torch.arange(image.shape[-1], device=image.device, dtype=image.dtype) + 0.5) / image.shape[-1]
    return line[None, None, :], line[None, :, None]


def _columns(table: object, image: Tensor) -> tuple[Tensor, ...]:
    """The columns of a table [N, C], each as [N, 1, 1] beside the image."""
    return torch.as_tensor(table).to(image).T[:, :, None, None].unbind(0)
