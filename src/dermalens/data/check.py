"""Check the rows of a source before they become an index: every image opens, every label is known."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dermalens.core.errors import DataError, ImageError, name_some
from dermalens.core.files import printable
from dermalens.core.image import decode, read_file
from dermalens.core.taxonomy import LABELS
from dermalens.data.files import is_file
from dermalens.data.index import Row
from dermalens.data.tables import is_no_age

THREADS: Final = 2
"""Pillow decodes outside Python's lock, so that two threads keep two cores busy."""

AT_ONCE: Final = 4096
"""Files that wait for a thread at once: a million of them would take a gigabyte."""

CHECK_SIDE_PIXELS: Final = 16
"""A JPEG is decoded at down to an eighth of its size: every byte is read, which finds a cut-off file."""

KINDS: Final = (
    "missing image",
    "unreadable image",
    "unusable name",
    "unknown label",
    "unusable age",
    "repeated image id",
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One row that cannot be used, and why; `kind` is one of `KINDS`."""

    kind: str
    row: Row
    detail: str = ""

    def __str__(self) -> str:
        text = f"{self.row.image_id} ({self.detail})" if self.detail else self.row.image_id
        return printable(text)


@dataclass(frozen=True, slots=True)
class Listing:
    """The rows of a source, and what its table already says against some of them."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...] = ()
    """Each with a row of `rows`."""


Advance = Callable[[int], None]
"""Moves a progress bar on by so many steps."""


def nobody_watches(steps: int) -> None:
    """An `Advance` without a bar."""


def find_problems(listing: Listing, *, advance: Advance = nobody_watches) -> list[Problem]:
    """Every problem of the rows, by kind; `advance` goes through as many steps. Every file is decoded, once."""
    rows = listing.rows
    labels = [Problem("unknown label", row, row.label or "empty") for row in rows if row.label not in LABELS]
    undecoded = [row for row in rows if printable(row.path) != row.path]
    names = [Problem("unusable name", row, "name is not UTF-8; rename it") for row in undecoded]
    problems = [*listing.problems, *names, *labels, *_repeated(rows)]
    rows_of: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        rows_of[row.path].append(row)
    found: dict[str, tuple[str, str]] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        files = list(rows_of)
        for start in range(0, len(files), AT_ONCE):
            some = files[start : start + AT_ONCE]
            for file, problem in zip(some, pool.map(_opened, some), strict=True):
                advance(len(rows_of[file]))
                if problem:
                    found[file] = problem
    problems += [Problem(found[row.path][0], row, found[row.path][1]) for row in rows if row.path in found]
    return sorted(problems, key=lambda problem: KINDS.index(problem.kind))


def check_ages(rows: Sequence[Row], ages: Sequence[str]) -> Listing:
    """The rows of a table, with a problem for each whose age, as the table writes it, is none."""
    pairs = zip(rows, ages, strict=True)
    return Listing(tuple(rows), tuple(Problem("unusable age", row, age) for row, age in pairs if is_no_age(age)))


def _opened(file: str) -> tuple[str, str] | None:
    """Kind and detail of what is wrong with a file."""
    path = Path(file)
    if not is_file(path):
        return "missing image", ""
    try:
        decode(read_file(path), wanted_side_pixels=CHECK_SIDE_PIXELS)
    except ImageError as error:
        return "unreadable image", str(error).partition(";")[0]
    return None


def _repeated(rows: Sequence[Row]) -> Iterable[Problem]:
    """Later rows of an id; all of its rows where the labels contradict each other."""
    counts = Counter(row.image_id for row in rows)
    rows_of: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if counts[row.image_id] > 1:
            rows_of[row.image_id].append(row)
    for again in rows_of.values():
        labels = sorted({row.label for row in again})
        bad = again if len(labels) > 1 else again[1:]
        yield from (Problem("repeated image id", row, " and ".join(labels)) for row in bad)


def describe(problems: Sequence[Problem]) -> str:
    """One line: each kind with its count and up to five by name."""
    by_kind: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        by_kind[problem.kind].append(problem)
    return "; ".join(
        f"{len(found)} {kind}{'s' if len(found) > 1 else ''}: {name_some(found)}" for kind, found in by_kind.items()
    )


def refuse(problems: Sequence[Problem]) -> None:
    """Stop when there are problems.

    Raises:
        DataError: the kinds, their counts and up to five images of each.
    """
    if problems:
        kinds = {problem.kind for problem in problems}
        hint = f" Labels are {' '.join(LABELS)}." if "unknown label" in kinds else ""
        hint += " An age is a number of years, or nothing when not known." if "unusable age" in kinds else ""
        raise DataError(f"{describe(problems)}.{hint} Mend them, or leave them out with --skip-bad.")


def leave_out(rows: Sequence[Row], problems: Sequence[Problem]) -> list[Row]:
    """The rows without a problem.

    Raises:
        DataError: none is left.
    """
    bad = {id(problem.row) for problem in problems}
    kept = [row for row in rows if id(row) not in bad]
    if not kept:
        raise DataError(f"No usable image is left: {describe(problems)}.")
    return kept
