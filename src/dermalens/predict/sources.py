"""What may be classified: a path, bytes, a Pillow picture or an array; and the images below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermalens.core.errors import ImageError
from dermalens.core.files import IMAGE_SUFFIXES, is_image, is_new, is_passed_over, is_pipe
from dermalens.core.image import Decoded, decode, from_array, from_picture, read_file

Source = str | Path | bytes | Image.Image | NDArray[np.generic]
"""A path; the bytes of an image file; a Pillow picture; pixels [height, width, 3], RGB, upright."""

STDIN: Final = "-"


def read_source(source: Source, *, wanted_side_pixels: int, square_side: float | None = None) -> Decoded:
    """An upright RGB picture from any source; a large JPEG is decoded at reduced scale.

    `square_side` is the side of the square that is wanted of it, in pixels of the original; its centre square
    otherwise.

    Raises:
        ImageError: there is no usable picture; the message names the path where there is one.
        TypeError: the source is none of the kinds above.
    """
    if isinstance(source, str) and not source:  # as a Path it would be the folder one is in
        raise ImageError("An empty path was given; name an image.")
    if isinstance(source, (str, Path)):
        return _read_path(Path(source), wanted_side_pixels, square_side)
    if isinstance(source, bytes):
        return decode(source, wanted_side_pixels=wanted_side_pixels, square_side=square_side)
    if isinstance(source, Image.Image):
        return from_picture(source)
    if isinstance(source, np.ndarray):
        return from_array(source)
    raise TypeError(f"An image is a path, bytes, a PIL image or an array; given is {type(source).__name__}.")


def _read_path(path: Path, wanted_side_pixels: int, square_side: float | None) -> Decoded:
    if _is_folder(path):
        raise ImageError(f"{path} is a folder; name an image.")
    data = read_file(path)
    try:
        return decode(data, wanted_side_pixels=wanted_side_pixels, square_side=square_side)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error


def name_of(source: Source) -> str:
    """How an answer names its image when the caller gives no name."""
    if isinstance(source, (str, Path)):
        return str(source)
    if isinstance(source, bytes):
        return "<bytes>"
    return "<array>" if isinstance(source, np.ndarray) else "<image>"


def find_images(arguments: Iterable[str], *, passed_over: list[str] | None = None) -> list[str]:
    """Files as named, folders as the images below them, sorted; a folder without any stays and is refused later.

    Links to folders are followed. `passed_over` takes the files of folders that may be pictures too, of a format that
    is not read.
    """
    return [path for argument in arguments for path in _expand(argument, passed_over)]


def _is_folder(path: str | Path) -> bool:
    """Without an error where `Path.is_dir` has one: a name that is too long, a folder that may not be searched."""
    return os.path.isdir(path)  # noqa: PTH112  (as said above)


def refuse_folder(path: str) -> None:
    """Refuse a folder that `find_images` has left as it is.

    Raises:
        ImageError: it is a folder; the message says whether it may not be listed or has no images.
    """
    if not _is_folder(path):
        return
    try:
        next(Path(path).iterdir(), None)
    except OSError as error:
        raise ImageError(f"{path} is a folder that cannot be listed: {error.strerror}. Name an image.") from error
    raise ImageError(
        f"{path} is a folder without images ({' '.join(IMAGE_SUFFIXES)}); name an image or another folder."
    )


def _expand(argument: str, passed_over: list[str] | None) -> list[str]:
    if argument == STDIN or not _is_folder(argument):
        return [argument]
    return sorted(_images_below(argument, [] if passed_over is None else passed_over)) or [argument]


def _images_below(folder: str, passed_over: list[str]) -> Iterator[str]:
    """Image files, without hidden names (`._x.jpg` of macOS) and pipes; those of folders that links lead to come last.

    No folder is read twice and none that `folder` lies in, as a link upwards would make a circle. A folder that cannot
    be listed stands for itself, so that nobody takes its images for classified.
    """
    closed: list[OSError] = []
    seen, waiting = set(Path(os.path.realpath(folder)).parents), [folder]
    for start in waiting:  # which grows by the links that are met
        for place, folders, files in os.walk(start, onerror=closed.append):
            if not is_new(Path(os.path.realpath(place)), seen):
                folders.clear()
                continue
            folders[:] = [name for name in folders if not name.startswith(".")]
            waiting += [str(path) for path in (Path(place, name) for name in folders) if path.is_symlink()]
            passed_over += [str(Path(place, name)) for name in files if is_passed_over(name)]
            images = (str(Path(place, name)) for name in files if is_image(name))
            yield from (path for path in images if not is_pipe(path))
    yield from (str(error.filename) for error in closed)
