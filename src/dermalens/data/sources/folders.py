"""Class folders: `train/val/test` x class, or class folders alone. The folder's name is the label.

Where `split.csv` lies beside them, as `dermalens data folders` writes it, it gives the rows, with the lesions.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dermalens.core.errors import DataError, name_some
from dermalens.core.taxonomy import LABELS
from dermalens.data.check import Listing
from dermalens.data.files import check_links, image_ids, images_in, images_under, subfolders, what_is_in
from dermalens.data.index import COLUMNS, FOLDERS_INDEX, Row, read_index
from dermalens.data.tables import header_of

LOOKS_LIKE = "folders named by class (akiec, bcc ..., or benign, malignant), alone or inside train, val and test"
PART_OF_FOLDER = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def matches(path: Path) -> bool:
    """Whether `path` holds a class folder, or a part folder that holds one."""
    places = [path, *_part_folders(path)] if path.is_dir() else []
    return any(folder.name.lower() in LABELS for place in places for folder in subfolders(place))


def _part_folders(path: Path) -> list[Path]:
    return [folder for folder in subfolders(path) if folder.name.lower() in PART_OF_FOLDER]


def read(path: Path) -> Listing:
    """One row an image; without a `split.csv` nothing is known of lesions, so each image counts as its own.

    Raises:
        DataError: neither form, both at once, a folder that cannot be read or is there twice, or folders that do not
            hold what their `split.csv` says.
    """
    parts = _part_folders(path) if path.is_dir() else []
    alone = [folder.name for folder in subfolders(path) if folder.name.lower() in LABELS] if path.is_dir() else []
    if bool(parts) == bool(alone):
        found = f"both {parts[0].name} and {alone[0]}" if parts else what_is_in(path)
        raise DataError(f"{path} holds {found}; needed is {LOOKS_LIKE}.")
    places = [(PART_OF_FOLDER[folder.name.lower()], folder) for folder in parts] or [("", path)]
    for place in dict.fromkeys([path, *(place for _, place in places)]):
        check_links(place, [found.name for found in place.iterdir()])
    _refuse_loose(path, [image.name for _, place in places for image in images_in(place)])
    found_files = [
        (part, folder.name.lower(), image)
        for part, place in places
        for folder in subfolders(place)
        for image in images_under(folder)
    ]
    _refuse_twice(path, dict.fromkeys(image.parent for _, _, image in found_files))
    table = path / FOLDERS_INDEX
    if header_of(table) == COLUMNS:
        return Listing(_rows_of(table, {str(image.absolute()): (part, label) for part, label, image in found_files}))
    ids = image_ids([image.relative_to(path) for _, _, image in found_files])
    return Listing(
        tuple(
            Row(image_id, str(image.absolute()), label, image_id, source=path.absolute().name, part=part)
            for image_id, (part, label, image) in zip(ids, found_files, strict=True)
        )
    )


def _rows_of(table: Path, places: Mapping[str, tuple[str, str]]) -> tuple[Row, ...]:
    """The rows of the split beside the folders; `places` has part and class of each image file by its path."""
    folder = table.parent
    rows = [
        replace(row, path=str(folder.absolute() / os.path.relpath(row.path, folder.resolve())))
        for row in read_index(table)
    ]
    unknown = sorted(set(places) - {row.path for row in rows})
    elsewhere = [row.image_id for row in rows if places.get(row.path, (row.part, row.label)) != (row.part, row.label)]
    if unknown or elsewhere:
        found = [Path(path).relative_to(folder.absolute()).as_posix() for path in unknown] or elsewhere
        raise DataError(
            f"{folder}: {len(found)} image(s) lie where {table.name} has none or another class: {name_some(found)}. "
            f"Move them back, or delete {table.name} to read the folders alone, without lesions."
        )
    return tuple(rows)


def _refuse_twice(path: Path, folders: Iterable[Path]) -> None:
    """Refuse a folder that is read under two names: one image would stand in two classes, or in train and test."""
    first: dict[Path, Path] = {}
    pairs = [(folder, first.setdefault(folder.resolve(), folder)) for folder in folders]
    twice = [f"{one.relative_to(path)} is {other.relative_to(path)}" for one, other in pairs if one != other]
    if twice:
        raise DataError(
            f"{path}: {len(twice)} folder(s) would be read twice, through links: {name_some(twice)}. Remove the links."
        )


def _refuse_loose(path: Path, loose: Sequence[str]) -> None:
    if loose:
        raise DataError(
            f"{path}: {len(loose)} image(s) lie outside the class folders: {name_some(loose)}. "
            "Move each into the folder of its class."
        )
