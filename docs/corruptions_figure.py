"""Draw docs/figures/corruptions.png: a drawn lesion under every corruption in its five severities.

python docs/corruptions_figure.py
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dermalens.core.spec import PreprocessSpec
from dermalens.evaluate.corruptions import CORRUPTIONS, corrupt
from dermalens.evaluate.severity import SEVERITIES
from dermalens.transforms.preprocess import SquarePixels, preprocess

ROOT = Path(__file__).resolve().parents[1]
DRAWN = ROOT / "docs/figures/corruptions.png"
SIDE = 128
"""Shown pixel by pixel, as noise is that of a pixel; all lengths are shares of the side."""
GAP, CAPTION, HEADING = 4, 108, 20
BLOCKS = 2
"""Families stand in so many columns."""


def lesion() -> SquarePixels:
    """The drawn lesion of several colours as the model would see it."""
    spec = importlib.util.spec_from_file_location("draw", ROOT / "docs/examples/draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return preprocess(module.draw("drawn_irregular.jpg"), PreprocessSpec(side_pixels=SIDE))


def sheet(square: SquarePixels) -> Image.Image:
    """A line for each family: its name, the square as it is, and severities 1 to 5."""
    lines = -(-len(CORRUPTIONS) // BLOCKS)
    block = CAPTION + (1 + len(SEVERITIES)) * (SIDE + GAP) + 12
    page = Image.new("RGB", (BLOCKS * block, HEADING + lines * (SIDE + GAP)), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    for number, family in enumerate(CORRUPTIONS):
        left, top = number // lines * block, HEADING + number % lines * (SIDE + GAP)
        pen.text((left + 4, top + SIDE // 2 - 8), family.replace("_", " "), fill="black", font=font)
        for place in range(1 + len(SEVERITIES)):
            x = left + CAPTION + place * (SIDE + GAP)
            if top == HEADING:
                pen.text((x, 2), f"severity {place}" if place else "as it is", fill="black", font=font)
            shown = corrupt(square, family, place, np.random.default_rng(number)) if place else square
            page.paste(Image.fromarray(shown), (x, top))
    return page


def main() -> None:
    """Write the figure."""
    DRAWN.parent.mkdir(exist_ok=True)
    sheet(lesion()).quantize(192, dither=Image.Dither.NONE).save(DRAWN, optimize=True)
    print(DRAWN.relative_to(ROOT))


if __name__ == "__main__":
    main()
