"""Files that are whole and on the disk once written, or not there at all, with any number of writers at once."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

from dermalens.core.files import sync_folder


def write_durably(target: Path, content: bytes, temporary_folder: Path) -> None:
    """Write to a temporary name of its own, fsync, rename, fsync the folders up to the new one's parent.

    Unlike `core.files.write_whole`, two may write the same target at once, and the name survives a power cut too.
    The temporary file of a kill stays in `temporary_folder`, where the janitor finds it.

    Raises:
        OSError: the disk is full, or a folder may not be written.
    """
    temporary = temporary_folder / uuid4().hex
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        make_folder(target.parent)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    sync_name(target)


def sync_name(target: Path) -> None:
    """Put a file's entry in its folder, and the folder's in its parent, on the disk."""
    for folder in (target.parent, target.parent.parent):
        sync_folder(folder)


def remove_durably(target: Path) -> bool:
    """Remove a file for good; False where it was gone already."""
    try:
        target.unlink()
    except FileNotFoundError:
        return False
    sync_folder(target.parent)
    return True


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner can read."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
