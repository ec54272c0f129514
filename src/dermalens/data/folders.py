"""A split laid out as class folders, `DIR/{train,val,test}/{class}`, which other programs read too.

The split itself lies beside them as `split.csv`, with the lesions and the hash, which folders cannot hold; what reads
a split or an index takes `DIR` for it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dermalens.core.errors import DataError, name_some
from dermalens.core.files import claimed, write_whole
from dermalens.data.check import Advance, nobody_watches
from dermalens.data.files import is_file, plain_name
from dermalens.data.index import FOLDERS_INDEX, PARTS, Row, index_file, note_file, write_index
from dermalens.data.parallel import in_threads
from dermalens.data.split import read_split


def lay_out_split(split: Path, folder: Path, *, copy: bool = False, advance: Advance = nobody_watches) -> list[Row]:
    """Make `folder` with the images of a split as links, or as copies, and the split beside them; returns its rows.

    The split keeps its hash. An interrupted run leaves nothing at `folder`; run it again.

    Raises:
        DataError: not a split, a leak, a missing image, two images of one name, something at `folder`, or a place that
            cannot be written to or has no links.
    """
    rows = read_split(split).rows
    note = note_file(index_file(split))
    with new_folder(folder) as place:
        laid = lay_out(rows, place, copy=copy, advance=advance)
        write_index(laid, place / FOLDERS_INDEX)
        if note.is_file():
            write_whole((place / FOLDERS_INDEX).with_suffix(".json"), note.read_bytes())
    return moved(laid, place, folder)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder beside `folder` that takes its name when all went well, and goes away otherwise.

    Raises:
        DataError: something is at `folder`, it is the current directory, or the disk does not take what is written.
    """
    folder = folder.resolve()
    if folder == Path.cwd():
        raise DataError(f"{folder} is where you are and cannot be replaced. Name a new folder: --out dataset")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} exists already; nothing in it is touched. Choose another folder with --out.")
    place = folder.with_name(f".{folder.name}.partial")
    try:
        place.mkdir(parents=True, exist_ok=True)
        with claimed(place) as is_ours:
            if not is_ours:
                raise DataError(f"{folder} is being made by another command. Wait for it or choose another --out.")
            yield from _filled(place, folder)
    except OSError as error:
        raise DataError(f"Cannot write to {folder}: {error.strerror}. Make room or choose another place.") from error


def _filled(place: Path, folder: Path) -> Iterator[Path]:
    """The empty place, which then becomes the folder; on an error it goes away."""
    try:
        for left in place.iterdir():  # by a killed run
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        yield place
        if folder.exists():
            folder.rmdir()
        place.rename(folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def lay_out(rows: Sequence[Row], place: Path, *, copy: bool, advance: Advance = nobody_watches) -> list[Row]:
    """Link or copy the images to `place/{part}/{label}/{image id}`; returns the rows with their new paths.

    Raises:
        DataError: a missing image, two images of one name, a label that no folder can have, or no links here.
    """
    missing = [row.image_id for row in rows if not is_file(Path(row.path))]
    if missing:
        raise DataError(f"{len(missing)} image(s) of the split are missing: {name_some(missing)}. Bring them back.")
    odd = sorted({row.label for row in rows if row.label != plain_name(row.label)})
    if odd:
        raise DataError(f"{name_some(odd)} cannot name a folder; needed are labels of letters, digits, _ and -.")
    laid = [replace(row, path=str(place / row.part / row.label / _file_name(row))) for row in rows]
    _refuse_same_name(laid)
    for parent in {Path(row.path).parent for row in laid}:
        parent.mkdir(parents=True, exist_ok=True)
    put = _copy if copy else _link
    pairs = [(Path(row.path), Path(new.path)) for row, new in zip(rows, laid, strict=True)]
    for _ in in_threads(lambda pair: put(*pair), pairs, advance):
        pass
    return laid


def moved(rows: Sequence[Row], place: Path, folder: Path) -> list[Row]:
    """The rows of images below `place` after that was renamed to `folder`."""
    return [replace(row, path=str(folder.resolve() / Path(row.path).relative_to(place))) for row in rows]


def _file_name(row: Row) -> str:
    return plain_name(row.image_id) + Path(row.path).suffix.lower()


def _refuse_same_name(rows: Sequence[Row]) -> None:
    ids_of: dict[str, list[str]] = {}
    for row in rows:
        ids_of.setdefault(row.path.lower(), []).append(row.image_id)
    again = [image_id for ids in ids_of.values() for image_id in ids[1:]]
    if again:
        raise DataError(
            f"{len(again)} image(s) would have the file name of another: {name_some(again)}. Names that differ in "
            "capitals only are one name on many disks; give each image an image_id of its own."
        )


def _copy(source: Path, target: Path) -> None:
    try:
        content = source.read_bytes()
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror}. Make it readable.") from error
    target.write_bytes(content)


def _link(source: Path, target: Path) -> None:
    """A relative link, so that folders and images may move together."""
    try:
        target.symlink_to(os.path.relpath(source.resolve(), target.parent))
    except (OSError, NotImplementedError, ValueError) as error:  # ValueError: another drive of Windows
        raise DataError(f"Links cannot be made in {target.parent}: {error}. Copy the images with --copy.") from error


def thin_classes(rows: Sequence[Row]) -> list[str]:
    """Classes with fewer than two lesions in a part that has images, such as `df in val (1 lesion: HAM_7)`."""
    lesions: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        lesions.setdefault((row.label, row.part), set()).add(row.lesion_id)
    parts = [part for part in PARTS if any(row.part == part for row in rows)]
    places = [(label, part, lesions.get((label, part), set())) for part in parts for label in _labels(rows)]
    return [
        f"{label} in {part} ({f'1 lesion: {next(iter(found))}' if found else 'none'})"
        for label, part, found in places
        if len(found) < 2
    ]


def _labels(rows: Sequence[Row]) -> list[str]:
    return sorted({row.label for row in rows})
