"""Data sets on disk to rows of an index: one file a layout, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dermalens.core.errors import DataError
from dermalens.core.files import is_image
from dermalens.data.check import Listing
from dermalens.data.files import what_is_in
from dermalens.data.sources import folders, ham10000, isic2018, table


@dataclass(frozen=True, slots=True)
class Source:
    """A layout: does a path have it, its rows (images not opened yet), and how it looks in words."""

    matches: Callable[[Path], bool]
    read: Callable[[Path], Listing]
    looks_like: str


SOURCES: Final[Mapping[str, Source]] = {
    "ham10000": Source(ham10000.matches, ham10000.read, ham10000.LOOKS_LIKE),
    "isic2018": Source(isic2018.matches, isic2018.read, isic2018.LOOKS_LIKE),
    "folders": Source(folders.matches, folders.read, folders.LOOKS_LIKE),
    "table": Source(table.matches, table.read, table.LOOKS_LIKE),
}
"""Tried from top to bottom; the first that matches is the layout."""


def detect_layout(path: Path) -> str:
    """The name of the layout that `path` has.

    Raises:
        DataError: nothing there, or none of the layouts; says what was found and what would fit.
    """
    if not path.exists():
        raise DataError(f"Nothing at {path}. Give the folder of the images, or a CSV.")
    if path.is_file() and is_image(path.name):
        raise DataError(f"{path} is one image; give the folder of the labelled images, or a CSV that names them.")
    for name, source in SOURCES.items():
        if source.matches(path):
            return name
    fitting = "; ".join(f"{name}: {source.looks_like}" for name, source in SOURCES.items())
    raise DataError(f"{path} holds {what_is_in(path)}, none of the {len(SOURCES)} layouts. {fitting}.")


def read_source(path: Path, *, layout: str = "auto") -> Listing:
    """The rows of a data set; its images are not opened yet (`dermalens.data.check`).

    Raises:
        DataError: unknown layout, nothing at `path`, a table that cannot be read, or no image named.
    """
    name = detect_layout(path) if layout == "auto" else layout
    if name not in SOURCES:
        raise DataError(f"Unknown layout {layout!r}; needed is auto, {', '.join(SOURCES)}.")
    if not path.exists():
        raise DataError(f"Nothing at {path}. Give the folder of the images, or a CSV.")
    listing = SOURCES[name].read(path)
    if not listing.rows:
        raise DataError(f"{path} ({name}) names no image; needed is {SOURCES[name].looks_like}.")
    return listing
