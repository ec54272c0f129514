"""HAM10000 as Kaggle and Dataverse give it: `HAM10000_metadata.csv` and folders of images beside it.

P. Tschandl, C. Rosendahl, H. Kittler, Scientific Data 5, 180161 (2018). The column `dx_type` tells how the
diagnosis was made, which leaks the answer: it is never taken in.
"""

from __future__ import annotations

from pathlib import Path

from dermalens.core.errors import DataError
from dermalens.data.check import Listing, check_ages
from dermalens.data.files import images_beside, what_is_in
from dermalens.data.index import Row
from dermalens.data.tables import age_years, check_once, known, lesion_of, read_table

LOOKS_LIKE = "HAM10000_metadata.csv beside HAM10000_images_part_1 and _part_2, or beside one folder images"
COLUMNS = ("lesion_id", "image_id", "dx", "age", "sex", "localization")
METADATA_NAMES = ("ham10000_metadata.csv", "ham10000_metadata")


def matches(path: Path) -> bool:
    """Whether `path` is the metadata file or a folder that holds it."""
    return _metadata(path) is not None


def _metadata(path: Path) -> Path | None:
    candidates = sorted(path.iterdir()) if path.is_dir() else [path]
    return next((found for found in candidates if found.is_file() and found.name.lower() in METADATA_NAMES), None)


def read(path: Path) -> Listing:
    """One row a line of the metadata.

    Raises:
        DataError: no metadata there, or a column is missing or stands twice.
    """
    metadata = _metadata(path)
    if metadata is None:
        raise DataError(f"{path} holds {what_is_in(path)}; needed is {LOOKS_LIKE}.")
    table = read_table(metadata)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise DataError(f"{metadata} has no column {', '.join(missing)}; needed are {', '.join(COLUMNS)}.")
    check_once(table, COLUMNS)
    folder = metadata.parent
    files = images_beside(folder)
    rows = [
        Row(
            image_id=record["image_id"],
            path=str(files.get(record["image_id"], folder / f"{record['image_id']}.jpg").absolute()),
            label=record["dx"].lower(),
            lesion_id=lesion_of(record["lesion_id"], record["image_id"]),
            age_years=age_years(record["age"]),
            sex=known(record["sex"]),
            site=known(record["localization"]),
            source="HAM10000",
        )
        for record in table.records
    ]
    return check_ages(rows, [record["age"] for record in table.records])
