"""What a run knows from the start: the lesions that its start weights and its teachers have learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from dermalens.core.errors import DataError, TrainingError, name_some
from dermalens.data.index import Row, read_index
from dermalens.data.leaks import merge_known_pairs
from dermalens.data.split import Split, folds_sha256, read_split, split_sha256
from dermalens.models.weights import weights_file
from dermalens.train.datamodule import LesionData
from dermalens.train.notes import NOTES, Forerunner, read_forerunners
from dermalens.train.recipe import Recipe


def check_forerunners(recipe: Recipe, data: LesionData) -> list[Forerunner]:
    """Refuse start weights or teachers that know what this run holds out; gives the runs that they come from.

    Nothing is known of weights without a `run.json` beside them.

    Raises:
        TrainingError: names up to five lesions, or the run of which it cannot be told.
    """
    before = list(dict.fromkeys(one for folder in _folders(recipe) for one in read_forerunners(folder)))
    for one in before:
        if not _held_out_the_same(one, recipe, data):
            _check_apart(one, recipe, data)
    return before


def _folders(recipe: Recipe) -> Iterator[Path]:
    file = weights_file(recipe.model.weights)
    places = (file.parent, file.resolve().parent) if file else ()
    yield from [place for place in places if (place / NOTES).is_file()][:1]
    yield from map(Path, recipe.teacher.runs)


def _held_out_the_same(one: Forerunner, recipe: Recipe, data: LesionData) -> bool:
    """Whether what this run holds out was held out there; extra images were checked against the same split."""
    fold, left_out = recipe.data.fold, recipe.data.left_out
    is_same_split = one.split_sha256 == data.split_sha256 and data.folds_sha256 in ("", one.folds_sha256)
    return is_same_split and one.fold == fold and left_out in (None, one.left_out)


def _check_apart(one: Forerunner, recipe: Recipe, data: LesionData) -> None:
    split = read_split(Path(recipe.data.split))
    held = [*split.part("test"), *(replace(row, part="val") for row in (*data.val_rows, *data.left_out_rows))]
    before = _rows_of(one, (recipe.data.split, one.split))
    if before is None:
        _check_sources(one, held)
        return
    lesions = _known(before, held)
    if lesions:
        raise TrainingError(
            f"model.weights or teacher.runs: {one.run} has learned {len(lesions)} lesion(s) that this run holds out: "
            f"{name_some(lesions)}. Take a run on the split and fold of this one, or train that one anew on them."
        )


def _check_sources(one: Forerunner, held: Sequence[Row]) -> None:
    """Where the rows of a run cannot be had, its data sets decide."""
    shared = sorted({row.source for row in held} & set(one.sources))
    if shared:
        raise TrainingError(
            f"model.weights or teacher.runs: {one.run} is of another split ({one.split_sha256[:12]}) of "
            f"{name_some(name or 'a data set without a name' for name in shared)}, and {one.split} or its data.extra "
            "cannot be read as they were: which lesions it knows cannot be told. Bring them back, or take a run on "
            "the same split."
        )


def _rows_of(one: Forerunner, places: Sequence[str]) -> list[Row] | None:
    """What a run saw, in the part "train" or, where it only selected an epoch, "val"; None where it cannot be told."""
    try:
        split = next((found for found in map(_split_at, places) if found and _is_of(one, found)), None)
        extra = [read_index(Path(source)) for source in one.extra]
    except DataError:
        return None
    if split is None or ",".join(map(split_sha256, extra)) != one.extra_sha256:
        return None
    selected = {row.image_id for row in split.held_out(one.fold)}
    seen = [row for row in split.rows if row.part != "test"]
    parts = [replace(row, part="val" if row.image_id in selected else "train") for row in seen]
    if one.left_out is not None:
        parts = [row for row in parts if row.part == "val" or row.fold != one.left_out]
    return [*parts, *(replace(row, part="train") for rows in extra for row in rows)]


def _split_at(place: str) -> Split | None:
    try:
        return read_split(Path(place))
    except DataError:
        return None


def _is_of(one: Forerunner, split: Split) -> bool:
    return split.sha256 == one.split_sha256 and one.folds_sha256 in ("", folds_sha256(split.rows))


def _known(before: Sequence[Row], held: Sequence[Row]) -> list[str]:
    """Lesions of `held` that `before` has learned; of a test part, also those that have only selected an epoch."""
    merged = merge_known_pairs([*before, *held])
    former, ours = merged[: len(before)], merged[len(before) :]
    learned = {name for row in former if row.part == "train" for name in _names(row)}
    seen = learned.union(*(_names(row) for row in former))
    leaks = [row for row in ours if not (seen if row.part == "test" else learned).isdisjoint(_names(row))]
    return list(dict.fromkeys(row.lesion_id for row in leaks))


def _names(row: Row) -> tuple[str, str]:
    """By the image too: another split may not know the lesion."""
    return row.lesion_id, row.image_id
