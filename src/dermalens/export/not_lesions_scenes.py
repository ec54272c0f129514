"""Drawn things that are round, dark in the middle or skin-coloured, as a lesion is, and are none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from dermalens.export.not_lesions_pages import as_canvas, shade
from dermalens.export.not_lesions_patterns import (
    SIDE,
    Canvas,
    Field,
    Random,
    along,
    between,
    cloud,
    colour,
    grained_skin,
    grid,
    skin_colour,
    turbulence,
)


def disc(random: Random, *, radius: tuple[float, float], softness: float = 0.02) -> Field:
    """1 inside a circle or an ellipse near the middle, 0 outside; radii as a share of half the side."""
    y, x = grid()
    across = random.uniform(*radius)
    down = across if random.random() < 0.5 else random.uniform(*radius)
    distance = np.hypot((x - random.normal(0, 0.15)) / across, (y - random.normal(0, 0.15)) / down)
    return np.asarray(((1 - distance) / (softness / min(across, down)) + 0.5).clip(0, 1), dtype=np.float32)


def laid_on(ground: Canvas, top: Canvas | np.ndarray[tuple[int], np.dtype[np.float32]], mask: Field) -> Canvas:
    """`top` where the mask is 1, `ground` where it is 0."""
    return np.asarray(ground + mask[..., None] * (top - ground), dtype=np.float32)


def blobs(random: Random, count: int, size: tuple[float, float], *, filled: bool = True) -> Field:
    """Many ellipses, 1 inside; sizes in pixels."""
    picture = Image.new("L", (SIDE, SIDE), 0)
    draw = ImageDraw.Draw(picture)
    for x, y in random.uniform(-10, SIDE + 10, (count, 2)):
        across, down = random.uniform(*size, 2)
        place = (x - across, y - down, x + across, y + down)
        draw.ellipse(place, fill=255 if filled else None, outline=255, width=max(1, int(across / 5)))
    return np.asarray(picture, dtype=np.float32) / np.float32(255)


def spot(random: Random) -> Canvas:
    """An even circle, or two or three, on skin colour: a sticker, a drawing of a mole."""
    even = np.broadcast_to(skin_colour(random), (SIDE, SIDE, 3))
    canvas = even.astype(np.float32) if random.random() < 0.5 else grained_skin(random)
    for _ in range(int(random.choice([1, 1, 1, 2, 3]))):
        canvas = laid_on(canvas, colour(random), disc(random, radius=(0.08, 0.7)))
    return canvas


def planet(random: Random) -> Canvas:
    """A lit ball on black, with bands or clouds."""
    ball, light = disc(random, radius=(0.4, 0.9)), (along(random) * random.uniform(0, 1) + 0.8).clip(0, 1.2)
    bands = np.sin(along(random) * random.uniform(1, 15) + 3 * turbulence(random)) / 2 + 0.5
    surface = between(np.asarray(bands, dtype=np.float32), colour(random), colour(random)) * light[..., None]
    return laid_on(np.zeros((SIDE, SIDE, 3), dtype=np.float32), surface, ball)


def egg(random: Random) -> Canvas:
    """A fried egg in a pan or on a plate."""
    white = np.array([245, 243, 235], dtype=np.float32) - 25 * cloud(random, 6)[..., None]
    yolk = np.array([random.uniform(225, 255), random.uniform(140, 190), 20], dtype=np.float32)
    ground = laid_on(np.broadcast_to(colour(random), (SIDE, SIDE, 3)).astype(np.float32), white, _ragged(random, 0.75))
    return laid_on(ground, yolk * (0.85 + 0.3 * cloud(random, 4)[..., None]), disc(random, radius=(0.2, 0.4)))


def food(random: Random) -> Canvas:
    """A round dish with pieces of many colours on it: pizza, salad, biscuits."""
    ground = np.broadcast_to(colour(random), (SIDE, SIDE, 3)).astype(np.float32)
    base = between(turbulence(random, 6), colour(random), colour(random))
    dish = laid_on(ground, base, disc(random, radius=(0.6, 1)))
    for _ in range(int(random.integers(3, 8))):
        dish = laid_on(dish, colour(random), blobs(random, int(random.integers(2, 25)), (3, 24)))
    return dish


def face(random: Random) -> Canvas:
    """A head with hair, eyes and a mouth."""
    skin, picture = skin_colour(random), Image.new("RGB", (SIDE, SIDE), shade(random))
    draw, tone = ImageDraw.Draw(picture), tuple(int(value) for value in skin)
    x, y = 128 + random.normal(0, 15, 2)
    size = random.uniform(55, 105)
    draw.ellipse((x - size, y - 1.35 * size, x + size, y + 0.8 * size), fill=shade(random))
    draw.ellipse((x - 0.8 * size, y - size, x + 0.8 * size, y + 1.1 * size), fill=tone)
    for side in (-1, 1):
        eye = (x + side * 0.35 * size, y - 0.15 * size)
        draw.ellipse((eye[0] - 13, eye[1] - 7, eye[0] + 13, eye[1] + 7), fill=(240, 240, 240))
        draw.ellipse((eye[0] - 6, eye[1] - 6, eye[0] + 6, eye[1] + 6), fill=shade(random))
    draw.ellipse((x - 0.35 * size, y + 0.5 * size, x + 0.35 * size, y + 0.7 * size), fill=(170, 60, 60))
    return as_canvas(picture) * (0.75 + 0.5 * cloud(random, 3)[..., None])


def hand(random: Random) -> Canvas:
    """A palm with four fingers and a thumb."""
    picture, tone = Image.new("RGB", (SIDE, SIDE), shade(random)), tuple(int(v) for v in skin_colour(random))
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((70, 120, 190, 256), 35, fill=tone)
    for number, x in enumerate((75, 108, 141, 174)):
        draw.rounded_rectangle((x, random.uniform(10, 60) + 8 * abs(number - 1), x + 27, 180), 13, fill=tone)
    draw.line([(85, 200), (random.uniform(10, 45), random.uniform(110, 160))], fill=tone, width=30)
    turned = picture.rotate(random.uniform(0, 360), Image.Resampling.BILINEAR, fillcolor=picture.getpixel((2, 2)))
    return as_canvas(turned) * (0.75 + 0.5 * cloud(random, 4)[..., None])


def radiograph(random: Random) -> Canvas:
    """A grey picture of ribs or bones on black."""
    y, x = grid()
    bands = np.sin(y * random.uniform(8, 25) + np.abs(x) * random.uniform(-4, 4)) / 2 + 0.5
    body = disc(random, radius=(0.6, 1.1), softness=0.3) * (0.35 + 0.3 * bands + 0.35 * cloud(random, 4))
    bone = np.exp(-((along(random) / random.uniform(0.05, 0.3)) ** 2)) * random.uniform(0, 0.7)
    grey = np.asarray((body + bone).clip(0, 1) * 255, dtype=np.float32)
    return np.repeat(grey[..., None], 3, axis=2)


def ultrasound(random: Random) -> Canvas:
    """A grey sector of speckle on black."""
    y, x = grid()
    sector = (np.abs(np.arctan2(x, y + 1.3)) < random.uniform(0.4, 0.8)) & (np.hypot(x, y + 1.3) < 2.1)
    speckle = cloud(random, 80) * (cloud(random, 5) + 0.2) * cloud(random, 160)
    grey = np.asarray(np.where(sector, speckle * 400, 0), dtype=np.float32)
    return np.repeat(grey[..., None], 3, axis=2)


def cells(random: Random) -> Canvas:
    """Cells under a microscope: rings or discs with nuclei, on a light ground or glowing on black."""
    is_dark = random.random() < 0.35
    ground = np.full((SIDE, SIDE, 3), random.uniform(0, 25) if is_dark else random.uniform(190, 245), dtype=np.float32)
    count, size = int(random.integers(8, 90)), random.uniform(6, 28)
    body = blobs(random, count, (0.7 * size, 1.3 * size), filled=random.random() < 0.7)
    nuclei = blobs(random, count // 2, (0.25 * size, 0.6 * size))
    stained = laid_on(ground, colour(random), body * random.uniform(0.4, 1))
    return laid_on(stained, colour(random), nuclei * random.uniform(0.5, 1))


def tissue(random: Random) -> Canvas:
    """A stained section: pink and violet with many dark nuclei."""
    pink, violet = np.array([225, 150, 190], np.float32), np.array([95, 60, 145], np.float32)
    fibres = np.sin(along(random) * random.uniform(5, 40) + 10 * turbulence(random)) / 2 + 0.5
    ground = pink + random.normal(0, 20, 3).astype(np.float32)
    canvas = between(np.asarray(fibres, dtype=np.float32), ground, violet * 2)
    gaps = turbulence(random, 4) > random.uniform(0.55, 0.95)
    canvas = np.where(gaps[..., None], np.float32(240), canvas)
    return laid_on(canvas, violet, blobs(random, int(random.integers(40, 500)), (1.5, 5)))


def eye_ground(random: Random) -> Canvas:
    """The back of an eye: an orange field with a bright disc and vessels, on black."""
    orange = np.array([random.uniform(180, 235), random.uniform(80, 130), random.uniform(30, 70)], np.float32)
    picture = Image.new("L", (SIDE, SIDE), 0)
    draw, start = ImageDraw.Draw(picture), random.uniform(90, 170, 2)
    for _ in range(int(random.integers(8, 20))):
        path = start + np.cumsum(random.normal(0, 8, 2) + random.normal(0, 6, (14, 2)), axis=0)
        draw.line([tuple(start), *[tuple(point) for point in path]], fill=220, width=int(random.integers(1, 4)))
    field = laid_on(
        orange * (0.7 + 0.5 * cloud(random, 3)[..., None]), orange * 0.5, as_canvas(picture) / np.float32(255)
    )
    nerve = np.hypot(*(np.stack(grid()) - (start[::-1] / 128 - 1)[:, None, None])) < random.uniform(0.1, 0.2)
    field = laid_on(field, np.array([250, 225, 160], np.float32), nerve.astype(np.float32))
    return laid_on(np.zeros_like(field), field, disc(random, radius=(0.85, 1.1)))


def landscape(random: Random) -> Canvas:
    """Sky, hills and a sun."""
    y, x = grid()
    canvas = between(((y + 1) / 2).clip(0, 1), colour(random), colour(random))
    canvas = laid_on(canvas, colour(random), disc(random, radius=(0.05, 0.25)))
    for height in sorted(random.uniform(-0.4, 0.9, int(random.integers(1, 5)))):
        ridge = height + 0.15 * np.sin(x * random.uniform(1, 9) + random.uniform(0, 6)) + 0.1 * cloud(random, 12)[:1]
        hill = between(turbulence(random, 4), colour(random), colour(random))
        canvas = laid_on(canvas, hill, (y > ridge).astype(np.float32))
    return canvas


def night_sky(random: Random) -> Canvas:
    """Stars and a nebula on black."""
    glow = between(turbulence(random) ** 3, np.zeros(3, np.float32), colour(random))
    return laid_on(
        glow, np.array([255, 250, 240], np.float32), blobs(random, int(random.integers(30, 300)), (0.4, 1.6))
    )


def meadow(random: Random) -> Canvas:
    """Blades of grass, leaves, fur: thousands of short strokes in like colours."""
    base = colour(random)
    picture = Image.new("RGB", (SIDE, SIDE), tuple(int(value * 0.5) for value in base))
    draw, angle = ImageDraw.Draw(picture), random.uniform(0, 2 * np.pi)
    for x, y in random.uniform(-10, SIDE + 10, (int(random.integers(500, 2500)), 2)):
        way, length = angle + random.normal(0, 0.4), random.uniform(8, 40)
        tone = (base * random.uniform(0.5, 1.4)).clip(0, 255).astype(int)
        end = (x + length * np.cos(way), y + length * np.sin(way))
        draw.line([(x, y), end], fill=tuple(tone.tolist()), width=int(random.integers(1, 4)))
    return as_canvas(picture)


def _ragged(random: Random, radius: float) -> Field:
    """1 inside a round shape with an uneven edge."""
    y, x = grid()
    edge = radius * (0.75 + 0.5 * cloud(random, 5))
    return np.asarray((np.hypot(x, y) < edge), dtype=np.float32)


SCENES: Final[Mapping[str, Callable[[Random], Canvas]]] = {
    "spot_on_skin": spot,
    "planet": planet,
    "fried_egg": egg,
    "food": food,
    "face": face,
    "hand": hand,
    "radiograph": radiograph,
    "ultrasound": ultrasound,
    "cells": cells,
    "tissue_section": tissue,
    "eye_ground": eye_ground,
    "landscape": landscape,
    "night_sky": night_sky,
    "meadow": meadow,
}
"""Every scene by name."""
