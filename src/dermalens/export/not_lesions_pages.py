"""Drawn pages and signs without a lesion: text, screens, charts, codes, maps, sketches, paintings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dermalens.export.not_lesions_patterns import SIDE, Canvas, Random, colour

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;-"


def shade(random: Random) -> tuple[int, int, int]:
    """Any colour, as Pillow takes it."""
    red, green, blue = (int(value) for value in colour(random))
    return red, green, blue


def paper(random: Random) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A page: mostly white or light, sometimes dark, sometimes coloured."""
    level = int(random.integers(225, 256))
    base = [(level, level, level - int(random.integers(0, 25))), (30, 30, 35), shade(random)]
    picture = Image.new("RGB", (SIDE, SIDE), base[int(random.choice(3, p=[0.7, 0.15, 0.15]))])
    return picture, ImageDraw.Draw(picture)


def ink(random: Random, picture: Image.Image) -> tuple[int, int, int]:
    """A colour that can be read on the page."""
    is_dark = sum(picture.getpixel((1, 1))) < 300  # type: ignore[arg-type]  # a tuple in mode RGB
    return (235, 235, 235) if is_dark else tuple(int(v) for v in random.integers(0, 90, 3))  # type: ignore[return-value]  # three of them


def words(random: Random, count: int) -> str:
    """Random letters in random words."""
    return " ".join("".join(random.choice(list(_LETTERS), int(random.integers(2, 9)))) for _ in range(count))


def as_canvas(picture: Image.Image) -> Canvas:
    """Pixels of a drawing."""
    return np.asarray(picture, dtype=np.float32)


def box(random: Random) -> tuple[int, int, int, int]:
    """Left, upper, right and lower of a rectangle somewhere on the page."""
    left, upper = (int(v) for v in random.integers(-10, SIDE - 10, 2))
    width, height = (int(v) for v in random.integers(15, 150, 2))
    return left, upper, left + width, upper + height


def text(random: Random) -> Canvas:
    """Lines of text, large or small."""
    picture, draw = paper(random)
    size = int(random.integers(7, 40))
    font, fill = ImageFont.load_default(size), ink(random, picture)
    for y in range(int(random.integers(0, 20)), SIDE, int(size * random.uniform(1.1, 1.8))):
        draw.text((int(random.integers(-20, 25)), y), words(random, max(1, 70 // size)), fill=fill, font=font)
    return as_canvas(picture)


def screenshot(random: Random) -> Canvas:
    """Bars, panels, buttons and labels of a program."""
    picture, draw = paper(random)
    draw.rectangle((0, 0, SIDE, int(random.integers(10, 30))), fill=shade(random))
    for _ in range(int(random.integers(3, 14))):
        left, upper, right, lower = box(random)
        draw.rounded_rectangle((left, upper, right, lower), int(random.integers(0, 7)), shade(random), (120, 120, 120))
        draw.text((left + 4, upper + 2), words(random, 3), fill=ink(random, picture), font=ImageFont.load_default(9))
    return as_canvas(picture)


def chart(random: Random) -> Canvas:
    """Bars, a curve or a pie with axes."""
    picture, draw = paper(random)
    line, values = ink(random, picture), random.uniform(20, 200, int(random.integers(4, 16)))
    step = (SIDE - 50) / len(values)
    draw.line([(30, 15), (30, 225), (245, 225)], fill=line, width=2)
    kind = random.integers(3)
    if kind == 0:
        for place, value in enumerate(values):
            draw.rectangle((34 + place * step, 225 - value, 30 + (place + 0.8) * step, 225), fill=shade(random))
    elif kind == 1:
        for _ in range(int(random.integers(1, 4))):
            points = [(34 + place * step, 225 - value) for place, value in enumerate(random.permutation(values))]
            draw.line(points, fill=shade(random), width=2)
    else:
        for start in np.cumsum(values) / values.sum() * 360:
            draw.pieslice((45, 30, 225, 210), start, 360, fill=shade(random))
    draw.text((60, 235), words(random, 3), fill=line)
    return as_canvas(picture)


def code(random: Random) -> Canvas:
    """Black and white cells of a QR code, or bars."""
    cells = int(random.integers(15, 45))
    bits = random.random((cells, 1 if random.random() < 0.3 else cells)) < 0.5
    picture = Image.fromarray((bits.T * 255).astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    return as_canvas(picture.convert("RGB"))


def road_map(random: Random) -> Canvas:
    """Fields of colour, roads and names."""
    picture, draw = paper(random)
    for _ in range(int(random.integers(3, 9))):
        draw.polygon([tuple(point) for point in random.integers(-40, 300, (5, 2)).tolist()], fill=shade(random))
    for _ in range(int(random.integers(6, 25))):
        points = [tuple(point) for point in random.integers(-20, 280, (4, 2)).tolist()]
        draw.line(points, fill=shade(random), width=int(random.integers(1, 7)), joint="curve")
        draw.text(points[0], words(random, 1), fill=ink(random, picture))
    return as_canvas(picture)


def sketch(random: Random) -> Canvas:
    """Thin lines, arcs and outlines on paper."""
    picture, draw = paper(random)
    line = ink(random, picture)
    for _ in range(int(random.integers(5, 30))):
        width, place = int(random.integers(1, 4)), box(random)
        start, end = random.uniform(0, 360, 2).tolist()
        draw.arc(place, start, end, fill=line, width=width)
        draw.line([tuple(point) for point in random.integers(0, SIDE, (2, 2)).tolist()], fill=line, width=width)
    return as_canvas(picture)


def painting(random: Random) -> Canvas:
    """Broad brush strokes in a few colours, all over the canvas."""
    palette = [shade(random) for _ in range(int(random.integers(3, 8)))]
    picture = Image.new("RGB", (SIDE, SIDE), palette[0])
    draw = ImageDraw.Draw(picture)
    for _ in range(int(random.integers(60, 400))):
        start, way = random.uniform(-10, SIDE, 2), random.normal(0, 25, (3, 2)).cumsum(axis=0)
        stroke = palette[int(random.integers(len(palette)))]
        draw.line([tuple(point) for point in (start + way).tolist()], stroke, int(random.integers(2, 22)), "curve")
    return as_canvas(picture)


PAGES: Final[Mapping[str, Callable[[Random], Canvas]]] = {
    "text": text,
    "screenshot": screenshot,
    "chart": chart,
    "code": code,
    "road_map": road_map,
    "sketch": sketch,
    "painting": painting,
}
"""Every page by name."""
