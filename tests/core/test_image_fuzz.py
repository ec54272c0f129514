"""Damaged bytes end in an ImageError and in nothing else."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest
from PIL import Image

from dermalens.core.errors import ImageError
from dermalens.core.image import decode

FILES: dict[str, dict[str, object]] = {
    "JPEG": {},
    "JPEG progressive": {"progressive": True},
    "PNG": {},
    "PNG animated": {"save_all": True},
    "WEBP": {},
    "WEBP animated": {"save_all": True},
    "GIF": {},
    "GIF animated": {"save_all": True},
    "BMP": {},
    "TIFF": {},
    "TIFF LZW": {"compression": "tiff_lzw"},
    "TIFF pages": {"save_all": True},
}
ROUNDS = 120


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112], tags[0x010F] = 6, "camera"
    return tags


@pytest.fixture(params=FILES)
def intact(request, drawn, encoded) -> bytes:
    options = dict(FILES[request.param])
    if "save_all" in options:
        options["append_images"] = [drawn(64, 48).rotate(90)]
    kind = request.param.split()[0]
    return encoded(drawn(64, 48), kind, **({} if kind == "BMP" else {"exif": exif()}), **options)


def damaged(data: bytes, source: random.Random) -> bytes:
    """A few bytes changed, removed or added, mostly near the head, where the structure is."""
    content = bytearray(data)
    for _ in range(source.choice((1, 2, 4, 16))):
        place = source.randrange(min(300, len(content)) if source.random() < 0.6 else len(content))
        match source.choice("changed changed changed removed added".split()):
            case "changed":
                content[place] = source.choice((0, 1, 127, 255, source.randrange(256)))
            case "removed":
                del content[place : place + source.randrange(1, 9)]
            case _:
                content[place:place] = source.randbytes(source.randrange(1, 9))
    return bytes(content)


@pytest.mark.filterwarnings("ignore")  # Pillow talks about odd metadata
def test_damaged_bytes_end_in_an_image_error_and_in_nothing_else(intact):
    source, refused = random.Random(20261120), 0
    for _ in range(ROUNDS):
        try:
            decode(damaged(intact, source), wanted_side_pixels=32)
        except ImageError:
            refused += 1
    assert 0 < refused < ROUNDS


def test_cut_file_gives_the_whole_first_picture_or_an_error(intact):
    """Never a half-grey picture: an animation may lose later frames, a still picture only what follows its pixels."""
    whole = np.asarray(decode(intact, wanted_side_pixels=32).picture)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for length in range(1, len(intact), max(1, len(intact) // 60)):
            try:
                cut = np.asarray(decode(intact[:length], wanted_side_pixels=32).picture)
            except ImageError:
                continue
            assert np.array_equal(cut, whole)
