from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from dermalens.transforms.augment import build_augmentation, mixed
from dermalens.transforms.augment_spec import Augment

OFF = {"rotation_degrees": 0.0, "flip": False, "scale": (1.0, 1.0)}
CHANGES = {
    "rotation_degrees": 90.0,
    "flip": True,
    "scale": (0.5, 0.6),
    "shear_degrees": 30.0,
    "shift": 0.3,
    "brightness": 0.5,
    "contrast": 0.5,
    "saturation": 0.5,
    "hue": 0.3,
    "channel_gain": 0.3,
    "blur_probability": 1.0,
    "noise_probability": 1.0,
    "jpeg_probability": 1.0,
    "dark_corner_probability": 1.0,
    "erase_probability": 1.0,
}


def spec_of(**changes: object) -> Augment:
    return Augment.model_validate({"sides_pixels": [(0, 64)], **OFF, **changes})


def picture() -> Tensor:
    """A smooth coloured picture without symmetry, uint8 [3, 128, 128]."""
    y, x = np.mgrid[:128, :128] / 127
    waves = np.stack([0.2 + 0.6 * x, 0.3 + 0.4 * y * x, 0.5 + 0.3 * np.sin(5 * x + 3 * y)])
    return torch.from_numpy((waves * 255).astype(np.uint8))


def changed(spec: Augment, seed: int = 1, side: int = 64) -> Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_augmentation(spec, side)(picture())


EVERYTHING = spec_of(**CHANGES)


def test_the_seed_decides():
    assert torch.equal(changed(EVERYTHING, seed=3), changed(EVERYTHING, seed=3))
    assert not torch.equal(changed(EVERYTHING, seed=3), changed(EVERYTHING, seed=4))


@pytest.mark.parametrize("side", [33, 64, 144])
def test_a_changed_image_is_a_float_square_of_the_side_within_0_and_1(side):
    for seed in range(8):
        image = changed(EVERYTHING, seed=seed, side=side)
        assert image.shape == (3, side, side)
        assert image.dtype == torch.float32
        assert float(image.min()) >= 0
        assert float(image.max()) <= 1


def test_with_all_changes_off_the_image_is_only_resized():
    plain = v2.functional.resize(picture(), [64, 64], antialias=True) / 255
    assert float((changed(spec_of()) - plain).abs().max()) < 0.02
    assert torch.equal(changed(spec_of(), seed=1), changed(spec_of(), seed=2))


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_does_something_alone(name):
    difference = changed(spec_of(**{name: CHANGES[name]}), seed=2) - changed(spec_of())
    assert float(difference.abs().max()) > 0.005


def test_a_quarter_turn_turns_the_picture(monkeypatch):
    monkeypatch.setattr("dermalens.transforms.augment._uniform", lambda low, high: high)
    turned = changed(spec_of(rotation_degrees=90.0))
    quarters = [float((turned - torch.rot90(changed(spec_of()), k, (1, 2))).abs().max()) for k in (1, 3)]
    assert min(quarters) < 1e-3


def test_dark_corners_leave_the_centre():
    image, plain = changed(spec_of(dark_corner_probability=1.0)), changed(spec_of())
    assert torch.equal(image[:, 24:40, 24:40], plain[:, 24:40, 24:40])
    assert float(image[:, 0, 0].max()) < 0.5 * float(plain[:, 0, 0].max())


@pytest.mark.parametrize(
    "change", [{"mixup_alpha": 0.4}, {"cutmix_alpha": 1.0}, {"mixup_alpha": 0.4, "cutmix_alpha": 1.0}]
)
def test_mixed_labels_are_shares_that_sum_to_one(change):
    torch.manual_seed(0)
    images, labels = mixed(torch.rand(7, 3, 16, 16), torch.arange(7), spec_of(**change), 7)
    assert images.shape == (7, 3, 16, 16)
    assert labels.shape == (7, 7)
    assert labels.sum(1).tolist() == pytest.approx([1.0] * 7)
    assert float(labels.max()) < 1


def test_without_mixing_a_batch_passes_unchanged():
    images, labels = torch.rand(4, 3, 8, 8), torch.arange(4)
    assert mixed(images, labels, spec_of(), 7) == (images, labels)
