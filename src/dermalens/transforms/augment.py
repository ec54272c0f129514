"""Random changes of training images, a batch at a time, on the device that trains.

torchvision's transforms draw once for a whole batch; here each image of a batch has its own draws, which follow from
its seed alone (`augment_draws`). On a CPU this costs a third of torchvision's transforms one by one, mostly because all
changes of colour are one matrix.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import v2

from dermalens.transforms.augment_covers import bubbled, haired
from dermalens.transforms.augment_covers_draws import bubbles_of, hairs_of
from dermalens.transforms.augment_draws import (
    LUMA,
    Draw,
    Draws,
    Numbers,
    blur_kernels,
    chosen,
    coarse_sides,
    colours_of,
    corner_circles,
    draws_of,
    erased_boxes,
    motion_kernels,
    noise_sigmas,
    quality_of,
    seed_of,
    warp_of,
)
from dermalens.transforms.augment_spec import Augment
from dermalens.transforms.preprocess import SquarePixels

LOAD_MARGIN = 1.15
"""Images are first reduced (antialiased) to this multiple of the training side, then warped once."""

GREY = 0.5
"""Of an erased rectangle."""


def load_side(side_pixels: int) -> int:
    """The side at which an image is loaded to be warped to a training side."""
    return round(side_pixels * LOAD_MARGIN)


def jpeg_loss(square: SquarePixels, draws: Draws, spec: Augment) -> SquarePixels:
    """JPEG and back, where the draws say so; the one change that stays with the workers."""
    if draws[Draw.JPEG] >= spec.jpeg_probability:
        return square
    file = io.BytesIO()
    Image.fromarray(square).save(file, format="JPEG", quality=quality_of(draws, spec))
    with Image.open(file) as lossy:
        return np.array(lossy)


def augment(squares: Tensor, draws: Draws, spec: Augment, side_pixels: int) -> Tensor:
    """Squares uint8 [N, 3, S, S] and their draws [N, D] to changed float images 0..1 [N, 3, side, side].

    Which images are changed is decided on the CPU, so that a GPU is never waited for.
    """
    return spoiled(framed(squares, draws, spec, side_pixels), draws, spec)


def framed(squares: Tensor, draws: Draws, spec: Augment, side_pixels: int) -> Tensor:
    """The first half of `augment`: another good picture of the lesion, turned, moved, in other light."""
    images = _warped(_reduced(squares, side_pixels), warp_of(draws, spec), side_pixels)
    if spec.brightness or spec.contrast or spec.saturation or spec.hue or spec.channel_gain:
        images = _recoloured(images, *colours_of(draws, spec))
    return images


def spoiled(images: Tensor, draws: Draws, spec: Augment) -> Tensor:
    """The second half: hairs, bubbles, blur, noise and what is hidden; `images` [N, 3, S, S] themselves are changed."""
    if hairy := chosen(draws, Draw.HAIR, spec.hair_probability):
        _change(images, hairy, lambda some: _haired(some, draws[hairy, Draw.HAIR_SEED], spec))
    if wet := chosen(draws, Draw.BUBBLES, spec.bubble_probability):
        _change(images, wet, lambda some: _bubbled(some, draws[wet, Draw.BUBBLES_SEED], spec))
    if blurred := chosen(draws, Draw.BLUR, spec.blur_probability):
        _change(images, blurred, lambda some: _blurred(some, blur_kernels(draws[blurred], spec)))
    if moved := chosen(draws, Draw.MOTION, spec.motion_probability):
        _change(images, moved, lambda some: _moved(some, motion_kernels(draws[moved], spec)))
    if coarse := chosen(draws, Draw.COARSE, spec.coarse_probability):
        _change(images, coarse, lambda some: _coarse(some, coarse_sides(draws[coarse], spec, images.shape[-1])))
    if noisy := chosen(draws, Draw.NOISE, spec.noise_probability):
        _change(images, noisy, lambda some: _noisy(some, draws[noisy], spec))
    if dark := chosen(draws, Draw.CORNERS, spec.dark_corner_probability):
        _change(images, dark, lambda some: some * _circles(some, corner_circles(draws[dark])))
    if erased := chosen(draws, Draw.ERASE, spec.erase_probability):
        _change(images, erased, lambda some: some.masked_fill(_boxes(some, erased_boxes(draws[erased])), GREY))
    return images


def _change(images: Tensor, numbers: list[int], change: Callable[[Tensor], Tensor]) -> None:
    """Put the changed ones of a batch in their places."""
    at = torch.tensor(numbers).to(images.device, non_blocking=True)
    images.index_copy_(0, at, change(images.index_select(0, at)))


def _reduced(squares: Tensor, side_pixels: int) -> Tensor:
    side = load_side(side_pixels)
    if side < squares.shape[-1]:
        squares = v2.functional.resize(squares, [side, side], antialias=True)
    return torch.div(squares, 255.0)


def _warped(images: Tensor, theta: Numbers, side_pixels: int) -> Tensor:
    """One bilinear warp, the border reflected."""
    size = [len(images), 3, side_pixels, side_pixels]
    grid = functional.affine_grid(_like(theta, images), size, align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False).contiguous()


def _recoloured(images: Tensor, matrices: Numbers, grey_shares: Numbers) -> Tensor:
    greys = images.mean((2, 3)) @ torch.tensor(LUMA).to(images.device, non_blocking=True)
    added = greys[:, None] * _like(grey_shares, images)
    return torch.baddbmm(added[:, :, None], _like(matrices, images), images.flatten(2)).clamp_(0, 1).view_as(images)


def _haired(images: Tensor, seeds: Numbers, spec: Augment) -> Tensor:
    return _covered(images, seeds, lambda one, seed: haired(one, hairs_of(seed, spec.hair_count)))


def _bubbled(images: Tensor, seeds: Numbers, spec: Augment) -> Tensor:
    return _covered(images, seeds, lambda one, seed: bubbled(one, bubbles_of(seed, spec.bubble_count)))


def _covered(images: Tensor, seeds: Numbers, cover: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Each image [3, S, S] with what its seed lays on it."""
    return torch.stack([cover(one, seed_of(share)) for one, share in zip(images, seeds, strict=True)])


