"""CSV tables as hospitals and data sets write them: UTF-8, any of three separators, words for "not known"."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dermalens.core.errors import DataError, name_some

SEPARATORS = (",", ";", "\t")
NOT_KNOWN = frozenset({"", "unknown", "nan", "na", "n/a", "none", "null", "-"})


MOST_WORDS = 4096
"""Different cells that are kept once; ids and paths are more than that, and gain nothing."""


_QUOTED: Final = re.compile('"[^"]*"')
"""A name in which a separator is none."""


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV in memory: column names in lower case, one mapping a line, and where it came from."""

    path: Path
    columns: tuple[str, ...]
    records: tuple[Mapping[str, str], ...]


def header_of(path: Path) -> tuple[str, ...]:
    """The column names of a CSV in lower case, without judging the rest; () when there are none."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            return _names(stream.readline(10_000))
    except OSError:
        return ()


def _names(line: str) -> tuple[str, ...]:
    cells = next(csv.reader([line.strip("\r\n")], delimiter=_separator(line)), [])
    return tuple(name.strip().lower() for name in cells)


def _separator(line: str) -> str:
    unquoted = _QUOTED.sub("", line)
    return max(SEPARATORS, key=unquoted.count)


def read_table(path: Path) -> Table:
    """Read a CSV whose first line names the columns.

    Raises:
        DataError: the file cannot be read, is not UTF-8, is not a CSV, or a line has more cells than the header.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}). Save it as CSV in UTF-8.") from error
    lines = text.splitlines()
    if not lines:
        raise DataError(f"{path} is empty; needed is a CSV whose first line names the columns.")
    columns = _names(lines[0])
    try:
        cells = csv.reader(itertools.islice(lines, 1, None), delimiter=_separator(lines[0]), strict=True)
        return Table(path, columns, tuple(_records(path, columns, cells)))
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV: {error}.") from error


def _records(path: Path, columns: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[Mapping[str, str]]:
    words: dict[str, str] = {}  # those that many lines share are kept once
    for number, cells in enumerate(lines, start=2):
        if len(cells) > len(columns):
            raise DataError(f"{path}:{number} has {len(cells)} cells; its header names {len(columns)} columns.")
        if any(cell.strip() for cell in cells):
            padded = [*cells, *[""] * (len(columns) - len(cells))]
            texts = [cell.strip() for cell in padded]
            yield {name: _once(text, words) for name, text in zip(columns, texts, strict=True)}


def check_once(table: Table, used: Collection[str]) -> None:
    """Refuse a table in which a column that is `used` stands twice: the two may say different things.

    Raises:
        DataError: names the columns.
    """
    twice = [name for name, count in Counter(table.columns).items() if count > 1 and name in used]
    if twice:
        raise DataError(
            f"{table.path} has more than one column of the name (in any casing) {name_some(twice)}. "
            "Keep the one that is meant, or rename the other."
        )


def _once(text: str, words: dict[str, str]) -> str:
    known_before = words.get(text)
    if known_before is None and len(words) < MOST_WORDS:
        words[text] = text
    return text if known_before is None else known_before


def lesion_of(lesion_id: str, image_id: str) -> str:
    """The id of an image's lesion; one that is not known is a lesion of its own.

    >>> lesion_of("HAM_1", "ISIC_1"), lesion_of("NA", "ISIC_1")
    ('HAM_1', 'ISIC_1')
    """
    return lesion_id if known(lesion_id) else image_id


def known(text: str) -> str:
    """The text in lower case, or "" where it is one of the words for "not known".

    >>> known("Unknown"), known("Lower Extremity")
    ('', 'lower extremity')
    """
    word = text.strip().lower()
    return "" if word in NOT_KNOWN else word


def age_years(text: str) -> float | None:
    """An age in years, 0 to 130; None where it is not known, or no age (`is_no_age`); `85+` counts as 85.

    >>> age_years("85+"), age_years("unknown"), age_years("45y")
    (85.0, None, None)
    """
    try:
        age = float(known(text).removesuffix("+"))
    except ValueError:
        return None
    return age if 0 <= age <= 130 else None


def is_no_age(text: str) -> bool:
    """Whether something stands there that is neither an age in years nor a word for "not known"."""
    return bool(known(text)) and age_years(text) is None
