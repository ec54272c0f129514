"""The index: one row an image, the only form in which images and labels travel through DermaLens.

A CSV with the columns of `Row`. `path` is relative to the folder of the CSV, so that an index moves
together with its images.
"""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from dermalens.core.errors import DataError
from dermalens.core.files import write_whole
from dermalens.data.tables import age_years, is_no_age

PARTS = ("train", "val", "test")

FOLDERS_INDEX = "split.csv"
"""The split that lies beside class folders laid out by DermaLens: it knows the lesions, which folders do not."""

MADE_TABLE = "made.csv"
"""Beside a balanced split: of each made image its source and what was done to it."""

_MADE = re.compile(r"_made\d+$")


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled image. `path` is absolute in memory; "" and None stand for not known.

    An image whose lesion is not known counts as a lesion of its own: its `lesion_id` is its `image_id`.
    """

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


def made_id(image_id: str, turn: int) -> str:
    """The id of the image that `dermalens data balance` makes of `image_id`, such as `ISIC_1_made2`."""
    return f"{image_id}_made{turn}"


def made_images(rows: Iterable[Row]) -> list[str]:
    """The ids of made images: they may train a model and never judge one. The id survives copies and folders."""
    return [row.image_id for row in rows if _MADE.search(row.image_id)]


COLUMNS = tuple(field.name for field in fields(Row))


def write_index(rows: Iterable[Row], target: Path) -> None:
    """Write `rows` as CSV with paths relative to the folder of `target`, whole or not at all.

    Where `target` is a link to an index, that one is replaced, and the link stays.

    Raises:
        DataError: as `check_target`, or the folder cannot be made or written to.
    """
    check_target(target)
    file = target.resolve()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, _as_csv(rows, file.parent, named=target.absolute().parent))
    except OSError as error:
        raise cannot_write(target, error) from error


def check_target(target: Path) -> None:
    """An index may take the place of an index, never that of somebody's own table.

    Raises:
        DataError: a name that does not end in .csv, or is that of another table; said before a long work as well.
    """
    if target.suffix.lower() != ".csv":  # `split.json` would be overwritten by the note of the split
        raise DataError(f"{target} given; an index or a split is written as CSV. Give --out a name that ends in .csv.")
    try:
        with target.open("rb") as stream:
            first = stream.readline(1000)
    except OSError:  # most often there is none
        return
    if first.strip() and first.decode("utf-8-sig", "replace").strip() != ",".join(COLUMNS):
        raise DataError(f"{target} is there and is no index. Choose another name with --out.")


def cannot_write(target: Path, error: OSError) -> DataError:
    """The error to raise for a file of the index or the split that the disk did not take."""
    return DataError(f"Cannot write {target}: {error.strerror}. Choose another place with --out.")


def _as_csv(rows: Iterable[Row], folder: Path, *, named: Path) -> memoryview:
    """`named` is `folder` as it was given, which may lead through links."""
    content = io.BytesIO()
    text = io.TextIOWrapper(content, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    cells = attrgetter(*COLUMNS)
    places: dict[str, str] = {}
    named = named if named.resolve() == folder else folder
    for row in rows:
        image_id, path, *rest = cells(row)
        writer.writerow((image_id, _relative(path, folder, named, places), *rest))  # None is an empty cell
    text.flush()
    text.detach()
    return content.getbuffer()


def _relative(path: str, folder: Path, named: Path, places: dict[str, str]) -> str:
    """The path seen from `folder`, with forward slashes; `places` remembers folders, which many images share."""
    place, name = os.path.split(path)
    if name in ("", ".", ".."):
        return Path(os.path.relpath(path, folder)).as_posix()
    if place not in places:
        seen = _seen_from(Path(place).absolute(), folder, named)
        places[place] = "" if seen == "." else f"{seen}/"
    return places[place] + name


def _seen_from(place: Path, folder: Path, named: Path) -> str:
    """A folder of images seen from `folder`; what lies in it is found there, however either is named through links."""
    for inner, outer in ((place, named), (place.resolve(), folder)):
        if inner.is_relative_to(outer) and ".." not in inner.relative_to(outer).parts:
            return inner.relative_to(outer).as_posix()
    try:
        return Path(os.path.relpath(place, folder)).as_posix()
    except ValueError:  # on another drive of Windows
        return place.as_posix()


def index_file(source: Path) -> Path:
    """Where the rows are: `source`, or the split in it where `source` is a folder of `dermalens data folders`."""
    return source / FOLDERS_INDEX if (source / FOLDERS_INDEX).is_file() else source


def note_file(source: Path) -> Path:
    """Where the note of a split is: beside the file itself, or beside the link `source` where only that has one."""
    own, beside = (file.with_suffix(".json") for file in (source.resolve(), source))
    return own if own.is_file() or not beside.is_file() else beside


def read_index(source: Path) -> list[Row]:
    """Read an index or a split, or that of a folder of `dermalens data folders`; a line that is not a row is named.

    Raises:
        DataError: the file is missing or cannot be read, is not an index, or a line has another number of
            cells, a bad number or another part than `PARTS`.
    """
    source = index_file(source)
    if not source.is_file():
        folder, found = (source, f"{source} is a folder without {FOLDERS_INDEX}") if source.is_dir() else ("FOLDER", "")
        looked = "" if source.is_absolute() else f" in {Path.cwd()}"
        raise DataError(
            f"{found or f'No index at {source}{looked}'}. Make one: dermalens data index {folder} --out index.csv, "
            f"then a split of it: dermalens data split index.csv --out {FOLDERS_INDEX}"
        )
    try:
        with source.open(newline="", encoding="utf-8-sig") as stream:
            return _read(csv.reader(stream), source)
    except OSError as error:
        raise DataError(f"Cannot read {source}: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{source} is not an index: {error}. Make one: dermalens data index FOLDER --out index.csv"
        ) from error


def _read(lines: Iterator[list[str]], source: Path) -> list[Row]:
    header = next(lines, [])
    if tuple(header) != COLUMNS:
        raise DataError(
            f"{source} is not an index: its header is {','.join(header[:12])[:200] or 'empty'}; needed is "
            f"{','.join(COLUMNS)}. Make one: dermalens data index FOLDER --out index.csv"
        )
    folder, known = source.resolve().parent, _Known({}, {}, {})
    return [_parse(values, folder, known, f"{source}:{number}") for number, values in enumerate(lines, start=2)]


class _Known(NamedTuple):
    """Values that many rows share and that are kept once, or a million rows would take twice the memory."""

    words: dict[str, str]
    ages: dict[str, float | None]
    places: dict[str, str]


def _parse(values: Sequence[str], folder: Path, known: _Known, where: str) -> Row:
    try:
        image_id, path, label, lesion_id, age, sex, site, origin, part, fold = values
        return Row(
            image_id=image_id,
            path=_absolute(path, folder, known.places),
            label=known.words.setdefault(label, label),
            lesion_id=known.words.setdefault(lesion_id or image_id, lesion_id or image_id),
            age_years=_age(age, known.ages),
            sex=known.words.setdefault(sex, sex),
            site=known.words.setdefault(site, site),
            source=known.words.setdefault(origin, origin),
            part=_part(part),
            fold=int(fold) if fold else None,
        )
    except ValueError as error:
        raise DataError(f"{where} is not a row of an index: {error}") from error


def _part(text: str) -> str:
    if text and text not in PARTS:
        raise ValueError(f"its part is {text!r}; needed is {', '.join(PARTS)} or nothing")
    return sys.intern(text)


def _age(text: str, ages: dict[str, float | None]) -> float | None:
    """By the rule of the sources: a word for "not known", such as the `nan` of pandas, is None, and `inf` no age."""
    if text not in ages:
        if is_no_age(text):
            raise ValueError(f"could not read {text!r} as an age in years, 0 to 130")
        ages[text] = age_years(text)
    return ages[text]


def _absolute(path: str, folder: Path, places: dict[str, str]) -> str:
    place, name = os.path.split(path)
    if name in ("", ".", ".."):
        return os.path.normpath(folder / path)
    if place not in places:
        places[place] = os.path.join(os.path.normpath(folder / place), "")  # noqa: PTH118  # with the last separator
    return places[place] + name
