"""Predictions as CSV: read from anyone's model, written in the ISIC challenge layout and in ours.

ISIC: `image,MEL,NV,BCC,AKIEC,BKL,DF,VASC`, one probability a class. Ours: `image_id,lesion_id,label,given,
malignant_probability`, one column a class code, `decision`. A reader takes both, and what `dermalens predict --csv`
writes; columns may stand in any order.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from dermalens.core.errors import DataError, name_some
from dermalens.core.files import is_image, write_whole
from dermalens.core.taxonomy import BINARY, CLASSES, LABELS
from dermalens.data.index import Row
from dermalens.data.tables import Table, read_table
from dermalens.evaluate.predictions import Labels, Probabilities

ISIC_CLASSES: Final = ("mel", "nv", "bcc", "akiec", "bkl", "df", "vasc")
"""The order of the columns in the files of ISIC 2018 task 3, which has them in capitals."""

SUM_TOLERANCE: Final = 4e-3
"""How far the probabilities of an image may be from one together: rounded to three decimals, seven are off by 0.0035 at
worst."""

_ROUNDING: Final = 1e-6
"""How far a single probability may be outside 0 to 1."""

_DECIMAL_COMMA: Final = re.compile(r"-?\d*,\d+(e-?\d+)?", re.IGNORECASE)

_IMAGE_COLUMNS: Final = ("image", "image_id")
_BESIDE: Final = frozenset(
    "lesion_id label given malignant_probability decision "  # ours
    "diagnosis operating_point bundle_sha256 heatmap reasons recommendation error "  # of `predict --csv`
    "lesion_image_score lesion_image_accepted outline_picture similar_malignant_share notes".split()
)
"""Columns that say nothing which the probabilities do not; they are passed over."""


@dataclass(frozen=True, slots=True)
class PredictionFile:
    """The probabilities of a file, checked."""

    path: Path
    classes: tuple[str, ...]
    image_ids: tuple[str, ...]
    """Without folder and suffix, each once."""
    probabilities: Probabilities
    """[images, classes]; each row sums to one within `SUM_TOLERANCE`."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What is written for the images of an index."""

    rows: Sequence[Row]
    classes: tuple[str, ...]
    labels: Labels
    probabilities: Probabilities
    malignant_probabilities: Sequence[float]
    decisions: Sequence[str]
    """`refer` or `reassure`; "" where there is no operating point to decide by."""


def read_predictions(path: Path, *, normalise: bool = False) -> PredictionFile:
    """Read predictions in the ISIC layout or ours; with `normalise` each row is divided by its sum first.

    Raises:
        DataError: unknown columns, an image that stands twice, a value that is not 0 to 1 or has a decimal comma, or a
            row that does not sum to one; each names up to five.
    """
    table = read_table(path)
    classes = _classes(table)
    name = next(column for column in _IMAGE_COLUMNS if column in table.columns)
    if not table.records:
        raise DataError(f"{path} has a header and no predictions.")
    image_ids = tuple(image_id(record[name]) for record in table.records)
    _check_once(path, image_ids)
    _check_answered(path, table.records, classes, name)
    _check_points(path, table.records, classes, name)
    values = np.array([[_number(record[code]) for code in classes] for record in table.records])
    _check_range(path, image_ids, values)
    return PredictionFile(path, classes, image_ids, _summing_to_one(path, image_ids, values, normalise=normalise))


def image_id(name: str) -> str:
    """The id in what a file calls an image: `ISIC_1`, `ISIC_1.jpg` and `images/ISIC_1.jpg` are one.

    >>> image_id("images/ISIC_1.jpg"), image_id("ISIC_1")
    ('ISIC_1', 'ISIC_1')
    """
    return Path(name).stem if is_image(Path(name).name) else name


def _classes(table: Table) -> tuple[str, ...]:
    """The classes that the columns name, in the order of `CLASSES` or `BINARY`."""
    twice = [name for name, count in Counter(table.columns).items() if count > 1]
    if twice:
        raise DataError(f"{table.path} has columns twice: {name_some(twice)}. Keep one of each.")
    if not any(column in table.columns for column in _IMAGE_COLUMNS):
        raise DataError(f"{table.path} has no column image or image_id; {_needed()}")
    unknown = [name for name in table.columns if name not in (*LABELS, *_IMAGE_COLUMNS, *_BESIDE)]
    if unknown:
        names = name_some(name or "''" for name in unknown)
        index = " A column without a name is the index of pandas: to_csv(..., index=False)." if "" in unknown else ""
        raise DataError(f"{table.path} has unknown columns: {names}; {_needed()}{index}")
    for order in (CLASSES, BINARY):
        if set(order) == set(table.columns) & set(LABELS):
            return order
    found = [name for name in table.columns if name in LABELS]
    raise DataError(f"{table.path} has the class columns {' '.join(found) or 'none'}; {_needed()}")


