from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from dermalens.transforms.augment import augment, build_augmentation, jpeg_loss, mixed
from dermalens.transforms.augment_draws import LUMA, Draw, blur_kernels, draws_of, motion_kernels
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
    "motion_probability": 1.0,
    "coarse_probability": 1.0,
    "noise_probability": 1.0,
    "jpeg_probability": 1.0,
    "hair_probability": 1.0,
    "bubble_probability": 1.0,
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


def drawn(**columns: float) -> np.ndarray:
    """Draws of one image that change nothing (with all probabilities at 1) but these columns."""
    draws = np.full((1, len(Draw)), 0.5)
    draws[0, [Draw.BLUR, Draw.MOTION, Draw.COARSE, Draw.NOISE, Draw.HAIR, Draw.BUBBLES, Draw.CORNERS, Draw.ERASE]] = 1.0
    for name, value in columns.items():
        draws[0, Draw[name]] = value
    return draws


def test_a_quarter_turn_turns_the_picture():
    turned = augment(picture()[None], drawn(TURN=1.0), spec_of(rotation_degrees=90.0), 64)[0]
    quarters = [float((turned - torch.rot90(changed(spec_of()), k, (1, 2))).abs().max()) for k in (1, 3)]
    assert min(quarters) < 1e-3


@pytest.mark.parametrize(
    ("column", "name", "value", "reference"),
    [
        ("BRIGHTNESS", "brightness", 0.2, lambda image: v2.functional.adjust_brightness(image, 1.1)),
        ("CONTRAST", "contrast", 0.4, lambda image: v2.functional.adjust_contrast(image, 1.2)),
        ("SATURATION", "saturation", 0.4, lambda image: v2.functional.adjust_saturation(image, 1.2)),
    ],
)
def test_brightness_contrast_and_saturation_are_those_of_torchvision(column, name, value, reference):
    plain = changed(spec_of())
    given = augment(picture()[None], drawn(**{column: 0.75}), spec_of(**{name: value}), 64)[0]
    assert float((given - reference(plain)).abs().max()) < 2e-3


def test_a_turn_of_the_hue_turns_red_towards_green_or_blue_and_keeps_the_grey_level():
    red = torch.zeros(1, 3, 32, 32, dtype=torch.uint8) + torch.tensor([160, 96, 96], dtype=torch.uint8)[:, None, None]
    weights = torch.tensor(LUMA)
    before = (red[0, :, 0, 0] / 255) @ weights
    for draw in (0.0, 1.0):
        after = augment(red, drawn(HUE=draw), spec_of(hue=1 / 3), 32)[0, :, 16, 16]
        assert float(after @ weights) == pytest.approx(float(before), abs=1e-3)
        assert int(after.argmax()) != 0


def test_an_image_is_changed_as_its_own_draws_say_whatever_is_beside_it():
    draws = np.stack([draws_of(seed) for seed in range(6)])
    squares = torch.stack([picture(), picture().flip(1), picture()] * 2)
    together = augment(squares, draws, EVERYTHING, 64)
    for number in range(6):
        alone = augment(squares[number : number + 1], draws[number : number + 1], EVERYTHING, 64)[0]
        assert float((alone - together[number]).abs().max()) < 1e-5


@pytest.mark.parametrize(("draw", "sigma"), [(0.0, 0.02), (1.0, 0.1)])
def test_the_noise_is_as_strong_as_drawn(draw, sigma):
    grey = torch.full((1, 3, 64, 64), 128, dtype=torch.uint8)
    spec = spec_of(noise_probability=1.0, noise_sigma=(0.02, 0.1))
    noisy = augment(grey, drawn(NOISE=0.0, NOISE_SIGMA=draw), spec, 64)
    assert float(noisy.std()) == pytest.approx(sigma, rel=0.05)


@pytest.mark.parametrize(("draw", "sigma"), [(0.0, 0.5), (1.0, 3.0)])
def test_the_blur_is_as_wide_as_drawn(draw, sigma):
    kernel = blur_kernels(drawn(BLUR_PIXELS=draw), spec_of(blur_pixels=(0.5, 3.0)))[0]
    places = np.arange(len(kernel)) - len(kernel) // 2
    assert kernel.sum() == pytest.approx(1)
    assert np.sqrt((kernel * places**2).sum()) == pytest.approx(sigma, rel=0.15)


def test_a_moved_picture_is_smeared_along_the_line_and_keeps_its_brightness():
    spec = spec_of(motion_probability=1.0, motion_pixels=(9.0, 9.0))
    level, upright = (motion_kernels(drawn(MOTION_ANGLE=angle), spec)[0] for angle in (0.0, 0.5))
    np.testing.assert_allclose(level, upright.T, atol=1e-9)
    assert np.flatnonzero(level.sum(axis=1) > 1e-9).tolist() == [len(level) // 2]
    assert (level > 1e-9).sum() == 9
    post = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    post[..., 32] = 255
    moved = augment(post, drawn(MOTION=0.0, MOTION_ANGLE=0.0), spec, 64)[0, 0]
    assert moved[20].tolist() == pytest.approx([1 / 9 if 28 <= x <= 36 else 0.0 for x in range(64)], abs=1e-4)
    still = augment(post, drawn(MOTION=0.0, MOTION_ANGLE=0.5), spec, 64)[0, 0]
    assert float(still[20, 32]) == pytest.approx(1, abs=1e-4)


def test_a_coarse_picture_loses_what_is_fine_and_keeps_what_is_large():
    fine = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    fine[..., ::2] = 255
    spec = spec_of(coarse_probability=1.0, coarse_times=(4.0, 4.0))
    inner = augment(fine, drawn(COARSE=0.0), spec, 64)[0, :, 8:-8, 8:-8]
    assert float((inner - 0.5).abs().max()) < 0.1
    large = augment(picture()[None], drawn(COARSE=0.0), spec, 64)[0, :, 8:-8, 8:-8]
    assert float((large - changed(spec_of())[:, 8:-8, 8:-8]).abs().max()) < 0.03


def test_a_low_jpeg_quality_costs_more_than_a_high_one():
    square = picture().permute(1, 2, 0).contiguous().numpy()
    spec = spec_of(jpeg_probability=1.0, jpeg_quality=(5, 95))
    low, high = (jpeg_loss(square, drawn(JPEG_QUALITY=draw)[0], spec).astype(int) for draw in (0.0, 0.999))
    assert np.abs(low - square).mean() > 3 * np.abs(high - square).mean()


def test_what_was_drawn_before_there_were_more_changes_is_still_drawn():
    before = int(Draw.ERASE_DOWN) + 1
    np.testing.assert_array_equal(draws_of(7)[:before], np.random.default_rng(7).random(before))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale", (1.2, 0.8)),
        ("blur_pixels", (2.0, 1.0)),
        ("motion_pixels", (0.0, 8.0)),
        ("coarse_times", (0.5, 2.0)),
        ("noise_sigma", (0.1, 0.05)),
        ("jpeg_quality", (0, 90)),
        ("hair_count", (0, 5)),
        ("bubble_count", (9, 5)),
    ],
)
def test_a_range_in_the_wrong_order_or_out_of_bounds_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} needs the smaller number first, both from"):
        spec_of(**{name: value})


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
