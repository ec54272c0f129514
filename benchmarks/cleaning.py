"""Each cleaning step on a drawn, hairy square of 224 pixels, one thread.

CPU time and not wall-clock time, so that other work on the machine counts less.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable

from PIL import Image, ImageDraw

from benchmarks.pictures import SMALL, jpeg
from benchmarks.timing import machine
from dermalens.core.image import open_upright
from dermalens.core.spec import EVERY_STEP, CleanStep, PreprocessSpec
from dermalens.transforms.clean import clean
from dermalens.transforms.preprocess import SquarePixels, preprocess

SIDE = 224
REPEATS = 20


def measure() -> dict[str, object]:
    """Milliseconds of each step, and of what is done without any: decoding and resizing a 600 x 450 JPEG."""
    data = hairy()
    spec = PreprocessSpec(side_pixels=SIDE)
    square = preprocess(open_upright(data, wanted_side_pixels=SIDE), spec)
    return {
        "machine": machine(),
        "side_pixels": SIDE,
        "decode_and_resize_ms": cpu_ms(lambda: preprocess(open_upright(data, wanted_side_pixels=SIDE), spec)),
        "steps_ms": {step.step: step_ms(square, step) for step in EVERY_STEP},
    }


def hairy() -> bytes:
    """The drawn lesion at 600 x 450 under twelve hairs, as JPEG."""
    with Image.open(io.BytesIO(jpeg(*SMALL))) as picture:
        drawn = picture.convert("RGB")
    for number in range(12):
        ImageDraw.Draw(drawn).line((50 * number, 0, 600 - 40 * number, 450), fill=(40, 28, 25), width=4)
    buffer = io.BytesIO()
    drawn.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def step_ms(square: SquarePixels, step: CleanStep) -> float:
    """CPU time of one step on the square."""
    return cpu_ms(lambda: clean(square, [step]))


def cpu_ms(call: Callable[[], object]) -> float:
    """Median CPU time of one call in milliseconds, after one that does not count."""
    call()
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        call()
        times.append((time.process_time() - start) * 1000)
    return round(statistics.median(times), 2)
