"""Audit an index or a split: what is in it, and what in it would make a result look better than it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dermalens.core.errors import DataError
from dermalens.core.taxonomy import CLASSES
from dermalens.data.check import Advance, nobody_watches
from dermalens.data.duplicates import Pair, exact_pairs, near_pairs
from dermalens.data.fingerprint import Fingerprint, Unreadable, take_fingerprints
from dermalens.data.index import PARTS, Row
from dermalens.data.leaks import leaking_lesions

Counts = Mapping[str, Mapping[str, int]]
"""Value (such as `mel`) to part (such as `train`; "" when not split) to number."""

NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Audit:
    """What `audit_rows` found; pairs are of images with different lesion ids."""

    images: int
    lesions: int
    parts: tuple[str, ...]
    """Those that occur; `("",)` for an index that is not split."""
    by_property: Mapping[str, Counts]
    """diagnosis, lesions (per diagnosis), sex, age, site, source."""
    sizes: Mapping[str, int]
    """`600 x 450` (width x height, upright) to images, commonest first."""
    leaking_lesions: tuple[str, ...]
    """Lesions that stand in more than one part or fold, known pairs merged."""
    exact: tuple[Pair, ...]
    near: tuple[Pair, ...]
    unreadable: tuple[Unreadable, ...]

    @property
    def leaks(self) -> int:
        """Lesions and pairs that stand on two sides of the split."""
        return len(self.leaking_lesions) + sum(pair.across_parts for pair in (*self.exact, *self.near))

    def as_json(self) -> dict[str, object]:
        """The whole audit for machines; the keys are the fields."""
        return {
            "images": self.images,
            "lesions": self.lesions,
            "parts": list(self.parts),
            "counts": self.by_property,
            "sizes": self.sizes,
            "leaks": self.leaks,
            "leaking_lesions": list(self.leaking_lesions),
            "exact_duplicates": [_pair_as_json(pair) for pair in self.exact],
            "near_duplicates": [_pair_as_json(pair) for pair in self.near],
            "unreadable": [{"image_id": found.row.image_id, "reason": found.reason} for found in self.unreadable],
        }


def _pair_as_json(pair: Pair) -> dict[str, object]:
    return {
        "images": [pair.first.image_id, pair.second.image_id],
        "lesions": [pair.first.lesion_id, pair.second.lesion_id],
        "labels": [pair.first.label, pair.second.label],
        "parts": [pair.first.part, pair.second.part],
        "across_parts": pair.across_parts,
        "correlation": round(pair.correlation, 3),
        "turned": pair.turned,
    }


def audit_rows(rows: Sequence[Row], *, advance: Advance = nobody_watches) -> Audit:
    """Open every image once, then compare all with all; `advance` goes through two steps an image.

    Raises:
        DataError: there are no rows.
    """
    if not rows:
        raise DataError("The index has no images to audit.")
    fingerprints, unreadable = take_fingerprints(rows, advance=advance)
    return Audit(
        images=len(rows),
        lesions=len({row.lesion_id for row in rows}),
        parts=tuple(part for part in (*PARTS, "") if any(row.part == part for row in rows)),
        by_property=_by_property(rows),
        sizes=_sizes(fingerprints),
        leaking_lesions=tuple(leaking_lesions(rows)),
        exact=tuple(exact_pairs(fingerprints)),
        near=tuple(near_pairs(fingerprints, advance=advance)),
        unreadable=tuple(unreadable),
    )


def _by_property(rows: Sequence[Row]) -> dict[str, Counts]:
    lesions = list({(row.lesion_id, row.part): row for row in rows}.values())
    ages = sorted(rows, key=lambda row: (row.age_years is None, row.age_years or 0))
    return {
        "diagnosis": count_by_class(rows),
        "lesions": count_by_class(lesions),
        "sex": _count(rows, lambda row: row.sex or NOT_KNOWN),
        "age": _count(ages, age_band, commonest_first=False),
        "site": _count(rows, lambda row: row.site or NOT_KNOWN),
        "source": _count(rows, lambda row: row.source or NOT_KNOWN),
    }


def _count(rows: Sequence[Row], value_of: Callable[[Row], str], *, commonest_first: bool = True) -> Counts:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counts[value_of(row)][row.part] += 1
    order = sorted(counts, key=lambda value: -counts[value].total()) if commonest_first else list(counts)
    return {value: dict(counts[value]) for value in order}


def count_by_class(rows: Sequence[Row]) -> Counts:
    """Rows of each class and part: the seven classes in their order, then others that occur."""
    counts = _count(rows, lambda row: row.label)
    return {label: counts.get(label, {}) for label in (*CLASSES, *sorted(set(counts) - set(CLASSES)))}


def age_band(row: Row) -> str:
    """The decade of an age, such as `40 to 49`."""
    if row.age_years is None:
        return NOT_KNOWN
    decade = int(row.age_years // 10) * 10
    return f"{decade} to {decade + 9}"


def _sizes(fingerprints: Sequence[Fingerprint]) -> dict[str, int]:
    counts = Counter(fingerprint.size for fingerprint in fingerprints)
    return {f"{width} x {height}": count for (width, height), count in counts.most_common()}
