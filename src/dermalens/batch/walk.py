"""The images below a folder whose names match a pattern, here or in a bucket; one folder is listed at a time."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from dermalens.core.files import is_image

ANY_DEPTH: Final = "**"
EVERYTHING: Final = (ANY_DEPTH,)
"""The pattern of all that is below a folder."""

_ESCAPED: Final = re.compile(r"\[([*?[])\]")
"""What `glob.escape` makes of a wildcard that is part of a name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a folder holds."""

    path: str
    name: str
    is_folder: bool
    is_link: bool = False


def cut(pattern: str, separator: str = "/") -> tuple[str, list[str]]:
    """The folder before the first wildcard, and the parts from there on.

    >>> cut("/data/a/*/b.jpg"), cut("/*.jpg"), cut("*.jpg")
    (('/data/a', ['*', 'b.jpg']), ('/', ['*.jpg']), ('', ['*.jpg']))
    >>> cut("/study[[]1]/*.jpg"), cut("/study[[]1]/a[*].jpg")
    (('/study[1]', ['*.jpg']), ('/study[1]', ['a[*].jpg']))
    """
    parts = pattern.split(separator)
    wild = (index for index, part in enumerate(parts) if glob.has_magic(_ESCAPED.sub("", part)))
    fixed = next(wild, len(parts) - 1)
    folder = separator.join(_ESCAPED.sub(r"\1", part) for part in parts[:fixed])
    return folder or separator * min(fixed, 1), parts[fixed:]


def matching(
    root: str, parts: Sequence[str], entries: Callable[[str], Iterator[Entry]], closed: list[str] | None = None
) -> Iterator[str]:
    """Images below `root` whose names from there on match `parts`.

    Names with a dot in front only match a part with one; `**` follows no link to a folder, which may be a loop. A
    folder below the root that cannot be listed goes to `closed`; without that it ends the walk.
    """
    folders = [(root, _and_below({0}, parts))]
    while folders:
        folder, places = folders.pop()
        try:
            for entry in entries(folder):
                if not entry.is_folder:
                    if is_image(entry.name.lstrip(".")) and len(parts) in _after(entry, places, parts):
                        yield entry.path
                elif below := _after(entry, places, parts) - {len(parts)}:
                    folders.append((entry.path, below))
        except OSError:
            if closed is None or folder == root:
                raise
            closed.append(folder)


def scanned(folder: str) -> Iterator[Entry]:
    """The entries of a folder on this machine."""
    with os.scandir(folder) as found:
        for entry in found:
            yield Entry(entry.path, entry.name, _is_folder(entry), entry.is_symlink())


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle; reading it says so
        return False


def _after(entry: Entry, places: set[int], parts: Sequence[str]) -> set[int]:
    """Places in the pattern that come after this entry; the end of it where the entry matches."""
    after: set[int] = set()
    for place in places:
        part = parts[place]
        if entry.name.startswith(".") and not part.startswith("."):
            continue
        if part != ANY_DEPTH:
            after |= {place + 1} if fnmatchcase(entry.name, part) else set()
        elif not entry.is_folder:
            after |= {place + 1} if place + 1 == len(parts) else set()
        elif not entry.is_link:
            after.add(place)
    return _and_below(after, parts)


def _and_below(places: set[int], parts: Sequence[str]) -> set[int]:
    """The same places, and those behind a `**`, which may stand for no folder at all."""
    for place, part in enumerate(parts):
        if place in places and part == ANY_DEPTH and place + 1 < len(parts):
            places = places | {place + 1}
    return places
