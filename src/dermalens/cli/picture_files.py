"""The files for pictures of an answer, heat map and outline: which name each image gets, and writing them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from dermalens.core.errors import DermaLensError, name_some
from dermalens.core.files import printable
from dermalens.predict.drawing import Drawing
from dermalens.predict.explain import Explanation
from dermalens.predict.sources import STDIN

NAME_BYTES: Final = 255
"""Of a file name, the most that file systems take."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is drawn of an image."""

    words: str
    """At the start of a sentence, in the plural."""
    suffix: str
    """After the name of the image."""


HEAT_MAP = Kind("Heat maps", "_heatmap.png")
OUTLINE = Kind("Outlines", "_outline.png")


def picture_files(images: Sequence[str], folder: Path | None, kind: Kind) -> Sequence[Path | None]:
    """A file for each image under its own name, none without a folder; a second `a.jpg` gets `a-2_heatmap.png`.

    A name that is too long with its suffix is cut.

    Raises:
        DermaLensError: one of them is itself among the images.
    """
    if folder is None:
        return [None] * len(images)
    inputs = {_identity(image) for image in images if image != STDIN}
    taken: set[str] = set()
    stems = ["stdin" if image == STDIN else Path(image).stem for image in images]
    room = NAME_BYTES - len(kind.suffix)
    targets = [folder / f"{_free(stem, taken, room)}{kind.suffix}" for stem in stems]
    overwritten = [target for target in targets if _identity(target) in inputs]
    if overwritten:
        names = printable(name_some(overwritten))
        raise DermaLensError(f"{kind.words} would overwrite images that were given: {names}. Name another folder.")
    return targets


def make_folder(folder: Path | None, kind: Kind) -> None:
    """Make the folder of the pictures, where there is one to be, and see that it takes files.

    Raises:
        DermaLensError: it cannot be made or written to.
    """
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DermaLensError(
            f"{kind.words} cannot be written to {printable(str(folder))}: {error.strerror}. Name another folder."
        ) from error


def _free(stem: str, taken: set[str], room: int) -> str:
    """The stem, or with the first number from 2 that is free, in any case of letters; it is taken then.

    It has `room` bytes at most.
    """
    name, number = _cut(stem, room), 1
    while name.casefold() in taken:
        number += 1
        end = f"-{number}"
        name = _cut(stem, room - len(end)) + end
    taken.add(name.casefold())
    return name


def _cut(text: str, room: int) -> str:
    """The text without the letters at its end for which there is no room."""
    while len(os.fsencode(text)) > room:
        text = text[:-1]
    return text


def _identity(path: str | Path) -> str:
    """The path after all links, in one case of letters, as two file systems of three do not tell them apart."""
    return os.path.realpath(path).casefold()


def save(picture: Explanation | Drawing | None, target: Path | None) -> str | None:
    """Write the picture, where there is one and a place for it; the path as it is shown.

    Raises:
        DermaLensError: it cannot be written.
    """
    if picture is None or target is None:
        return None
    where = printable(str(target))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(picture.png())
    except OSError as error:
        raise DermaLensError(f"The picture {where} cannot be written: {error.strerror}.") from error
    return where
