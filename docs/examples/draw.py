"""Draw the example images of this folder: `python docs/examples/draw.py [FOLDER]`.

They are drawings for trying the commands, not photographs: an answer for one of them means nothing. They have the
colours, the soft edges and the hairs of a dermatoscopic image, since the gate of the packaged bundle refuses what has
not.
"""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIZE = (600, 450)  # that of the HAM10000 originals
WIDTH, HEIGHT = SIZE
ACROSS, DOWN = np.meshgrid(np.arange(WIDTH) - WIDTH / 2, np.arange(HEIGHT) - HEIGHT / 2)

Colour = tuple[int, int, int]
Field = NDArray[np.float64]
"""A number for each pixel [H, W], or three [H, W, 3]."""


def clouds(rng: random.Random, coarsest: int, layers: int = 4) -> Field:
    """Soft noise between about 0 and 1: spots of `coarsest` pixels, and in each further layer half as large."""
    total, weights = np.zeros((HEIGHT, WIDTH)), 0.0
    for layer in range(layers):
        spot = max(coarsest >> layer, 1)
        size = (WIDTH // spot + 2, HEIGHT // spot + 2)
        noise = Image.frombytes("L", size, rng.randbytes(size[0] * size[1]))
        total += np.asarray(noise.resize(SIZE, Image.Resampling.BICUBIC), dtype=np.float64) / 255 / 1.6**layer
        weights += 1.6**-layer
    return total / weights


def rise(values: Field, low: float, high: float) -> Field:
    """0 up to `low`, 1 from `high` on, and a smooth way between."""
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def skin(rng: random.Random, colour: Colour) -> Field:
    """Mottled skin with fine lines, darker to the rim."""
    shade = 1 + 0.16 * (clouds(rng, 96) - 0.5) + 0.10 * (clouds(rng, 6, 3) - 0.5)
    shade *= 1 - 0.22 * rise(np.hypot(ACROSS / 420, DOWN / 330), 0.4, 1.2)
    ground = np.array(colour) * shade[..., None]
    ground[..., 1:] *= 1 - 0.07 * rise(clouds(rng, 48), 0.5, 0.75)[..., None]  # redder here and there
    return ground


def spot(rng: random.Random, radii: tuple[float, float], ragged: float, soft: float) -> Field:
    """How far each pixel is inside a spot in the middle: 0 outside, 1 well within; its edge is `soft` and `ragged`."""
    depth = 1 - np.hypot(ACROSS / radii[0], DOWN / radii[1]) + ragged * (clouds(rng, 110, 6) - 0.5)
    return rise(depth, -soft, soft)


def lay(ground: Field, where: Field, colour: Colour) -> Field:
    """A transparent coat of pigment: it darkens what is below."""
    return ground * (1 - where[..., None] * (1 - np.array(colour) / 255))


def net(rng: random.Random, mesh: int) -> Field:
    """Thin lines around holes of about `mesh` pixels."""
    return 1 - rise(np.abs(clouds(rng, mesh, 2) - 0.5), 0.0, 0.09)


def finished(rng: random.Random, ground: Field, hairs: int) -> Image.Image:
    """With hairs over it, slightly out of focus, and the noise of a camera."""
    image = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))
    layer = Image.new("L", SIZE)
    draw = ImageDraw.Draw(layer)
    for _ in range(hairs):
        ends = [(rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)) for _ in range(3)]
        way = [
            tuple((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t * t * c for a, b, c in zip(*ends, strict=True))
            for t in np.linspace(0, 1, 40)
        ]
        draw.line([(float(x), float(y)) for x, y in way], fill=rng.randint(120, 210), width=2)
    image.paste((70, 34, 30), mask=layer.filter(ImageFilter.GaussianBlur(0.8)))
    image = image.filter(ImageFilter.GaussianBlur(0.7))
    grain = np.frombuffer(rng.randbytes(WIDTH * HEIGHT * 3), dtype=np.uint8).reshape(HEIGHT, WIDTH, 3)
    noisy = np.asarray(image, dtype=np.float64) + (grain / 255.0 - 0.5) * 8
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def mole(rng: random.Random) -> Image.Image:
    """A round, even, brown spot with a fine net."""
    ground = skin(rng, (226, 158, 152))
    where = spot(rng, (150, 130), 0.35, 0.22)
    ground = lay(ground, where * 0.85, (190, 130, 105))
    ground = lay(ground, where * net(rng, 14) * 0.6, (150, 95, 75))
    ground = lay(ground, spot(rng, (80, 70), 0.5, 0.5) * 0.8, (160, 100, 80))
    return finished(rng, ground, 5)


def irregular(rng: random.Random) -> Image.Image:
    """A lopsided spot of several colours with a ragged edge."""
    ground = skin(rng, (220, 148, 146))
    where = spot(rng, (180, 140), 1.1, 0.3)
    patches = clouds(rng, 120)
    ground = lay(ground, where * 0.85, (190, 125, 105))
    ground = lay(ground, where * rise(patches, 0.4, 0.7) * 0.9, (110, 75, 75))
    ground = lay(ground, where * rise(1 - patches, 0.5, 0.75) * 0.6, (180, 185, 215))
    ground = lay(ground, where * net(rng, 16) * 0.5, (140, 95, 80))
    return finished(rng, ground, 3)


def vessels(rng: random.Random) -> Image.Image:
    """Round red and purple lakes."""
    ground = skin(rng, (226, 158, 152))
    where = spot(rng, (140, 125), 0.5, 0.22)
    ground = lay(ground, where * 0.8, (225, 120, 130))
    ground = lay(ground, where * rise(clouds(rng, 40, 4), 0.42, 0.68) * 0.8, (170, 70, 100))
    return finished(rng, ground, 4)


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
