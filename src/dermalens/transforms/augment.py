"""Random changes of training images: torchvision v2 transforms, and the few that it has not.

Randomness comes from torch's global generator, which the data set seeds anew for every image, so that an
image looks the same however many workers there are.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import v2

from dermalens.transforms.augment_spec import Augment

LOAD_MARGIN = 1.15
"""Images are first reduced (antialiased) to this multiple of the training side, then warped once."""


def _uniform(low: float, high: float) -> float:
    return float(torch.empty(()).uniform_(low, high))


class RandomGeometry(v2.Transform):
    """Rotation, mirror, scale, shear and shift in one bilinear warp, the border reflected; float [3, H, W]."""

    def __init__(self, spec: Augment, side_pixels: int) -> None:
        super().__init__()
        self.spec = spec
        self.side_pixels = side_pixels

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        spec = self.spec
        turn = math.radians(_uniform(-spec.rotation_degrees, spec.rotation_degrees))
        shear = math.tan(math.radians(_uniform(-spec.shear_degrees, spec.shear_degrees)))
        zoom = math.exp(_uniform(math.log(spec.scale[0]), math.log(spec.scale[1])))
        mirror = [-1.0 if spec.flip and _uniform(0, 1) < 0.5 else 1.0 for _ in range(2)]
        rotation = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        matrix = rotation @ torch.tensor([[1.0, shear], [0.0, 1.0]]) @ torch.diag(torch.tensor(mirror)) / zoom
        shift = torch.tensor([_uniform(-2 * spec.shift, 2 * spec.shift) for _ in range(2)])
        return {"theta": torch.cat([matrix, shift[:, None]], dim=1)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        size = [1, 3, self.side_pixels, self.side_pixels]
        grid = functional.affine_grid(params["theta"][None], size, align_corners=False)
        warped = functional.grid_sample(inpt[None], grid, padding_mode="reflection", align_corners=False)
        return warped[0]


class RandomChannelGain(v2.Transform):
    """Multiply each colour channel by its own gain: another lamp, another camera."""

    def __init__(self, largest: float) -> None:
        super().__init__()
        self.largest = largest

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        gain = torch.empty(3, 1, 1).uniform_(1 - self.largest, 1 + self.largest)
        return (inpt * gain).clamp(0, 1)


class DarkCorners(v2.Transform):
    """Blacken all outside a circle, as the round field of a dermatoscope does."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        height, width = inpt.shape[-2:]
        radius = _uniform(0.9, 1.2)
        centre = (_uniform(-0.1, 0.1), _uniform(-0.1, 0.1))
        y = torch.linspace(-1, 1, height)[:, None] - centre[0]
        x = torch.linspace(-1, 1, width)[None, :] - centre[1]
        inside = ((radius - (x * x + y * y).sqrt()) * width / 4).clamp(0, 1)
        return inpt * inside


class JpegLoss(v2.Transform):
    """JPEG at quality 30 to 90 and back, by Pillow: torchvision's own is deprecated since 0.29; uint8 [3, H, W]."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        file = io.BytesIO()
        picture = Image.fromarray(inpt.permute(1, 2, 0).contiguous().numpy())
        picture.save(file, format="JPEG", quality=int(torch.randint(30, 91, ())))
        with Image.open(file) as lossy:
            return torch.from_numpy(np.array(lossy)).permute(2, 0, 1)


class FitTo(v2.Transform):
    """Antialiased reduction of a uint8 image to `LOAD_MARGIN` times the side, then to float 0..1."""

    def __init__(self, side_pixels: int) -> None:
        super().__init__()
        self.side_pixels = round(side_pixels * LOAD_MARGIN)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        side = min(self.side_pixels, inpt.shape[-1])
        small = v2.functional.resize(inpt, [side, side], antialias=True)
        return small.to(torch.float32) / 255


def build_augmentation(spec: Augment, side_pixels: int) -> v2.Compose:
    """uint8 [3, S, S] to a changed float image 0..1 [3, side, side]."""
    steps: list[v2.Transform] = []
    if spec.jpeg_probability:
        steps.append(v2.RandomApply([JpegLoss()], p=spec.jpeg_probability))
    steps += [FitTo(side_pixels), RandomGeometry(spec, side_pixels)]
    if spec.brightness or spec.contrast or spec.saturation or spec.hue:
        steps.append(v2.ColorJitter(spec.brightness, spec.contrast, spec.saturation, spec.hue))
    if spec.channel_gain:
        steps.append(RandomChannelGain(spec.channel_gain))
    if spec.blur_probability:
        steps.append(v2.RandomApply([v2.GaussianBlur(5, (0.3, 1.8))], p=spec.blur_probability))
    if spec.noise_probability:
        steps.append(v2.RandomApply([v2.GaussianNoise(sigma=0.03)], p=spec.noise_probability))
    if spec.dark_corner_probability:
        steps.append(v2.RandomApply([DarkCorners()], p=spec.dark_corner_probability))
    if spec.erase_probability:
        steps.append(v2.RandomErasing(p=spec.erase_probability, scale=(0.02, 0.15), value=0.5))
    return v2.Compose(steps)


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
