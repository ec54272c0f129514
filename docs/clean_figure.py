"""Draw docs/how-to/clean.jpg: a drawn picture after each cleaning step.

    python docs/clean_figure.py [SPLIT.csv]

With a split, the same of a real image of its train part goes to work/clean_real.png: images of a data set stay out of
the project. Of its first 200 images in order of image id the one with the most hair that can still be removed is taken.
"""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dermalens.core.spec import EVERY_STEP, DarkBorder, Hair, PreprocessSpec, ShadesOfGrey
from dermalens.data.split import read_split
from dermalens.transforms.clean import clean
from dermalens.transforms.clean_hair import MOST_HAIR, hair_mask
from dermalens.transforms.preprocess import preprocess
from dermalens.transforms.rows import read_square

ROOT = Path(__file__).resolve().parents[1]
DRAWN, REAL = ROOT / "docs/how-to/clean.jpg", ROOT / "work/clean_real.png"
SIDE = 224
CAPTION = 22


def drawn() -> Image.Image:
    """The drawn mole with hairs, the dark surround of a dermatoscope, a blue light and noise; 450 x 450 pixels."""
    spec = importlib.util.spec_from_file_location("draw", ROOT / "docs/examples/draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    picture: Image.Image = module.draw("drawn_irregular.jpg").crop((75, 0, 525, 450))
    rng = random.Random(4)
    hairs = ImageDraw.Draw(picture)
    for _ in range(14):
        x, y, bend = rng.uniform(-50, 400), rng.uniform(0, 450), rng.uniform(-120, 120)
        points = [(x + 150 * t, y + bend * t * t) for t in np.linspace(0, 1.6, 30).tolist()]
        hairs.line(points, fill=(45, 30, 25), width=3)
    field = Image.new("L", picture.size)
    ImageDraw.Draw(field).ellipse((-25, -25, 475, 475), fill=255)
    picture = Image.composite(picture, Image.new("RGB", picture.size, (8, 8, 10)), field)
    pixels = np.asarray(picture) * np.array([0.82, 0.88, 1.0])
    pixels = pixels + np.random.default_rng(4).normal(0, 9, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def sheet(square: NDArray[np.uint8]) -> Image.Image:
    """The square and what each step alone makes of it, then all of them in a row, with captions."""
    titles = ["as it came", *(step.step for step in EVERY_STEP), "hair, dark_border, shades_of_grey"]
    together = clean(square, [Hair(), DarkBorder(), ShadesOfGrey()])
    pictures = [square, *(clean(square, [step]) for step in EVERY_STEP), together]
    columns = 3
    page = Image.new("RGB", (columns * (SIDE + 8), -(-len(pictures) // columns) * (SIDE + CAPTION)), "white")
    for number, (title, pixels) in enumerate(zip(titles, pictures, strict=True)):
        left, top = number % columns * (SIDE + 8) + 4, number // columns * (SIDE + CAPTION)
        page.paste(Image.fromarray(pixels), (left, top + CAPTION - 2))
        ImageDraw.Draw(page).text((left, top + 4), title, fill="black", font=ImageFont.load_default(13))
    return page


def real(split: Path) -> Image.Image:
    """The sheet of a hairy image of the train part."""
    rows = sorted(read_split(split).part("train"), key=lambda row: row.image_id)[:200]
    squares = [read_square(row, PreprocessSpec(side_pixels=SIDE)) for row in rows]
    hairs = [float((hair_mask(square, Hair()) > 0).mean()) for square in squares]
    return sheet(squares[int(np.argmax([share if share <= MOST_HAIR else 0.0 for share in hairs]))])


def main() -> None:
    """Write the figure of the docs, and with a split that of a real image."""
    sheet(preprocess(drawn(), PreprocessSpec(side_pixels=SIDE))).save(DRAWN, quality=90, subsampling=0, optimize=True)
    print(DRAWN.relative_to(ROOT))
    if len(sys.argv) > 1:
        REAL.parent.mkdir(exist_ok=True)
        real(Path(sys.argv[1])).save(REAL)
        print(REAL.relative_to(ROOT))


if __name__ == "__main__":
    main()