def _needed() -> str:
    return (
        f"needed is image,{','.join(ISIC_CLASSES).upper()} (any order), or image_id and {' '.join(CLASSES)}, "
        f"or {' '.join(BINARY)}."
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _check_once(path: Path, image_ids: Sequence[str]) -> None:
    twice = [image for image, count in Counter(image_ids).items() if count > 1]
    if twice:
        raise DataError(f"{path}: {len(twice)} images stand more than once: {name_some(twice)}. Keep one row of each.")


def _check_answered(path: Path, records: Sequence[Mapping[str, str]], classes: Sequence[str], name: str) -> None:
    """Refuse rows that say why there is no answer, as `predict --csv` writes them."""
    failed = [record for record in records if record.get("error") and not any(record[code] for code in classes)]
    if failed:
        names = name_some(image_id(record[name]) for record in failed)
        raise DataError(
            f"{path}: {len(failed)} images have no answer: {names}. The first row says: {failed[0]['error']} Mend "
            "them and predict again, or take their rows out of both files."
        )


def _check_points(path: Path, records: Sequence[Mapping[str, str]], classes: Sequence[str], name: str) -> None:
    """Refuse numbers with a decimal comma, as spreadsheets of half the world write them."""
    texts = ((image_id(record[name]), record[code]) for record in records for code in classes)
    found = {image: text for image, text in texts if _DECIMAL_COMMA.fullmatch(text)}
    if found:
        image, text = next(iter(found.items()))
        raise DataError(
            f"{path}: {len(found)} images have values with a decimal comma ({text} of {image}); needed is a point: "
            f"{text.replace(',', '.')}. Save the table with decimal points."
        )


def _check_range(path: Path, image_ids: Sequence[str], values: Probabilities) -> None:
    outside = ~((values >= -_ROUNDING) & (values <= 1 + _ROUNDING)).all(axis=1)
    if outside.any():
        names = name_some(image_ids[row] for row in np.flatnonzero(outside).tolist())
        raise DataError(
            f"{path}: {outside.sum()} images have values that are not numbers from 0 to 1: {names}. Needed are "
            "probabilities: take the softmax of logits, divide percentages by 100."
        )


def _summing_to_one(path: Path, image_ids: Sequence[str], values: Probabilities, *, normalise: bool) -> Probabilities:
    values = np.clip(values, 0, 1)
    sums = values.sum(axis=1)
    wrong = sums <= 0 if normalise else np.abs(sums - 1) > SUM_TOLERANCE
    if wrong.any():
        names = name_some(f"{image_ids[row]} ({sums[row]:.3f})" for row in np.flatnonzero(wrong).tolist())
        what_to_do = (
            "They cannot be divided by it."
            if normalise
            else "Confidences of single diagnoses, as the ISIC challenge takes them, become probabilities when each "
            "row is divided by its sum: give --normalise."
        )
        raise DataError(f"{path}: the values of {wrong.sum()} images do not sum to one: {names}. {what_to_do}")
    return values / sums[:, None] if normalise else values


def write_isic(answers: Answers, target: Path) -> bool:
    """Write the ISIC challenge layout; False, and no file, not one of before, for classes other than its seven.

    Raises:
        OSError: the file cannot be written or removed.
    """
    if set(answers.classes) != set(ISIC_CLASSES):
        target.unlink(missing_ok=True)
        return False
    order = [answers.classes.index(code) for code in ISIC_CLASSES]
    values = (
        [row.image_id, *map(_text, of_image[order])]
        for row, of_image in zip(answers.rows, answers.probabilities, strict=True)
    )
    _write(target, ["image", *(code.upper() for code in ISIC_CLASSES)], values)
    return True


def write_ours(answers: Answers, target: Path) -> None:
    """Write our layout: one row an image with its label, the class it was given, and the decision."""
    given = answers.probabilities.argmax(axis=1)
    values = (
        [
            row.image_id,
            row.lesion_id,
            answers.classes[label],
            answers.classes[class_number],
            _text(malignant),
            *map(_text, of_image),
            decision,
        ]
        for row, label, class_number, malignant, of_image, decision in zip(
            answers.rows,
            answers.labels,
            given,
            answers.malignant_probabilities,
            answers.probabilities,
            answers.decisions,
            strict=True,
        )
    )
    names = ["image_id", "lesion_id", "label", "given", "malignant_probability", *answers.classes, "decision"]
    _write(target, names, values)


def _text(probability: float) -> str:
    """Nine digits: enough for every figure to be the same when the file is read again."""
    return f"{probability:.9g}"


def _write(target: Path, names: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(lines)
    write_whole(target, text.getvalue().encode())
