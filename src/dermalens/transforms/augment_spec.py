"""The random changes of a training image as values; read without torch."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

_RANGES = (
    ("scale", 0.1, 10),
    ("blur_pixels", 0.1, 10),
    ("motion_pixels", 1, 50),
    ("coarse_times", 1, 16),
    ("noise_sigma", 0, 1),
    ("jpeg_quality", 1, 100),
    ("hair_count", 1, 100),
    ("bubble_count", 1, 100),
)
"""What is drawn between two numbers: its key, the least and the most that either may be."""


class Augment(BaseModel):
    """Random changes of a training image; 0 switches a change off."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    sides_pixels: list[tuple[int, int]]
    """Training side from an epoch on: [[0, 144], [10, 192]] starts at 144 pixels and goes on at 192."""
    rotation_degrees: float = Field(default=180.0, ge=0, le=180)
    """Largest rotation either way."""
    flip: bool = True
    """Mirror left to right and top to bottom, each with probability one half."""
    scale: tuple[float, float] = (0.8, 1.25)
    """Smallest and largest magnification; [1, 1] for none."""
    shear_degrees: float = Field(default=0.0, ge=0, le=45)
    """Largest shear either way."""
    shift: float = Field(default=0.0, ge=0, le=0.5)
    """Largest shift as a share of the side."""
    brightness: float = Field(default=0.0, ge=0, le=1)
    """0.3 multiplies the brightness by 0.7 to 1.3."""
    contrast: float = Field(default=0.0, ge=0, le=1)
    """0.3 multiplies the distance from the mean grey by 0.7 to 1.3."""
    saturation: float = Field(default=0.0, ge=0, le=1)
    """0.3 multiplies the distance from the grey image by 0.7 to 1.3."""
    hue: float = Field(default=0.0, ge=0, le=0.5)
    """Largest turn of the colour circle either way, as a share of the whole circle."""
    channel_gain: float = Field(default=0.0, ge=0, le=0.5)
    """Largest gain of one colour channel against the others: another lamp, another camera."""
    blur_probability: float = Field(default=0.0, ge=0, le=1)
    """Gaussian blur: out of focus."""
    blur_pixels: tuple[float, float] = (0.3, 1.8)
    """Smallest and largest standard deviation of that blur, in pixels of the training side."""
    motion_probability: float = Field(default=0.0, ge=0, le=1)
    """Blur along a straight line in any direction: a hand that moved."""
    motion_pixels: tuple[float, float] = (2.0, 12.0)
    """Smallest and largest length of that line, in pixels of the training side."""
    coarse_probability: float = Field(default=0.0, ge=0, le=1)
    """Reduced and enlarged again: a small picture, a far camera."""
    coarse_times: tuple[float, float] = (1.5, 4.0)
    """Smallest and largest factor of that reduction."""
    noise_probability: float = Field(default=0.0, ge=0, le=1)
    """Gaussian noise: a dark room."""
    noise_sigma: tuple[float, float] = (0.03, 0.03)
    """Smallest and largest standard deviation of that noise, as a share of the range of a channel."""
    jpeg_probability: float = Field(default=0.0, ge=0, le=1)
    """JPEG compression: images that were sent by a messenger."""
    jpeg_quality: tuple[int, int] = (30, 90)
    """Lowest and highest quality of that compression, of 1 to 100."""
    hair_probability: float = Field(default=0.0, ge=0, le=1)
    """Hairs across the picture, black, brown or fair."""
    hair_count: tuple[int, int] = (2, 40)
    """Fewest and most hairs; few are more frequent."""
    bubble_probability: float = Field(default=0.0, ge=0, le=1)
    """Bubbles of air in the gel under the dermatoscope."""
    bubble_count: tuple[int, int] = (2, 40)
    """Fewest and most bubbles; few are more frequent."""
    dark_corner_probability: float = Field(default=0.0, ge=0, le=1)
    """Round field of view of a dermatoscope: all outside a circle goes black."""
    erase_probability: float = Field(default=0.0, ge=0, le=1)
    """Cut-out of a grey rectangle of 2 to 15 % of the area."""
    mixup_alpha: float = Field(default=0.0, ge=0)
    """Blend each batch with itself in another order; the share is drawn from Beta(alpha, alpha)."""
    cutmix_alpha: float = Field(default=0.0, ge=0)
    """Paste a rectangle from another image of the batch; with mixup on too, each batch gets one of the two."""

    @model_validator(mode="after")
    def _check(self) -> Augment:
        epochs = [epoch for epoch, _ in self.sides_pixels]
        if epochs[:1] != [0] or epochs != sorted(set(epochs)):
            raise ValueError("sides_pixels needs pairs of [epoch, side] in order, the first for epoch 0")
        if not all(32 <= side <= 1024 for _, side in self.sides_pixels):
            raise ValueError("sides_pixels needs sides from 32 to 1024 pixels")
        for name, lowest, highest in _RANGES:
            small, large = getattr(self, name)
            if not lowest <= small <= large <= highest:
                raise ValueError(f"{name} needs the smaller number first, both from {lowest:g} to {highest:g}")
        return self
