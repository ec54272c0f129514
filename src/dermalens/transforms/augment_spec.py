"""The random changes of a training image as values; read without torch."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


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
    """Gaussian blur with a standard deviation of 0.3 to 1.8 pixels: out of focus."""
    noise_probability: float = Field(default=0.0, ge=0, le=1)
    """Gaussian noise with a standard deviation of 3 % of the range: a dark room."""
    jpeg_probability: float = Field(default=0.0, ge=0, le=1)
    """JPEG compression at quality 30 to 90: images that were sent by a messenger."""
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
        if not 0.1 <= self.scale[0] <= self.scale[1] <= 10:
            raise ValueError("scale needs the smaller magnification first, both from 0.1 to 10")
        return self
