"""Training images kept decoded in one memory-mapped file, for a device that outruns the JPEG decoder.

The file is named by what it was made from, so that it is never stale and serves every run on the same images: the
members of an ensemble, a resumed run, another learning rate. In /dev/shm it lies in memory.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.core.errors import DataError
from dermalens.core.files import claimed, has_locks
from dermalens.core.spec import PreprocessSpec
from dermalens.data.check import nobody_watches
from dermalens.data.index import Row
from dermalens.data.parallel import in_threads
from dermalens.transforms.rows import read_square

OWN_TEMPORARY: Final = re.compile(r"[0-9a-f]{32}\.\d+\.tmp")
"""The folder may be anybody's, such as /tmp."""

Squares = NDArray[np.uint8]  # [N, side, side, 3], RGB, upright


def keep_decoded(rows: Sequence[Row], spec: PreprocessSpec, folder: Path) -> Path:
    """Write the squares of `rows` to a file in `folder` unless it is there; gives the file. Whole or not at all.

    Raises:
        DataError: an image that cannot be read, or a folder without the room; says how much is needed.
    """
    target = folder / f"{_name(rows, spec)}.npy"
    if target.is_file():
        return target
    shape = (len(rows), spec.side_pixels, spec.side_pixels, 3)
    needed = int(np.prod(shape))
    temporary = target.with_suffix(f".{os.getpid()}.tmp")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        free = shutil.disk_usage(folder).free
        if free < needed:  # a mapped file that finds no room kills the process
            raise DataError(
                f"data.decoded: {len(rows)} images need {needed / 1e9:.1f} GB in {folder}, which has {free / 1e9:.1f} "
                'GB. Choose another folder, or data.decoded="" to decode in every epoch.'
            )
        temporary.touch()
        with claimed(temporary):
            squares = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
            for number, square in enumerate(in_threads(lambda row: read_square(row, spec), rows, nobody_watches)):
                squares[number] = square
            squares.flush()
            del squares  # Windows renames no file that is open
            temporary.replace(target)
    except OSError as error:
        raise DataError(f"data.decoded: cannot write to {folder}: {error.strerror}. Choose another folder.") from error
    finally:
        with suppress(OSError):  # nor does it delete one
            temporary.unlink(missing_ok=True)
    return target


def _remove_abandoned(folder: Path) -> None:
    """Delete what killed runs have left; what is being written is held by who writes it."""
    if not has_locks():
        return
    for file in folder.glob("*.tmp"):
        if not OWN_TEMPORARY.fullmatch(file.name):
            continue
        with suppress(OSError), claimed(file) as is_free:  # another run may have done so just now
            if is_free:
                file.unlink()


def open_decoded(file: Path) -> Squares:
    """The squares, read as they are needed."""
    squares: Squares = np.load(file, mmap_mode="r")
    return squares


def _name(rows: Sequence[Row], spec: PreprocessSpec) -> str:
    """The SHA-256 of the images (path, size, time of change) and of the preprocessing."""
    digest = hashlib.sha256(spec.model_dump_json().encode())
    for row in rows:
        file = Path(row.path)
        found = file.stat() if file.exists() else None
        digest.update(f"{row.path}\t{found and found.st_size}\t{found and found.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]
