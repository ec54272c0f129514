"""A balanced copy of a split: variants of the rarer classes are made in the train part, and nowhere else.

Variants carry the lesion of their source, so that no lesion leaks; validation and test are laid out as they are.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Final

import numpy as np

from dermalens.core.errors import DataError, ImageError, name_some
from dermalens.core.files import write_whole
from dermalens.core.image import open_upright, read_file
from dermalens.data.check import Advance, nobody_watches
from dermalens.data.files import plain_name
from dermalens.data.folders import lay_out, moved, new_folder, thin_classes
from dermalens.data.index import FOLDERS_INDEX, MADE_TABLE, Row, made_id, made_images
from dermalens.data.parallel import in_threads
from dermalens.data.split import read_split, write_split
from dermalens.data.variants import Variant, draw_variant, vary

FULL_SIDE_PIXELS: Final = 1 << 20
"""More than any picture has: a JPEG is decoded at its full size."""

JPEG_QUALITY: Final = 95


@dataclass(frozen=True, slots=True)
class Made:
    """An image to make: its source, its own image id and its variant."""

    source: Row
    image_id: str
    variant: Variant


@dataclass(frozen=True, slots=True)
class Plan:
    """What a balanced split is made of."""

    rows: tuple[Row, ...]
    """Images of the split that stay: val and test all."""
    making: tuple[Made, ...]
    left_out: tuple[Row, ...]
    """Images of train beyond the wanted number."""

    @property
    def counts(self) -> dict[str, tuple[int, int, int]]:
        """Class to images of train that stay, are made and are left out."""
        kept = Counter(row.label for row in self.rows if row.part == "train")
        made = Counter(made.source.label for made in self.making)
        left_out = Counter(row.label for row in self.left_out)
        return {label: (kept[label], made[label], left_out[label]) for label in sorted(kept)}


def rows_to_balance(split: Path) -> tuple[Row, ...]:
    """The rows of a split that has no made images yet.

    Raises:
        DataError: not a split, a leak, or a split that was balanced before.
    """
    rows = read_split(split).rows
    made = made_images(rows)
    if made:
        raise DataError(
            f"{split} was balanced before ({len(made)} made images: {name_some(made)}). "
            "Give the split that it was made from."
        )
    return rows


def plan_balance(rows: Sequence[Row], *, per_class: int | None = None, seed: int = 0) -> Plan:
    """Which variants bring every class of train to `per_class` images, or to the number of the largest class.

    The images of a class are varied in turn, each about as often. A class that has more than `per_class` keeps that
    many, one of each lesion before a second of any. The plan depends on the rows and the seed alone.

    Raises:
        DataError: no train part, folds, a class of train with fewer than two lesions, or a number below 1.
    """
    train = [row for row in rows if row.part == "train"]
    _check(rows, train, per_class)
    wanted = per_class or max(Counter(row.label for row in train).values())
    making: list[Made] = []
    kept = [row for row in rows if row.part != "train"]
    left_out: list[Row] = []
    for label in sorted({row.label for row in train}):
        random = np.random.default_rng([seed, zlib.crc32(label.encode())])
        own = sorted((row for row in train if row.label == label), key=lambda row: row.image_id)
        order = _spread([own[i] for i in random.permutation(len(own))])
        kept += order[:wanted]
        left_out += order[wanted:]
        making += _variants(order, wanted - len(order), random)
    _refuse_taken(rows, making)
    return Plan(tuple(kept), tuple(making), tuple(left_out))


def _variants(sources: Sequence[Row], number: int, random: np.random.Generator) -> list[Made]:
    """`number` variants (none where it is not positive), the sources in turn."""
    turns = [(sources[n % len(sources)], 1 + n // len(sources)) for n in range(number)]
    return [Made(source, made_id(source.image_id, turn), draw_variant(random)) for source, turn in turns]


def _check(rows: Sequence[Row], train: Sequence[Row], per_class: int | None) -> None:
    if per_class is not None and per_class < 1:
        raise DataError(f"{per_class} images per class given; needed is 1 or more.")
    if not train:
        raise DataError("The split has no train part, and val and test are never changed: there is nothing to balance.")
    if any(row.fold is not None for row in rows):
        raise DataError(
            "The split has folds: each is held out once, and made images would be among those that judge the model. "
            "Balance a split that was made without --folds."
        )
    thin = [found for found in thin_classes(train) if " in train " in found]
    if thin:
        raise DataError(
            f"Too few lesions to make variants of: {name_some(thin)}. Needed are two of each class; add images, leave "
            "the class out, or split anew."
        )


def _spread(rows: Sequence[Row]) -> list[Row]:
    """The first image of every lesion, then the second ones, and so on, otherwise in the given order."""
    seen: Counter[str] = Counter()
    turns = []
    for row in rows:
        turns.append(seen[row.lesion_id])
        seen[row.lesion_id] += 1
    return [row for _, row in sorted(zip(turns, rows, strict=True), key=lambda pair: pair[0])]


def _refuse_taken(rows: Sequence[Row], making: Sequence[Made]) -> None:
    taken = {row.image_id for row in rows} & {made.image_id for made in making}
    if taken:
        raise DataError(f"{name_some(sorted(taken))} would be made, but the split has it. Balance the original split.")


def write_balanced(
    plan: Plan, folder: Path, *, seed: int, copy: bool = False, advance: Advance = nobody_watches
) -> list[Row]:
    """Make `folder`: class folders with the images that stay, as links or copies, and the made ones; split, `made.csv`.

    An interrupted run leaves nothing at `folder`; the same again makes the same.

    Raises:
        DataError: an image of val or test would be varied, an image cannot be read, or `folder` exists or cannot be
            written to.
    """
    _refuse_held_out(plan.making)
    with new_folder(folder) as place:
        laid = lay_out(plan.rows, place, copy=copy, advance=advance)
        laid += _make(plan.making, place, advance)
        write_split(laid, place / FOLDERS_INDEX, seed=seed)
        write_whole(place / MADE_TABLE, _as_csv(plan.making).encode())
    return moved(laid, place, folder)


def _refuse_held_out(making: Sequence[Made]) -> None:
    held_out = [made.source.image_id for made in making if made.source.part != "train"]
    if held_out:
        raise DataError(
            f"{len(held_out)} image(s) outside the train part would be varied: {name_some(held_out)}. Validation and "
            "test judge a model and are never changed; leave them out."
        )


def _make(making: Sequence[Made], place: Path, advance: Advance) -> list[Row]:
    rows = [replace(made.source, image_id=made.image_id, path=str(_target(made, place))) for made in making]

    def write(pair: tuple[Made, Row]) -> str | None:
        made, row = pair
        try:
            Path(row.path).write_bytes(variant_bytes(Path(made.source.path), made.variant))
        except ImageError as error:
            return f"{made.source.image_id} ({str(error).partition(';')[0]})"
        return None

    problems = in_threads(write, list(zip(making, rows, strict=True)), advance)
    failed = sorted({problem for problem in problems if problem})
    if failed:
        raise DataError(f"{len(failed)} image(s) cannot be varied: {name_some(failed)}. Mend or leave out these rows.")
    return rows


def _target(made: Made, place: Path) -> Path:
    is_jpeg = Path(made.source.path).suffix.lower() in (".jpg", ".jpeg")
    name = plain_name(made.image_id) + (".jpg" if is_jpeg else ".png")
    return place / made.source.part / made.source.label / name


def variant_bytes(source: Path, variant: Variant) -> bytes:
    """The variant of an image file: a JPEG of a JPEG, otherwise a PNG, lest the format tell which classes are rare.

    Raises:
        ImageError: the file is not a picture within the limits.
    """
    picture = vary(open_upright(read_file(source), wanted_side_pixels=FULL_SIDE_PIXELS), variant)
    buffer = io.BytesIO()
    if source.suffix.lower() in (".jpg", ".jpeg"):
        picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    else:
        picture.save(buffer, "PNG")
    return buffer.getvalue()


def _as_csv(making: Sequence[Made]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image_id", "made_from", "lesion_id", "label", *(field.name for field in fields(Variant))])
    for made in making:
        changes = (value if isinstance(value, bool) else round(value, 4) for value in astuple(made.variant))
        writer.writerow([made.image_id, made.source.image_id, made.source.lesion_id, made.source.label, *changes])
    return text.getvalue()
