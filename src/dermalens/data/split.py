"""Split an index into train, val and test: stratified by diagnosis, grouped by lesion, saved with a hash."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dermalens.core.errors import DataError, name_some
from dermalens.core.files import write_whole
from dermalens.data.index import (
    PARTS,
    Row,
    cannot_write,
    check_target,
    index_file,
    made_images,
    note_file,
    read_index,
    write_index,
)
from dermalens.data.leaks import check_no_leak, merge_known_pairs

DEFAULT_SHARES: Mapping[str, float] = {"train": 0.70, "val": 0.15, "test": 0.15}


@dataclass(frozen=True, slots=True)
class Split:
    """A saved split: its rows, each with a part, and the SHA-256 that names it."""

    rows: tuple[Row, ...]
    sha256: str

    def part(self, name: str) -> list[Row]:
        """The rows of one part."""
        return [row for row in self.rows if row.part == name]

    def held_out(self, fold: int | None) -> list[Row]:
        """The rows that training does not learn from and may be calibrated on: a fold, or the val part without one."""
        return self.part("val") if fold is None else [row for row in self.rows if row.fold == fold]


def split_rows(
    rows: Sequence[Row], *, shares: Mapping[str, float] = DEFAULT_SHARES, folds: int = 0, seed: int = 0
) -> list[Row]:
    """Assign a part to every row, and a fold to every row outside the test part when `folds` is given.

    Within a diagnosis, lesions are shuffled and each goes to the part that lacks most of its share of
    images; a lesion is never divided.

    Raises:
        DataError: shares that do not sum to one, an empty index, made images, an image id that stands twice, or a
            diagnosis with too few lesions.
    """
    _check_shares(rows, shares, folds)
    made = made_images(rows)
    if made:
        raise DataError(f"{len(made)} made images: {name_some(made)}. They may not judge a model; split the original.")
    check_ids(rows)
    merged = merge_known_pairs(rows)
    images = Counter(row.lesion_id for row in merged)
    part_of: dict[str, str] = {}
    fold_of: dict[str, int] = {}
    needed = max(sum(share > 0 for share in shares.values()), folds + (folds > 0 and shares["test"] > 0))
    random = np.random.default_rng(seed)
    for label, lesions in sorted(_lesions_by_label(merged).items()):
        order = [lesions[i] for i in random.permutation(len(lesions))]
        _check_enough(label, order, needed)
        part_of.update(_allot(order, images, shares))
        if folds:
            kept = [lesion for lesion in order if part_of[lesion] != "test"]
            _check_enough(label, kept, folds, where=" outside test")  # which takes several where one has many images
            equal = {str(fold): 1 / folds for fold in range(folds)}
            fold_of.update({lesion: int(fold) for lesion, fold in _allot(kept, images, equal).items()})
    return [replace(row, part=part_of[row.lesion_id], fold=fold_of.get(row.lesion_id)) for row in merged]


def _check_shares(rows: Sequence[Row], shares: Mapping[str, float], folds: int) -> None:
    if not rows:
        raise DataError("The index has no images to split.")
    if set(shares) != set(PARTS) or min(shares.values()) < 0 or not abs(sum(shares.values()) - 1) <= 1e-6:
        given = "/".join(f"{shares.get(part, 0):g}" for part in PARTS)
        raise DataError(f"Shares {given} given; train, val and test shares must sum to 1, as 0.7/0.15/0.15 does.")
    if folds == 1 or folds < 0:
        raise DataError(f"{folds} folds given; cross-validation needs at least 2 (or 0 for none).")


def check_ids(rows: Iterable[Row]) -> None:
    """Refuse an image id that stands more than once.

    Raises:
        DataError: names up to five.
    """
    twice = [image_id for image_id, count in Counter(row.image_id for row in rows).items() if count > 1]
    if twice:
        raise DataError(f"{len(twice)} image id(s) stand more than once: {name_some(twice)}. Keep one row of each.")


def keep_parts(rows: Sequence[Row]) -> list[Row]:
    """An index whose rows carry the parts of its own folders, as a split; known pairs are merged as ever.

    Raises:
        DataError: a row without a part, no train part, an image id that stands twice, or a lesion on two sides.
    """
    without = [row.image_id for row in rows if row.part not in PARTS]
    if without or not any(row.part == "train" for row in rows):
        found = f"{len(without)} image(s) have none: {name_some(without)}" if without else "no image is in train"
        raise DataError(f"The index's own parts (train, val, test) cannot be kept: {found}. Leave --keep-parts out.")
    check_ids(rows)
    merged = merge_known_pairs(rows)
    check_no_leak(merged)
    return merged


def parse_shares(text: str) -> dict[str, float]:
    """`70/15/15` or `0.7/0.15/0.15` to the share of each part.

    Raises:
        DataError: not three numbers.
    """
    try:
        numbers = [float(number) for number in text.split("/")]
        shares = dict(zip(PARTS, numbers, strict=True))
    except ValueError as error:
        raise DataError(f"Shares {text!r} given; needed are train/val/test, such as 70/15/15.") from error
    return {part: share / 100 for part, share in shares.items()} if sum(numbers) > 1.5 else shares


def _check_enough(label: str, lesions: Sequence[str], needed: int, *, where: str = "") -> None:
    if len(lesions) < needed:
        raise DataError(
            f"{label} has {len(lesions)} lesion(s){where}, fewer than the {needed} that this split needs: "
            f"{name_some(lesions)}. Add images of it, leave it out, or ask for fewer parts or folds."
        )


def _lesions_by_label(rows: Iterable[Row]) -> dict[str, list[str]]:
    """Lesions of each diagnosis in order of id; a lesion of several labels counts under its commonest."""
    commonest: dict[str, tuple[int, str]] = {}
    for (lesion_id, label), count in Counter((row.lesion_id, row.label) for row in rows).items():
        commonest[lesion_id] = min((-count, label), commonest.get(lesion_id, (0, "")))
    by_label: dict[str, list[str]] = defaultdict(list)
    for lesion_id in sorted(commonest):
        by_label[commonest[lesion_id][1]].append(lesion_id)
    return by_label


def _allot(lesions: Sequence[str], images: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, str]:
    """The name for each lesion: that which lacks most images; every name gets one where there are enough lesions."""
    total = sum(images[lesion] for lesion in lesions)
    missing = {name: share * total for name, share in shares.items()}
    chosen: dict[str, str] = {}
    for lesion in lesions:
        name = max(missing, key=lambda candidate: missing[candidate])
        chosen[lesion] = name
        missing[name] -= images[lesion]
    for name in (name for name, share in shares.items() if share > 0 and name not in chosen.values()):
        fullest = Counter(chosen.values()).most_common(1)[0][0]
        chosen[next(lesion for lesion in reversed(lesions) if chosen[lesion] == fullest)] = name
    return chosen


def split_sha256(rows: Iterable[Row]) -> str:
    """The SHA-256 over image id, lesion, label and part of each row, in order of image id.

    Paths are left out: a split keeps its name when the images move. So are folds, which divide its parts further:
    bundles of the same parts are judged on the same test part, with folds or without.
    """
    return _digest(rows, lambda row: (row.image_id, row.lesion_id, row.label, row.part, "None"))


def folds_sha256(rows: Iterable[Row]) -> str:
    """The SHA-256 over image id and fold of each row, in order of image id."""
    return _digest(rows, lambda row: (row.image_id, str(row.fold)))


def _digest(rows: Iterable[Row], fields: Callable[[Row], tuple[str, ...]]) -> str:
    digest = hashlib.sha256()
    for row in sorted(rows, key=lambda row: row.image_id):
        digest.update("\t".join(fields(row)).encode() + b"\n")
    return digest.hexdigest()


def write_split(rows: Sequence[Row], target: Path, *, seed: int) -> str:
    """Write the split as CSV and, beside it, `NAME.json` with its SHA-256, seed and counts; returns the hash.

    Raises:
        DataError: a leak, a name that does not end in .csv, a file of that name or of the note's that is somebody
            else's, or a place that cannot be written to.
    """
    check_no_leak(rows)
    sha256 = split_sha256(rows)
    check_target(target)
    noted = target.resolve().with_suffix(".json")
    _check_note(noted)
    write_index(rows, target)
    counts = {part: dict(sorted(Counter(row.label for row in rows if row.part == part).items())) for part in PARTS}
    note = {"sha256": sha256, "folds_sha256": folds_sha256(rows), "seed": seed, "images": counts}
    try:
        write_whole(noted, (json.dumps(note, indent=2) + "\n").encode())
    except OSError as error:
        raise cannot_write(noted, error) from error
    return sha256


def _check_note(note: Path) -> None:
    """The note of a split may take the place of such a note, never that of somebody's own file."""
    try:
        content = note.read_bytes()
    except OSError:  # most often there is none
        return
    if not content.strip():
        return
    try:
        _hashes_in(content)
    except _NO_NOTE as error:
        raise DataError(f"{note} is there and is no note of a split. Choose another name with --out.") from error


