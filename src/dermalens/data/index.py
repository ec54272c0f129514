"""The index: one row an image, the only form in which images and labels travel through DermaLens.

A CSV with the columns of `Row`. `path` is relative to the folder of the CSV, so that an index moves
together with its images.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from dermalens.core.errors import DataError


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled image. `path` is absolute in memory; "" and None stand for not known."""

    image_id: str
    path: str
    label: str
    lesion_id: str
    age_years: float | None = None
    sex: str = ""
    site: str = ""
    source: str = ""
    part: str = ""
    fold: int | None = None


COLUMNS = tuple(field.name for field in fields(Row))


def write_index(rows: Iterable[Row], target: Path) -> None:
    """Write `rows` as CSV with paths relative to the folder of `target`; atomic (temporary name, rename)."""
    folder = target.resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".tmp")
    with temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            values = ["" if value is None else value for value in astuple(row)]
            values[1] = Path(os.path.relpath(row.path, folder)).as_posix()
            writer.writerow(values)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, target)


def read_index(source: Path) -> list[Row]:
    """Read an index or a split; raises DataError with the first bad line.

    Raises:
        DataError: the file is missing, is not an index, or has a bad number.
    """
    if not source.is_file():
        raise DataError(f"No index at {source}. Make one: dermalens data index FOLDER --out {source}")
    folder = source.resolve().parent
    with source.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.reader(stream)
        header = tuple(next(reader, ()))
        if header != COLUMNS:
            raise DataError(
                f"{source} is not an index: its header is {','.join(header) or 'empty'}; needed is "
                f"{','.join(COLUMNS)}. Make one: dermalens data index FOLDER --out index.csv"
            )
        return [_parse(values, folder, f"{source}:{number}") for number, values in enumerate(reader, start=2)]


def _parse(values: Sequence[str], folder: Path, where: str) -> Row:
    try:
        image_id, path, label, lesion_id, age, sex, site, origin, part, fold = values
        return Row(
            image_id=image_id,
            path=os.path.normpath(folder / path),
            label=label,
            lesion_id=lesion_id,
            age_years=float(age) if age else None,
            sex=sex,
            site=site,
            source=origin,
            part=part,
            fold=int(fold) if fold else None,
        )
    except ValueError as error:
        raise DataError(f"{where} is not a row of an index: {error}") from error
