"""Drawn surfaces without a lesion: even, grained, woven, tiled. Each maker gives float [SIDE, SIDE, 3], 0..255."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Random = np.random.Generator
Field = NDArray[np.float32]  # [SIDE, SIDE], about 0..1
Canvas = NDArray[np.float32]  # [SIDE, SIDE, 3], RGB, 0..255
Colour = NDArray[np.float32]  # [3], RGB, 0..255

SIDE: Final = 256
"""Pixels of a drawing; it is resized to the side of the model."""

_LIGHT_SKIN: Final = np.array([238, 200, 175], dtype=np.float32)
_DARK_SKIN: Final = np.array([92, 60, 45], dtype=np.float32)


def colour(random: Random) -> Colour:
    """Any colour, dull ones more often than bright ones."""
    brightness, vividness = random.uniform(10, 250), random.uniform(4, 110)
    return np.asarray(brightness + random.normal(0, vividness, 3), dtype=np.float32).clip(0, 255)


def skin_colour(random: Random) -> Colour:
    """A colour between light and dark skin, under a lamp of some tint."""
    share = random.beta(1, 2.5)
    tint = random.normal(1, 0.04, 3)
    return np.asarray(((1 - share) * _LIGHT_SKIN + share * _DARK_SKIN) * tint, dtype=np.float32).clip(0, 255)


def cloud(random: Random, cells: int) -> Field:
    """A smooth random field: `cells` x `cells` random numbers, enlarged; 0 to 1."""
    coarse = Image.fromarray(random.random((cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)).clip(0, 1)


def turbulence(random: Random, coarsest: int = 2) -> Field:
    """Clouds of doubling fineness, each half as strong as the one before it; 0 to 1."""
    layers = [cloud(random, coarsest * 2**step) / 2**step for step in range(6)]
    total = np.sum(layers, axis=0)
    return np.asarray((total - total.min()) / max(float(np.ptp(total)), 1e-6), dtype=np.float32)


def between(field: Field, low: Colour, high: Colour) -> Canvas:
    """The colour `low` where the field is 0, `high` where it is 1."""
    return np.asarray(low + field[..., None] * (high - low), dtype=np.float32)


def grid() -> tuple[Field, Field]:
    """Y and x of every pixel, -1 to 1."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].astype(np.float32)
    return y, x


def along(random: Random) -> Field:
    """The coordinate in a random direction."""
    y, x = grid()
    angle = random.uniform(0, 2 * np.pi)
    return np.asarray(x * np.cos(angle) + y * np.sin(angle), dtype=np.float32)


def blank(random: Random) -> Canvas:
    """An even surface."""
    return np.broadcast_to(colour(random), (SIDE, SIDE, 3)).copy()


def gradient(random: Random) -> Canvas:
    """Two colours that run into each other, in a line or around a point."""
    y, x = grid()
    if random.random() < 0.5:
        field = along(random) * 0.35 + 0.5
    else:
        field = np.hypot(x - random.uniform(-1, 1), y - random.uniform(-1, 1)) / random.uniform(1, 2.5)
    return between(field.clip(0, 1), colour(random), colour(random))


def noise(random: Random) -> Canvas:
    """Random pixels, fine or coarse, grey or coloured."""
    cells = int(random.choice([16, 64, 128, 256]))
    channels = [cloud(random, cells) for _ in range(3)]
    if random.random() < 0.4:
        channels = channels[:1] * 3
    return np.asarray(np.stack(channels, axis=2) * 255, dtype=np.float32)


def stripes(random: Random) -> Canvas:
    """Parallel bands."""
    wave = np.sin(along(random) * random.uniform(5, 90))
    field = (wave > 0).astype(np.float32) if random.random() < 0.5 else wave / 2 + 0.5
    return between(field, colour(random), colour(random))


def checks(random: Random) -> Canvas:
    """Squares of many colours with or without joints: tiles, bricks, a board."""
    cells = int(random.integers(2, 20))
    palette = random.uniform(0, 255, (int(random.integers(2, 6)), 3))
    y, x = (((axis + 1) / 2 * cells).clip(0, cells - 1e-3) for axis in grid())
    chosen = random.integers(len(palette), size=(cells, cells))[y.astype(int), x.astype(int)]
    canvas = palette[chosen].astype(np.float32)
    joint = (np.minimum(y % 1, x % 1) < random.uniform(0, 0.12))[..., None]
    return np.where(joint, colour(random), canvas).astype(np.float32)


def fabric(random: Random) -> Canvas:
    """Threads that cross, with a coarse pattern and folds."""
    across, down = along(random), along(random)
    threads = random.uniform(60, 220)
    weave = (np.sin(across * threads) * np.sin(down * threads) + 1) / 2
    folds = cloud(random, int(random.integers(2, 6)))
    pattern = np.sin(across * random.uniform(0, 25)) > 0
    canvas = np.where(pattern[..., None], colour(random), colour(random)) * (0.65 + 0.35 * weave[..., None])
    return np.asarray(canvas * (0.6 + 0.5 * folds[..., None]), dtype=np.float32)


def stone(random: Random) -> Canvas:
    """Marble, wood, clouds, rust: turbulence through a wave or as it is."""
    field = turbulence(random, int(random.integers(1, 6)))
    if random.random() < 0.5:
        wave = along(random) * random.uniform(3, 25) + field * random.uniform(2, 14)
        field = np.asarray(np.sin(wave) / 2 + 0.5, dtype=np.float32)
    return between(field, colour(random), colour(random))


def grained_skin(random: Random) -> Canvas:
    """Skin without a lesion: its colour, uneven light, fine furrows that cross, a few pores."""
    wrinkles = np.abs(np.sin(along(random) * random.uniform(20, 80) + 6 * cloud(random, 5)))
    wrinkles += np.abs(np.sin(along(random) * random.uniform(20, 80) + 6 * cloud(random, 5)))
    light = 1 + random.uniform(0, 0.35) * (cloud(random, 3) - 0.5) + random.uniform(0, 0.2) * (turbulence(random) - 0.5)
    shade = light + random.uniform(0, 0.06) * (wrinkles - 1) - 0.25 * (cloud(random, 100) > random.uniform(0.93, 1))
    return np.asarray(skin_colour(random) * shade[..., None], dtype=np.float32)


PATTERNS: Final[Mapping[str, Callable[[Random], Canvas]]] = {
    "blank": blank,
    "gradient": gradient,
    "noise": noise,
    "stripes": stripes,
    "checks": checks,
    "fabric": fabric,
    "stone": stone,
    "drawn_skin": grained_skin,
}
"""Every pattern by name."""
