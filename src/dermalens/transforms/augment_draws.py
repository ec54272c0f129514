"""What is drawn for a training image: from its seed to the numbers of its random changes; no torch.

Everything follows from the seed of the image alone, whatever batch, worker, process or device it comes to.
"""

from __future__ import annotations

from enum import IntEnum, auto
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.transforms.augment_spec import Augment

Draws = NDArray[np.float64]  # [N, len(Draw)], uniform from 0 to 1
Numbers = NDArray[np.float64]


class Draw(IntEnum):
    """The columns of `Draws`."""

    TURN = 0
    SHEAR = auto()
    ZOOM = auto()
    FLIP_ACROSS = auto()
    FLIP_DOWN = auto()
    SHIFT_ACROSS = auto()
    SHIFT_DOWN = auto()
    BRIGHTNESS = auto()
    CONTRAST = auto()
    SATURATION = auto()
    HUE = auto()
    GAIN_RED = auto()
    GAIN_GREEN = auto()
    GAIN_BLUE = auto()
    JPEG = auto()
    JPEG_QUALITY = auto()
    BLUR = auto()
    BLUR_PIXELS = auto()
    NOISE = auto()
    NOISE_SEED = auto()
    CORNERS = auto()
    CORNERS_RADIUS = auto()
    CORNERS_ACROSS = auto()
    CORNERS_DOWN = auto()
    ERASE = auto()
    ERASE_AREA = auto()
    ERASE_SHAPE = auto()
    ERASE_ACROSS = auto()
    ERASE_DOWN = auto()
    NOISE_SIGMA = auto()
    MOTION = auto()
    MOTION_PIXELS = auto()
    MOTION_ANGLE = auto()
    COARSE = auto()
    COARSE_TIMES = auto()
    HAIR = auto()
    HAIR_SEED = auto()
    BUBBLES = auto()
    BUBBLES_SEED = auto()


LUMA: Final = (0.2989, 0.587, 0.114)
"""Of red, green and blue in a grey level, as torchvision has it (ITU-R BT.601)."""

_CHROMA: Final = ((0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
"""I and Q of the YIQ colours: their angle is the hue, their length the saturation."""


def draws_of(seed: int) -> Draws:
    """One row of `Draws`."""
    return np.random.default_rng(seed).random(len(Draw))


def warp_of(draws: Draws, spec: Augment) -> Numbers:
    """From places in the changed image to places in the given one, both from -1 to 1: [N, 2, 3]."""
    turn = np.radians(_between(-spec.rotation_degrees, spec.rotation_degrees, draws[:, Draw.TURN]))
    shear = np.tan(np.radians(_between(-spec.shear_degrees, spec.shear_degrees, draws[:, Draw.SHEAR])))
    zoom = np.exp(_between(np.log(spec.scale[0]), np.log(spec.scale[1]), draws[:, Draw.ZOOM]))
    flips = draws[:, [Draw.FLIP_ACROSS, Draw.FLIP_DOWN]] < (0.5 if spec.flip else 0)
    cosine, sine = np.cos(turn), np.sin(turn)
    rotation = np.stack([cosine, -sine, sine, cosine], axis=1).reshape(-1, 2, 2)
    slant = np.zeros_like(rotation) + np.eye(2)
    slant[:, 0, 1] = shear
    matrix = rotation @ slant * (np.where(flips, -1.0, 1.0) / zoom[:, None])[:, None, :]
    shift = _between(-2 * spec.shift, 2 * spec.shift, draws[:, [Draw.SHIFT_ACROSS, Draw.SHIFT_DOWN]])
    return np.concatenate([matrix, shift[:, :, None]], axis=2)


def colours_of(draws: Draws, spec: Augment) -> tuple[Numbers, Numbers]:
    """Matrices [N, 3, 3] for the colours, and [N, 3] by which the mean grey is multiplied and added.

    Brightness, hue, saturation, contrast and channel gain are each linear, and so is all of them.
    """
    bright, contrast, saturation = (
        _between(max(0.0, 1 - largest), 1 + largest, draws[:, column])
        for column, largest in (
            (Draw.BRIGHTNESS, spec.brightness),
            (Draw.CONTRAST, spec.contrast),
            (Draw.SATURATION, spec.saturation),
        )
    )
    angle = 2 * np.pi * _between(-spec.hue, spec.hue, draws[:, Draw.HUE])
    to_yiq = np.array([LUMA, *_CHROMA])
    turned = np.zeros((len(draws), 3, 3))
    turned[:, 0, 0] = 1
    turned[:, 1, 1] = turned[:, 2, 2] = saturation * np.cos(angle)
    turned[:, 2, 1] = saturation * np.sin(angle)
    turned[:, 1, 2] = -turned[:, 2, 1]
    gain = _between(1 - spec.channel_gain, 1 + spec.channel_gain, draws[:, Draw.GAIN_RED : Draw.GAIN_BLUE + 1])
    matrices = np.linalg.inv(to_yiq) @ turned @ to_yiq * (bright * contrast)[:, None, None]
    return gain[:, :, None] * matrices, gain * (bright * (1 - contrast))[:, None]


def chosen(draws: Draws, column: Draw, probability: float) -> list[int]:
    """The images of a batch to which a change happens that has a probability."""
    return [int(number) for number in np.flatnonzero(draws[:, column] < probability)]


def blur_kernels(draws: Draws, spec: Augment) -> Numbers:
    """Gaussians as wide as twice the largest standard deviation either way, [N, k]."""
    sigma = _between(*spec.blur_pixels, draws[:, Draw.BLUR_PIXELS])
    reach = ceil(2 * spec.blur_pixels[1])
    bells = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma[:, None]) ** 2)
    return np.asarray(bells / bells.sum(axis=1, keepdims=True))