def _blurred(images: Tensor, kernels: Numbers) -> Tensor:
    bells = _like(kernels, images).repeat_interleave(3, dim=0)
    flat = _bordered(images, kernels.shape[-1] // 2).flatten(0, 1)[None]
    across = functional.conv2d(flat, bells[:, None, None, :], groups=len(bells))
    return functional.conv2d(across, bells[:, None, :, None], groups=len(bells)).view_as(images)


def _moved(images: Tensor, kernels: Numbers) -> Tensor:
    lines = _like(kernels, images).repeat_interleave(3, dim=0)
    flat = _bordered(images, kernels.shape[-1] // 2).flatten(0, 1)[None]
    return functional.conv2d(flat, lines[:, None], groups=len(lines)).view_as(images)


def _bordered(images: Tensor, pixels: int) -> Tensor:
    return functional.pad(images, [pixels] * 4, mode="reflect")


def _coarse(images: Tensor, sides: list[int]) -> Tensor:
    size = list(images.shape[-2:])
    return torch.cat(
        [
            v2.functional.resize(v2.functional.resize(one[None], [side, side], antialias=True), size)
            for one, side in zip(images, sides, strict=True)
        ]
    ).clamp_(0, 1)


def _noisy(images: Tensor, draws: Draws, spec: Augment) -> Tensor:
    noise = torch.empty_like(images)
    for one, share, sigma in zip(noise, draws[:, Draw.NOISE_SEED], noise_sigmas(draws, spec), strict=True):
        generator = torch.Generator(images.device).manual_seed(seed_of(share))
        one.normal_(0, float(sigma), generator=generator)
    return (images + noise).clamp_(0, 1)


def _circles(images: Tensor, circles: Numbers) -> Tensor:
    """1 within the round field of a dermatoscope and 0 outside, [N, 1, side, side]."""
    side = images.shape[-1]
    radius, across, down = _like(circles, images).view(-1, 3, 1, 1).unbind(1)
    line = torch.linspace(-1, 1, side, device=images.device)
    distance = ((line[None, None, :] - across) ** 2 + (line[None, :, None] - down) ** 2).sqrt()
    return ((radius - distance) * side / 4).clamp(0, 1)[:, None]


def _boxes(images: Tensor, boxes: Numbers) -> Tensor:
    """True within the rectangles, [N, 1, side, side]."""
    left, upper, right, lower = _like(boxes, images).view(-1, 4, 1, 1).unbind(1)
    line = (torch.arange(images.shape[-1], device=images.device) + 0.5) / images.shape[-1]
    across, down = line[None, None, :], line[None, :, None]
    return ((across >= left) & (across < right) & (down >= upper) & (down < lower))[:, None]


def _like(numbers: Numbers, images: Tensor) -> Tensor:
    return torch.from_numpy(numbers.astype(np.float32)).to(images.device, non_blocking=True)


def build_augmentation(spec: Augment, side_pixels: int) -> Callable[[Tensor], Tensor]:
    """The changes of one image: uint8 [3, S, S] to float 0..1 [3, side, side]; its seed is drawn from torch."""

    def change(image: Tensor) -> Tensor:
        draws = draws_of(int(torch.randint(2**31, ())))
        square = jpeg_loss(image.permute(1, 2, 0).contiguous().numpy(), draws, spec)
        return augment(torch.from_numpy(square).permute(2, 0, 1)[None], draws[None], spec, side_pixels)[0]

    return change


def mixed(images: Tensor, labels: Tensor, spec: Augment, classes: int) -> tuple[Tensor, Tensor]:
    """Mixup or cutmix of a batch (one of them at random when both are on); labels become [N, K] shares."""
    choices: list[v2.Transform] = []
    if spec.mixup_alpha:
        choices.append(v2.MixUp(alpha=spec.mixup_alpha, num_classes=classes))
    if spec.cutmix_alpha:
        choices.append(v2.CutMix(alpha=spec.cutmix_alpha, num_classes=classes))
    if not choices:
        return images, labels
    result: tuple[Tensor, Tensor] = v2.RandomChoice(choices)(images, labels)
    return result
