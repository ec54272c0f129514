"""The preprocessing spec: how a picture becomes the square that a model sees. It travels in the bundle."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class PreprocessSpec(BaseModel):
    """The square: its side, how it is cut and how it is resized (always antialiased)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    side_pixels: int = Field(ge=32, le=1024)
    """Side of the square that the model sees."""
    crop: Literal["centre"] = "centre"
    """The largest centred square of the upright picture."""
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    """Pillow's filter of that name, whose support grows with the reduction (antialiasing)."""
