"""Files on disk: which are images by their names, and how one is written whole or not at all."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from unicodedata import category

IMAGE_SUFFIXES: Final = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""What is taken from a folder: the suffixes of the formats that `core/header.py` reads."""

BESIDE_SUFFIXES: Final = (
    *(".csv", ".db", ".htm", ".html", ".ini", ".json", ".jsonl", ".log", ".md", ".toml", ".tsv", ".txt", ".xml"),
    *(".yaml", ".yml"),
)
"""Of tables, notes and what systems leave (`Thumbs.db`), which nobody takes for pictures that were classified."""


def is_image(name: str) -> bool:
    """Whether a file name is that of an image; hidden ones (`._x.jpg` of macOS) are not.

    >>> is_image("a.JPG"), is_image("._a.jpg"), is_image("notes.txt")
    (True, False, False)
    """
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


def is_passed_over(name: str) -> bool:
    """Whether a file name may be that of a picture, though none that is read: not hidden, and no table or note.

    >>> is_passed_over("a.HEIC"), is_passed_over("a.jpg"), is_passed_over("notes.txt"), is_passed_over(".a.heic")
    (True, False, False, False)
    """
    return not name.startswith(".") and not name.lower().endswith((*IMAGE_SUFFIXES, *BESIDE_SUFFIXES))


def visible(text: str) -> str:
    r"""The text with control characters written as \x1b: in a name they may colour a terminal or break a row.

    >>> visible("a\x1b[31m\x9b.jpg")
    'a\\x1b[31m\\x9b.jpg'
    """
    return "".join(rf"\x{ord(letter):02x}" if category(letter) == "Cc" else letter for letter in text)


def printable(text: str) -> str:
    r"""The text with what is not UTF-8 in a file name written as \xff, which JSON and a terminal do not take.

    >>> printable("m\udcffle.jpg")
    'm\\xffle.jpg'
    """
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def is_pipe(path: str) -> bool:
    """Whether it is a pipe, a socket or a device, which may keep its reader waiting; what is missing is none."""
    return os.path.exists(path) and not os.path.isfile(path)  # noqa: PTH110, PTH113  (no error for a NUL in the name)


def is_new(folder: Path, seen: set[Path]) -> bool:
    """Whether a resolved folder was not met before; it is `seen` from then on."""
    before = folder in seen
    seen.add(folder)
    return not before


def write_whole(target: Path, content: bytes | memoryview) -> None:
    """Write a file whole or not at all: temporary name beside it, fsync, rename.

    A kill or a full disk leaves what was there before; the temporary file of a kill is replaced by the next write.

    Raises:
        OSError: the disk is full, or the folder is missing or may not be written to.
    """
    temporary = target.with_name(target.name + ".tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; Windows cannot open a folder and needs no such step."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def has_locks() -> bool:
    """Whether this system has the lock of `is_held_by_another`; Windows has not."""
    return importlib.util.find_spec("fcntl") is not None


def is_held_by_another(handle: int, *, with_forks: bool = True) -> bool:
    """Whether another process holds the lock of an open file; otherwise it is ours until the file is closed.

    `with_forks`: processes that are forked from this one hold it too, even when this one was killed. Holders with and
    without forks do not see each other.
    """
    import fcntl

    lock = fcntl.flock if with_forks else fcntl.lockf
    try:
        lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX allows either
        return True
    except OSError:  # such as ENOLCK of a network file system
        return False
    return False


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Hold the lock of a file or folder that exists; False where another process has it, and True without locks.

    Raises:
        OSError: nothing is there, or it may not be opened.
    """
    if not has_locks():
        yield True
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        yield not is_held_by_another(handle)
    finally:
        os.close(handle)
