"""Draw the example images of this folder: `python docs/examples/draw.py [FOLDER]`.

They are drawings for trying the commands, not photographs: an answer for one of them means nothing.
"""

import random
import sys
from collections.abc import Callable, Sequence
from math import cos, pi, sin
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter

SIZE = (600, 450)  # that of the HAM10000 originals
CENTRE = (300, 225)

Colour = tuple[int, int, int]
Point = tuple[float, float]


def outline(rng: random.Random, radii: tuple[float, float], roughness: float) -> list[Point]:
    """A closed curve around the centre: an ellipse whose radius wavers by `roughness` (share of the radius)."""
    waves = [(k, rng.uniform(0, 2 * pi), rng.uniform(0.3, 1) / k) for k in range(2, 8)]
    points = []
    for step in range(180):
        angle = step * pi / 90
        waver = 1 + roughness * sum(height * sin(k * angle + phase) for k, phase, height in waves)
        points.append((CENTRE[0] + radii[0] * waver * cos(angle), CENTRE[1] + radii[1] * waver * sin(angle)))
    return points


def skin(rng: random.Random, colour: Colour) -> Image.Image:
    """An even ground with faint mottling and a darker rim."""
    ground = Image.new("RGB", SIZE, colour)
    draw = ImageDraw.Draw(ground)
    for _ in range(500):
        x, y, shift = rng.uniform(0, SIZE[0]), rng.uniform(0, SIZE[1]), rng.randint(-14, 10)
        red, green, blue = (value + shift for value in colour)
        draw.ellipse((x - 14, y - 10, x + 14, y + 10), fill=(red, green, blue))
    rim = Image.new("L", SIZE, 190)
    ImageDraw.Draw(rim).ellipse((-60, -80, SIZE[0] + 60, SIZE[1] + 80), fill=255)
    shade = rim.filter(ImageFilter.GaussianBlur(60)).convert("RGB")
    return ImageChops.multiply(ground.filter(ImageFilter.GaussianBlur(8)), shade)


def lay(ground: Image.Image, points: Sequence[Point], colour: Colour, blur: float) -> None:
    """Fill a curve with a soft edge."""
    mask = Image.new("L", SIZE)
    ImageDraw.Draw(mask).polygon(points, fill=235)
    ground.paste(colour, mask=mask.filter(ImageFilter.GaussianBlur(blur)))


def speckle(ground: Image.Image, rng: random.Random, inside: Sequence[Point], spots: Sequence[Colour]) -> None:
    """Dots and short strokes of `spots` within a curve."""
    layer = ground.copy()
    draw = ImageDraw.Draw(layer)
    for _ in range(260):
        x, y = rng.gauss(CENTRE[0], 70), rng.gauss(CENTRE[1], 60)
        radius = rng.uniform(1.5, 6)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=rng.choice(spots))
    mask = Image.new("L", SIZE)
    ImageDraw.Draw(mask).polygon(inside, fill=200)
    ground.paste(layer.filter(ImageFilter.GaussianBlur(1.2)), mask=mask.filter(ImageFilter.GaussianBlur(4)))


def mole(rng: random.Random) -> Image.Image:
    """A round, even, brown spot."""
    image = skin(rng, (226, 178, 156))
    edge = outline(rng, (105, 95), 0.03)
    lay(image, edge, (150, 98, 70), 7)
    lay(image, outline(rng, (60, 52), 0.04), (118, 72, 50), 16)
    speckle(image, rng, edge, [(104, 62, 44), (128, 80, 56)])
    return image


def irregular(rng: random.Random) -> Image.Image:
    """A lopsided spot of several colours with a ragged edge."""
    image = skin(rng, (222, 170, 150))
    edge = outline(rng, (150, 112), 0.30)
    lay(image, edge, (112, 66, 46), 4)
    lay(image, [(x * 0.5 + 120, y * 0.6 + 60) for x, y in edge], (48, 30, 30), 9)
    lay(image, [(x * 0.4 + 215, y * 0.4 + 160) for x, y in edge], (104, 106, 128), 14)
    speckle(image, rng, edge, [(40, 26, 26), (88, 50, 38), (150, 96, 84)])
    return image


def vessels(rng: random.Random) -> Image.Image:
    """Round red and purple lakes."""
    image = skin(rng, (230, 184, 168))
    edge = outline(rng, (95, 88), 0.06)
    lay(image, edge, (196, 78, 82), 8)
    speckle(image, rng, edge, [(150, 26, 44), (176, 34, 52), (120, 24, 66)])
    return image


PICTURES: dict[str, Callable[[random.Random], Image.Image]] = {
    "drawn_mole.jpg": mole,
    "drawn_irregular.jpg": irregular,
    "drawn_vessels.jpg": vessels,
}


def draw(name: str) -> Image.Image:
    """The picture of that file name, with "drawn" written where the centre square does not reach."""
    image = PICTURES[name](random.Random(name))
    ImageDraw.Draw(image).text((12, SIZE[1] - 24), "drawn", fill=(90, 60, 50))
    return image


def main(folder: Path) -> None:
    """Write all pictures."""
    for name in PICTURES:
        draw(name).save(folder / name, quality=85)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
