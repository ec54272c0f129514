"""A plain CSV: a column that finds the image, one with the label, and what else is known.

Column names are read in any casing; of several names for one thing the first in `SYNONYMS` counts.
"""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from dermalens.core.errors import DataError, name_some
from dermalens.core.files import is_image
from dermalens.data.check import Listing, check_ages
from dermalens.data.files import CSV_NAMES, image_ids, images_beside, is_file, what_is_in
from dermalens.data.index import Row
from dermalens.data.tables import age_years, check_once, header_of, known, lesion_of, read_table

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "image": ("path", "filename", "image", "image_id"),
    "id": ("image_id",),
    "label": ("label", "dx", "diagnosis"),
    "lesion": ("lesion_id", "lesion"),
    "age": ("age_years", "age", "age_approx"),
    "sex": ("sex",),
    "site": ("site", "localization", "anatom_site_general"),
}
LOOKS_LIKE = "a CSV with a column path (or filename, image, image_id) and a column label (or dx, diagnosis)"
USUAL_NAME = "metadata.csv"


def matches(path: Path) -> bool:
    """Whether `path` is a file, or a folder with a CSV that has the two columns."""
    return path.is_file() or bool(_tables(path))


def _tables(folder: Path) -> list[Path]:
    found = sorted(file for file in folder.glob(CSV_NAMES) if _fits(header_of(file)))
    return [file for file in found if file.name.lower() == USUAL_NAME] or found


def _fits(columns: tuple[str, ...]) -> bool:
    return all(_column(columns, role) for role in ("image", "label"))


def _column(columns: tuple[str, ...], role: str) -> str | None:
    return next((name for name in SYNONYMS[role] if name in columns), None)


def read(path: Path) -> Listing:
    """One row a line; a path is taken from the folder of the CSV, an image id from the folder or its `images*`.

    Raises:
        DataError: no such table, several, or a needed column is missing or stands twice.
    """
    table = read_table(_the_table(path))
    if not _fits(table.columns):
        raise DataError(f"{table.path} has the columns {name_some(table.columns)}; needed is {LOOKS_LIKE}.")
    column = {role: name for role in SYNONYMS if (name := _column(table.columns, role)) is not None}
    check_once(table, column.values())
    folder = table.path.parent.absolute()
    files = images_beside(folder)
    have_ids = "id" in column and all(record[column["id"]] for record in table.records)
    images = (_from(folder, Path(record[column["image"]])) for record in table.records)
    names = itertools.repeat("") if have_ids else image_ids(list(images))
    find = functools.lru_cache(4096)(functools.partial(_file, folder=folder, files=files))
    rows = [
        _row({role: record[key] for role, key in column.items()}, name, folder, find)
        for record, name in zip(table.records, names, strict=False)
    ]
    return check_ages(rows, [record[column["age"]] if "age" in column else "" for record in table.records])


def _from(folder: Path, path: Path) -> Path:
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def _the_table(path: Path) -> Path:
    tables = [path] if path.is_file() else _tables(path)
    if not tables:
        raise DataError(f"{path} holds {what_is_in(path)}; needed is {LOOKS_LIKE}.")
    if len(tables) > 1:
        names = name_some(table.name for table in tables)
        raise DataError(f"{path} holds {len(tables)} tables: {names}. Give the one that is meant.")
    return tables[0]


def _row(cell: Mapping[str, str], name: str, folder: Path, find: Callable[[str], str]) -> Row:
    """The row of a line, of whose columns there may be fewer; `name` is the image id where it has none of its own."""
    image_id = _without_suffix(cell.get("id", "")) or name
    return Row(
        image_id=image_id,
        path=find(cell["image"]),
        label=sys.intern(cell["label"].lower()),
        lesion_id=lesion_of(cell.get("lesion", ""), image_id),
        age_years=age_years(cell.get("age", "")),
        sex=sys.intern(known(cell.get("sex", ""))),
        site=sys.intern(known(cell.get("site", ""))),
        source=folder.name,
    )


def _without_suffix(image_id: str) -> str:
    """An id that is written as a file name; with its suffix no known pair would be found."""
    return image_id.rpartition(".")[0] if is_image(image_id) else image_id


def _file(given: str, folder: Path, files: Mapping[str, Path]) -> str:
    """`given` as a path, else as a file name or an image id among `files`; a path that is not there otherwise."""
    exact = folder / given
    if not given or is_file(exact):
        return str(exact)
    found = files.get(given) or files.get(Path(given).stem)
    return str(found if found and found.name.startswith(given) else exact)
