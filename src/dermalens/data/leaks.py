"""Lesions that stand on two sides of a split, with what is known of HAM10000 beyond its lesion ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dermalens.core.errors import DataError, name_some
from dermalens.data.index import PARTS, Row

# Two lesion ids, one lesion: ISIC numbers from Abhishek et al., Scientific Data 12:196 (2025).
SAME_LESION_PAIRS = tuple(
    tuple(f"ISIC_{number}" for number in pair.split("-"))
    for pair in (
        "0033481-0033421 0033556-0032634 0029152-0033173 0029036-0027027 0027820-0028209 0027689-0032647 "
        "0030906-0024879 0033391-0034186 0025226-0030074 0026087-0025664 0024736-0029748 0024770-0027811 "
        "0027162-0029061 0024602-0032283 0029625-0024629 0030000-0031392 0024437-0031299 0033374-0033417"
    ).split()
)


def merge_known_pairs(rows: Sequence[Row]) -> list[Row]:
    """Give the images of `SAME_LESION_PAIRS` one lesion id, the alphabetically first."""
    lesion_of = {row.image_id: row.lesion_id for row in rows}
    renamed: dict[str, str] = {}
    for first, second in SAME_LESION_PAIRS:
        if first in lesion_of and second in lesion_of:
            ids = sorted(_final_name(lesion_of[image_id], renamed) for image_id in (first, second))
            if ids[0] != ids[1]:
                renamed[ids[1]] = ids[0]
    return [replace(row, lesion_id=_final_name(row.lesion_id, renamed)) for row in rows] if renamed else list(rows)


def _final_name(lesion_id: str, renamed: Mapping[str, str]) -> str:
    while lesion_id in renamed:
        lesion_id = renamed[lesion_id]
    return lesion_id


def leaking_lesions(rows: Iterable[Row]) -> dict[str, set[str]]:
    """Lesions in more than one part or more than one fold, in order of id, with those parts and folds (`fold 3`).

    Known pairs are merged first, whoever made the split.
    """
    leaks: dict[str, set[str]] = {}
    parts: dict[str, str] = {}
    folds: dict[str, int] = {}
    for row in merge_known_pairs(rows if isinstance(rows, Sequence) else list(rows)):
        if row.part and (first := parts.setdefault(row.lesion_id, row.part)) != row.part:
            leaks.setdefault(row.lesion_id, set()).update((first, row.part))
        if row.fold is not None and (other := folds.setdefault(row.lesion_id, row.fold)) != row.fold:
            leaks.setdefault(row.lesion_id, set()).update((f"fold {other}", f"fold {row.fold}"))
    return dict(sorted(leaks.items()))


def check_apart(extra: Sequence[Row], known: Sequence[Row]) -> None:
    """Refuse extra images that a split has already, or that show a lesion of its val or test part.

    Raises:
        DataError: names up to five images or lesions.
    """
    check_not_in(known, extra)
    learned = (replace(row, part="train", fold=None) for row in extra)
    check_no_leak([*learned, *(replace(row, fold=None) for row in known)])


def check_not_in(known: Sequence[Row], extra: Sequence[Row]) -> None:
    """Refuse extra images that a split has already.

    Raises:
        DataError: names up to five.
    """
    taken = {row.image_id for row in known}
    doubled = [row.image_id for row in extra if row.image_id in taken]
    if doubled:
        raise DataError(f"{len(doubled)} extra image(s) are already in the split: {name_some(doubled)}. Remove them.")


def check_no_leak(rows: Iterable[Row]) -> None:
    """Refuse rows in which a lesion stands on two sides.

    Raises:
        DataError: names up to five lesions and the parts or folds.
    """
    leaks = leaking_lesions(rows)
    if leaks:
        sides = sorted({side for found in leaks.values() for side in found}, key=_order)
        between = f"both {' and '.join(sides)}" if len(sides) == 2 else f"more than one of {name_some(sides)}"
        count = f"{len(leaks)} lesion is" if len(leaks) == 1 else f"{len(leaks)} lesions are"
        raise DataError(f"{count} in {between}: {name_some(leaks)}. Split by lesion_id.")


def _order(side: str) -> tuple[int, str]:
    return (PARTS.index(side) if side in PARTS else len(PARTS), side)
