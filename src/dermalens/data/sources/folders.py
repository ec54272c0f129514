"""Class folders: `train/val/test` x class, or class folders alone. The folder's name is the label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dermalens.core.errors import DataError, name_some
from dermalens.core.taxonomy import CLASSES
from dermalens.data.check import Listing
from dermalens.data.files import image_ids, images_in, images_under, subfolders, what_is_in
from dermalens.data.index import Row

LOOKS_LIKE = "folders named by class (akiec, bcc ...), alone or inside train, val and test"
PART_OF_FOLDER = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def matches(path: Path) -> bool:
    """Whether `path` holds a class folder, or a part folder that holds one."""
    places = [path, *_part_folders(path)] if path.is_dir() else []
    return any(folder.name.lower() in CLASSES for place in places for folder in subfolders(place))


def _part_folders(path: Path) -> list[Path]:
    return [folder for folder in subfolders(path) if folder.name.lower() in PART_OF_FOLDER]


def read(path: Path) -> Listing:
    """One row an image; nothing is known of lesions, so each image counts as its own.

    Raises:
        DataError: neither form, or both at once.
    """
    parts = _part_folders(path) if path.is_dir() else []
    alone = [folder.name for folder in subfolders(path) if folder.name.lower() in CLASSES] if path.is_dir() else []
    if bool(parts) == bool(alone):
        found = f"both {parts[0].name} and {alone[0]}" if parts else what_is_in(path)
        raise DataError(f"{path} holds {found}; needed is {LOOKS_LIKE}.")
    places = [(PART_OF_FOLDER[folder.name.lower()], folder) for folder in parts] or [("", path)]
    _refuse_loose(path, [image.name for _, place in places for image in images_in(place)])
    found_files = [
        (part, folder.name.lower(), image)
        for part, place in places
        for folder in subfolders(place)
        for image in images_under(folder)
    ]
    ids = image_ids([image.relative_to(path) for _, _, image in found_files])
    return Listing(
        tuple(
            Row(image_id, str(image.absolute()), label, image_id, source=path.absolute().name, part=part)
            for image_id, (part, label, image) in zip(ids, found_files, strict=True)
        )
    )


def _refuse_loose(path: Path, loose: Sequence[str]) -> None:
    if loose:
        raise DataError(
            f"{path}: {len(loose)} image(s) lie outside the class folders: {name_some(loose)}. "
            "Move each into the folder of its class."
        )