def motion_kernels(draws: Draws, spec: Augment) -> Numbers:
    """Straight lines through the middle, one pixel wide and without steps, [N, k, k]."""
    length = _between(*spec.motion_pixels, draws[:, Draw.MOTION_PIXELS])[:, None, None]
    angle = (np.pi * draws[:, Draw.MOTION_ANGLE])[:, None, None]
    reach = ceil(spec.motion_pixels[1] / 2)
    down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along = np.abs(across * np.cos(angle) + down * np.sin(angle))
    beside = np.abs(down * np.cos(angle) - across * np.sin(angle))
    lines = np.clip(length / 2 + 0.5 - along, 0, 1) * np.clip(1 - beside, 0, 1)
    return np.asarray(lines / lines.sum(axis=(1, 2), keepdims=True))


def noise_sigmas(draws: Draws, spec: Augment) -> Numbers:
    """Standard deviations of the noise, [N]."""
    return _between(*spec.noise_sigma, draws[:, Draw.NOISE_SIGMA])


def seed_of(share: float) -> int:
    """A seed from a draw."""
    return int(share * 2**53)


def coarse_sides(draws: Draws, spec: Augment, side_pixels: int) -> list[int]:
    """The side to which each image is reduced before it is enlarged again."""
    times = _between(*spec.coarse_times, draws[:, Draw.COARSE_TIMES])
    return [max(1, round(side_pixels / one)) for one in times]


def quality_of(draws: Draws, spec: Augment) -> int:
    """The JPEG quality of one image."""
    lowest, highest = spec.jpeg_quality
    return lowest + int((highest - lowest + 1) * draws[Draw.JPEG_QUALITY])


def corner_circles(draws: Draws) -> Numbers:
    """Radius and centre (across, down) of the field of view, in halves of the side: [N, 3]."""
    places = draws[:, [Draw.CORNERS_RADIUS, Draw.CORNERS_ACROSS, Draw.CORNERS_DOWN]]
    return np.asarray(places * np.array([0.3, 0.2, 0.2]) + np.array([0.9, -0.1, -0.1]))


def erased_boxes(draws: Draws) -> Numbers:
    """Left, upper, right and lower of the erased rectangles as shares of the side, [N, 4].

    Two to 15 % of the area, the sides at most 3.3 to one, as in torchvision's `RandomErasing`.
    """
    area = _between(0.02, 0.15, draws[:, Draw.ERASE_AREA])
    shape = np.exp(_between(-np.log(3.3), np.log(3.3), draws[:, Draw.ERASE_SHAPE]))
    size = np.stack([np.sqrt(area * shape), np.sqrt(area / shape)], axis=1)
    start = draws[:, [Draw.ERASE_ACROSS, Draw.ERASE_DOWN]] * (1 - size)
    return np.concatenate([start, start + size], axis=1)


def _between(low: float, high: float, shares: Numbers) -> Numbers:
    return low + (high - low) * shares
