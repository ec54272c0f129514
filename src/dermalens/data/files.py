"""Image files on disk: which there are, and which belongs to an image id."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dermalens.core.errors import DataError, name_some
from dermalens.core.files import is_image, is_new, is_passed_over

IMAGE_FOLDER_WORD = "images"
"""In the name, in any casing, of the folders beside a table that hold its images (`HAM10000_images_part_1`)."""
CSV_NAMES = "*.[cC][sS][vV]"
"""A pattern for `Path.glob`, as some systems write suffixes in capitals."""
NO_DATA_FOLDER = "lost+found"
"""At the root of a disk, for its administrator alone."""
ARCHIVE_NAME = re.compile(r"ISIC_\d+")
"""A name of the ISIC archive; `1.jpg` says nothing."""
PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def is_file(path: Path) -> bool:
    """Without an error where `Path.is_file` has one: a name that is too long, a folder that may not be searched."""
    return os.path.isfile(path)  # noqa: PTH113  (as said above)


def images_under(folder: Path) -> Iterator[Path]:
    """Every image file in `folder` and below it, in order of name; hidden files and folders are passed over.

    Links to folders are followed, as data sets are often linked into place, but no folder is visited twice and none
    that `folder` lies in: a link upwards would make a circle, or give the images of one class to another.

    Raises:
        DataError: a folder that cannot be read, or a link that leads nowhere, so that images would be lost.
    """
    seen = {folder.resolve(), *folder.resolve().parents}
    for place, folders, names in os.walk(folder, onerror=_refuse_unread, followlinks=True):
        check_links(Path(place), names)
        visible = sorted(name for name in folders if _is_shown(name))
        folders[:] = [name for name in visible if is_new(Path(place, name).resolve(), seen)]
        for name in sorted(names):
            if is_image(name):
                yield Path(place, name)


def _refuse_unread(error: OSError) -> None:
    raise DataError(f"Cannot read {error.filename}: {error.strerror}. Make it readable, or move it away.") from error


def check_links(folder: Path, names: Iterable[str]) -> None:
    """Refuse links among `names` in `folder` that lead nowhere, except those called as a table, a note or an image.

    Raises:
        DataError: names up to five.
    """
    links = [path for name in names if is_passed_over(name) and (path := folder / name).is_symlink()]
    dead = [path for path in links if not os.path.exists(path)]  # noqa: PTH110  (as in `is_file`)
    if dead:
        raise DataError(
            f"{len(dead)} link(s) lead nowhere, or where nothing may be read: {name_some(dead)}. "
            "Bring back what they led to, or remove them."
        )


def _is_shown(name: str) -> bool:
    return not name.startswith(".") and name != NO_DATA_FOLDER


def images_in(folder: Path) -> list[Path]:
    """The image files that lie directly in `folder`, in order of name."""
    return sorted(path for path in folder.iterdir() if is_image(path.name)) if folder.is_dir() else []


def subfolders(folder: Path) -> list[Path]:
    """The visible folders directly in `folder`, in order of name."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and _is_shown(path.name))


def images_beside(folder: Path) -> dict[str, Path]:
    """Image id (file name without suffix) to file: in `folder` itself and in its image folders."""
    named = [path for path in subfolders(folder) if IMAGE_FOLDER_WORD in path.name.lower()]
    return by_stem([*images_in(folder), *(image for place in named for image in images_under(place))])


def by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    """File name without suffix to path; of two with one name the first counts."""
    found: dict[str, Path] = {}
    for path in paths:
        found.setdefault(path.stem, path)
    return found


def image_ids(paths: Sequence[Path]) -> list[str]:
    """File name without suffix, or the whole path without suffix where several of `paths` have that name.

    An archive name stays as it is: it stands for one image wherever it lies.
    """
    stems = Counter(path.stem for path in paths)
    return [
        path.stem
        if stems[path.stem] == 1 or ARCHIVE_NAME.fullmatch(path.stem)
        else path.as_posix().removesuffix(path.suffix)
        for path in paths
    ]


def plain_name(name: str) -> str:
    """A name that every file system takes; one with other characters gets a hash that keeps it apart."""
    if PLAIN_NAME.fullmatch(name):
        return name
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[-80:] + "_" + hashlib.sha256(name.encode()).hexdigest()[:8]


def what_is_in(path: Path) -> str:
    """A few words on what lies at `path`, for an error message."""
    if not path.is_dir():
        return "a file" if path.exists() else "nothing"
    folders = [found.name for found in subfolders(path)]
    tables = sorted(found.name for found in path.iterdir() if found.suffix.lower() == ".csv")
    parts = [
        f"{len(folders)} folder(s)" + (f" ({name_some(folders)})" if folders else ""),
        f"{len(tables)} CSV file(s)" + (f" ({name_some(tables)})" if tables else ""),
        f"{len(images_in(path))} image(s)",
    ]
    return f"{parts[0]}, {parts[1]} and {parts[2]}"