def read_split(source: Path) -> Split:
    """Read a split, or that of class folders, and check its hash and that no lesion leaks.

    Known pairs count as one lesion, whoever split.

    Raises:
        DataError: no split there, a row without a part, a leak, or rows that no longer match the hash.
    """
    source = index_file(source)
    rows = read_index(source)
    without = [row.image_id for row in rows if row.part not in PARTS]
    if without:
        raise DataError(
            f"{source}: {len(without)} image(s) without a part: {name_some(without)}. "
            f"Split the index first: dermalens data split {source} --out split.csv"
        )
    check_no_leak(rows)
    _check_unchanged(source, rows)
    return Split(tuple(rows), split_sha256(rows))


def read_rows(source: Path) -> list[Row]:
    """The rows of an index or of a split; a split that was edited is refused.

    Raises:
        DataError: no index there, or rows that no longer match the hash of their split.
    """
    source = index_file(source)
    rows = read_index(source)
    if any(row.part for row in rows):  # what lies beside an index may be anything
        _check_unchanged(source, rows)
    return rows


def _check_unchanged(source: Path, rows: Sequence[Row]) -> None:
    note, sha256 = note_file(source), split_sha256(rows)
    if note.is_file() and _noted_sha256(note, source) not in {(sha256, folds_sha256(rows)), (sha256, None)}:
        raise DataError(f"{source} was changed after it was split: its rows no longer match {note.name}. Split again.")


_NO_NOTE = (ValueError, KeyError, TypeError)


def _hashes_in(content: bytes) -> tuple[str, str | None]:
    """Raises one of `_NO_NOTE` for what is no note of a split."""
    found = json.loads(content)
    return str(found["sha256"]), found.get("folds_sha256")


def _noted_sha256(note: Path, source: Path) -> tuple[str, str | None]:
    """The hashes of the parts and of the folds; none of the folds in a note of version 0.1."""
    try:
        return _hashes_in(note.read_bytes())
    except OSError as error:
        raise DataError(f"Cannot read {note}: {error.strerror}. It names the split; make it readable.") from error
    except _NO_NOTE as error:
        raise DataError(
            f"{note} is not the note of a split: it has no sha256. Move it away if it is another file; if "
            f"{source.name} is a split, bring its note back, or split again."
        ) from error
