"""The files for pictures of an answer, heat map and outline: which name each image gets, and writing them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dermalens.core.errors import DermaLensError, name_some
from dermalens.predict.drawing import Drawing
from dermalens.predict.explain import Explanation
from dermalens.predict.sources import STDIN


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

    Raises:
        DermaLensError: one of them is itself among the images.
    """
    if folder is None:
        return [None] * len(images)
    inputs = {_identity(image) for image in images if image != STDIN}
    taken: set[str] = set()
    stems = ["stdin" if image == STDIN else Path(image).stem for image in images]
    targets = [folder / f"{_free(stem, taken)}{kind.suffix}" for stem in stems]
    overwritten = [target for target in targets if _identity(target) in inputs]
    if overwritten:
        names = printable(name_some(overwritten))
        raise DermaLensError(f"{kind.words} would overwrite images that were given: {names}. Name another folder.")
    return targets


def _free(stem: str, taken: set[str]) -> str:
    """The stem, or with the first number from 2 that is free, in any case of letters; it is taken then."""
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.casefold())
    return name


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


def printable(text: str) -> str:
    r"""The text with what is not UTF-8 in a file name written as \xff, which JSON and a terminal do not take."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")
