"""Bytes to an upright RGB picture, with limits."""

from __future__ import annotations

import io

from PIL import Image, ImageOps


def open_upright(data: bytes, *, wanted_side_pixels: int) -> Image.Image:
    """Decode `data` to an upright RGB picture whose shorter side is at least `wanted_side_pixels` where it was."""
    picture = Image.open(io.BytesIO(data))
    picture.draft("RGB", (wanted_side_pixels, wanted_side_pixels))
    return ImageOps.exif_transpose(picture).convert("RGB")
