"""Lesion images as other dermatoscopes would show them, so that the gate does not refuse what it has not seen."""

from __future__ import annotations

import torch

from dermalens.transforms.augment import build_augmentation
from dermalens.transforms.augment_spec import Augment
from dermalens.transforms.preprocess import SquarePixels


def other_camera(square: SquarePixels, seed: int) -> SquarePixels:
    """The square turned, nearer or farther, in another light and colour, blurred, noisy or compressed; same shape."""
    augmentation = build_augmentation(_spec(square.shape[0]), square.shape[0])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        changed = augmentation(torch.from_numpy(square).permute(2, 0, 1))
    pixels: SquarePixels = (changed.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return pixels


def _spec(side_pixels: int) -> Augment:
    """As in the recipe of the packaged model, the picture's defects twice as often."""
    return Augment(
        sides_pixels=[(0, side_pixels)],
        scale=(0.7, 1.8),
        brightness=0.3,
        contrast=0.3,
        saturation=0.35,
        hue=0.03,
        channel_gain=0.15,
        blur_probability=0.3,
        noise_probability=0.2,
        jpeg_probability=0.3,
        dark_corner_probability=0.3,
    )
