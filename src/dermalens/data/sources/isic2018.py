"""ISIC 2018 Task 3: folders of images and a ground-truth CSV with one column a diagnosis.

The official `..._LesionGroupings.csv` is used where it lies with them; without it every image counts as a
lesion of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from dermalens.core.errors import DataError
from dermalens.core.taxonomy import CLASSES
from dermalens.data.check import Listing
from dermalens.data.files import CSV_NAMES, by_stem, images_under, what_is_in
from dermalens.data.index import Row
from dermalens.data.tables import check_once, header_of, lesion_of, read_table

LOOKS_LIKE = (
    "ISIC2018_Task3_Training_Input beside ISIC2018_Task3_Training_GroundTruth.csv "
    "(columns image,MEL,NV,BCC,AKIEC,BKL,DF,VASC)"
)
PART_OF_WORD = {"training": "train", "validation": "val", "test": "test"}


def matches(path: Path) -> bool:
    """Whether a ground-truth CSV of Task 3 belongs to `path`."""
    return bool(_ground_truths(path))


def read(path: Path) -> Listing:
    """One row a line of the ground truth; with several ground truths, each gives its part (training, test ...).

    Raises:
        DataError: no ground truth of this form there, or one of its columns stands twice.
    """
    truths = _ground_truths(path)
    if not truths:
        raise DataError(f"{path} holds {what_is_in(path)}; needed is {LOOKS_LIKE}.")
    files = by_stem(image for place in _image_places(path) for image in images_under(place))
    lesions = _lesions(path)
    rows = []
    for truth in truths:
        part = _part(truth) if len(truths) > 1 else ""
        for record in _records(truth, ("image", *CLASSES)):
            image_id = record["image"]
            file = files.get(image_id, truth.parent / f"{image_id}.jpg")
            lesion_id = lesion_of(lesions.get(image_id, ""), image_id)
            rows.append(Row(image_id, str(file.absolute()), _label(record), lesion_id, source="ISIC2018", part=part))
    return Listing(tuple(rows))


def _ground_truths(path: Path) -> list[Path]:
    return [table for table in _tables(path) if set(header_of(table)) >= {"image", *CLASSES}]


def _tables(path: Path) -> Iterable[Path]:
    """The CSVs in `path`, one level below, and, for an input folder, in and beside its ground-truth folder."""
    if path.is_file():
        return [path]
    stem = re.sub("_input$", "", path.name, flags=re.IGNORECASE)
    patterns = (f"{stem}_{CSV_NAMES}", f"{stem}_*/{CSV_NAMES}") if stem != path.name else ()
    beside = [table for pattern in patterns for table in path.parent.glob(pattern)]
    return sorted({*path.glob(CSV_NAMES), *path.glob(f"*/{CSV_NAMES}"), *beside})


def _image_places(path: Path) -> list[Path]:
    if path.is_dir():
        return [path]
    stem = re.sub("_groundtruth$", "", path.stem, flags=re.IGNORECASE)
    inputs = (place / f"{stem}_Input" for place in (path.parent, path.parent.parent))
    return [place for place in inputs if place.is_dir()] or [path.parent]


def _lesions(path: Path) -> Mapping[str, str]:
    places = _tables(path) if path.is_dir() else path.parent.glob(CSV_NAMES)
    groupings = [table for table in places if {"image", "lesion_id"} <= set(header_of(table))]
    records = (record for table in groupings for record in _records(table, ("image", "lesion_id")))
    return {record["image"]: record["lesion_id"] for record in records}


def _records(path: Path, used: Collection[str]) -> Sequence[Mapping[str, str]]:
    table = read_table(path)
    check_once(table, used)
    return table.records


def _part(truth: Path) -> str:
    return next((part for word, part in PART_OF_WORD.items() if word in truth.stem.lower()), "")


def _label(record: Mapping[str, str]) -> str:
    """The one diagnosis with a 1; otherwise what stands there, which the check then refuses by name."""
    marked = [label for label in CLASSES if record[label] in ("1", "1.0")]
    return "+".join(marked) or "none marked"
