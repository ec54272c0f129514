"""Pictures of the sizes that people send, made from a drawn example so that every machine measures the same."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

EXAMPLE = Path(__file__).resolve().parents[1] / "docs" / "examples" / "drawn_irregular.jpg"


def jpeg(width: int, height: int, quality: int = 90) -> bytes:
    """A drawn lesion enlarged to a size and written as JPEG."""
    with Image.open(EXAMPLE) as picture:
        enlarged = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    noisy = Image.blend(enlarged, Image.effect_noise((width, height), 40).convert("RGB"), 0.06)  # detail to decode
    buffer = io.BytesIO()
    noisy.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


SMALL = (600, 450)
LARGE = (4000, 3000)
