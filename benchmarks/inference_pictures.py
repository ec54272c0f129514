"""Ways from the bytes of a JPEG to a picture, and from a picture to the square. For inference_paths.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from PIL import Image

from benchmarks.inference_graphs import CannotRunError, imported
from dermalens.core.image import OVERSAMPLING, Decoded, decode
from dermalens.core.spec import PreprocessSpec
from dermalens.core.square import centre_of
from dermalens.transforms.preprocess import SquarePixels, preprocess

FULL: Final = 10**6
"""A wanted side at which nothing is decoded at reduced scale."""

Reader = Callable[[bytes, int], Decoded]  # the bytes and the side of the square
Cutter = Callable[[Image.Image, PreprocessSpec], SquarePixels]


def by_simplejpeg(data: bytes, side: int) -> Decoded:
    """With the DCT that Pillow takes; no EXIF, no colour profile."""
    return _by_simplejpeg(data, side, is_fast=False)


def by_simplejpeg_fast(data: bytes, side: int) -> Decoded:
    """With the less exact DCT and without smooth colours."""
    return _by_simplejpeg(data, side, is_fast=True)


def _by_simplejpeg(data: bytes, side: int, *, is_fast: bool) -> Decoded:
    simplejpeg: Any = imported("simplejpeg")
    height, width, *_ = simplejpeg.decode_jpeg_header(data)
    least = OVERSAMPLING * side
    limits = {"min_height": least, "min_width": least} if min(height, width) >= 2 * least else {}
    pixels = simplejpeg.decode_jpeg(data, "RGB", fastdct=is_fast, fastupsample=is_fast, min_factor=1, **limits)
    return Decoded(Image.fromarray(pixels), (width, height))


def by_pyturbojpeg(data: bytes, side: int) -> Decoded:
    """With the DCT that Pillow takes; no EXIF, no colour profile."""
    package: Any = imported("turbojpeg")
    turbo = package.TurboJPEG()
    width, height, *_ = turbo.decode_header(data)
    fitting = [step for step in (8, 4, 2) if min(width, height) >= step * OVERSAMPLING * side]
    pixels = turbo.decode(data, pixel_format=package.TJPF_RGB, scaling_factor=(1, fitting[0] if fitting else 1))
    return Decoded(Image.fromarray(pixels), (width, height))


READERS: Final[Mapping[str, Reader]] = {
    "default": lambda data, side: decode(data, wanted_side_pixels=side),
    "pillow_full": lambda data, _: decode(data, wanted_side_pixels=FULL),
    "pillow_draft_at_once_the_side": lambda data, side: decode(data, wanted_side_pixels=side // OVERSAMPLING),
    "simplejpeg": by_simplejpeg,
    "simplejpeg_fast_dct": by_simplejpeg_fast,
    "pyturbojpeg": by_pyturbojpeg,
}


def reducing(picture: Image.Image, spec: PreprocessSpec) -> SquarePixels:
    """Pillow's bicubic after a mean over whole pixels."""
    side = spec.side_pixels
    box = centre_of(*picture.size).box
    return np.array(picture.resize((side, side), Image.Resampling.BICUBIC, box=box, reducing_gap=1.0))


def by_area(picture: Image.Image, spec: PreprocessSpec) -> SquarePixels:
    """OpenCV's mean over the area of each pixel."""
    opencv = imported("cv2")
    return _resized(opencv, _cut(picture), spec.side_pixels, opencv.INTER_AREA)


def by_blurred_cubic(picture: Image.Image, spec: PreprocessSpec) -> SquarePixels:
    """OpenCV's bicubic, which has no antialiasing of its own, after a Gaussian of half a new pixel."""
    opencv = imported("cv2")
    pixels = _cut(picture)
    sigma = max((len(pixels) / spec.side_pixels - 1) / 2, 0.01)
    return _resized(opencv, opencv.GaussianBlur(pixels, (0, 0), sigma), spec.side_pixels, opencv.INTER_CUBIC)


CUTTERS: Final[Mapping[str, Cutter]] = {
    "default": preprocess,
    "pillow_reducing_bicubic": reducing,
    "opencv_area": by_area,
    "opencv_blurred_cubic": by_blurred_cubic,
}


def _cut(picture: Image.Image) -> SquarePixels:
    """The centre square on whole pixels, as OpenCV knows no other."""
    left, upper, right, lower = (int(edge) for edge in centre_of(*picture.size).box)
    return np.ascontiguousarray(np.asarray(picture)[upper:lower, left:right])


def _resized(opencv: Any, pixels: SquarePixels, side: int, how: int) -> SquarePixels:
    opencv.setNumThreads(1)
    return np.asarray(opencv.resize(pixels, (side, side), interpolation=how), dtype=np.uint8)


def usable(ways: Mapping[str, Callable[..., object]], *given: object) -> tuple[list[str], dict[str, str]]:
    """Names of the ways that work on what is given, and why the others do not."""
    refused: dict[str, str] = {}
    for name, way in ways.items():
        try:
            way(*given)
        except CannotRunError as error:
            refused[name] = str(error)
        except (RuntimeError, OSError) as error:
            refused[name] = f"does not run: {str(error).splitlines()[0]}"
    return [name for name in ways if name not in refused], refused
