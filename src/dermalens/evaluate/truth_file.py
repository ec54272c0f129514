"""What a prediction file is scored against: an index or split of ours, or the ground truth of the ISIC challenge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dermalens.core.errors import DataError, name_some
from dermalens.core.taxonomy import CLASSES, LABELS, malignant_of
from dermalens.data.index import COLUMNS, Row, index_file, read_index
from dermalens.data.sources import isic2018
from dermalens.data.tables import header_of
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.predictions import Truth, truth_of
from dermalens.evaluate.predictions_file import PredictionFile, image_id
from dermalens.evaluate.record import rows_of

WHOLE = "all"


def read_truth(path: Path, part: str | None = None) -> list[Row]:
    """The labelled images of `path`: of one part, or without `part` of the test part where there are parts.

    A lesion of several images is one unit of the intervals: an index knows its lesions, a ground truth of ISIC where
    its `..._LesionGroupings.csv` lies beside it.

    Raises:
        DataError: neither an index nor a ground truth, an image that stands twice, an image without one diagnosis, or
            no image in the part.
    """
    header = header_of(index_file(path))
    if header == COLUMNS:
        rows = rows_of(path, part or default_part(path))
    elif set(header) >= {"image", *CLASSES}:
        rows = _challenge_rows(path, part)
    else:
        raise DataError(
            f"{path} is no truth: its first line is {','.join(header)[:200] or 'empty or cannot be read'}. Needed is "
            "an index or a split of DermaLens, or the ISIC ground truth (image,MEL,NV,BCC,AKIEC,BKL,DF,VASC)."
        )
    _check_once(path, rows)
    return rows


def default_part(path: Path) -> str:
    """`test` for a split, `all` for an index without parts."""
    return "test" if any(row.part for row in read_index(path)) else WHOLE


def _challenge_rows(path: Path, part: str | None) -> list[Row]:
    if part not in (None, WHOLE):
        raise DataError(f"--part {part} was given; {path} is a ground truth of ISIC, which has no parts. Leave it out.")
    rows = list(isic2018.read(path).rows)
    without = [row.image_id for row in rows if row.label not in LABELS]
    if without:
        raise DataError(
            f"{path}: {len(without)} images do not have one class with a 1 and the others with a 0: "
            f"{name_some(without)}."
        )
    return rows


def _check_once(path: Path, rows: Sequence[Row]) -> None:
    twice = [image for image, count in Counter(image_id(row.image_id) for row in rows).items() if count > 1]
    if twice:
        raise DataError(f"{path}: {len(twice)} images stand more than once: {name_some(twice)}. Keep one row of each.")


def matched(predictions: PredictionFile, rows: Sequence[Row]) -> tuple[Scored, Truth]:
    """The probabilities in the order of `rows` with their labels.

    Raises:
        DataError: images without a prediction or without a truth, or labels that the predictions do not know.
    """
    place = {image: number for number, image in enumerate(predictions.image_ids)}
    wanted = [image_id(row.image_id) for row in rows]
    missing = [image for image in wanted if image not in place]
    if missing:
        raise DataError(
            f"{predictions.path} has no prediction for {len(missing)} of {len(rows)} images of the truth: "
            f"{name_some(missing)}. Predict every image, or score another part with --part."
        )
    foreign = sorted(set(predictions.image_ids) - set(wanted))
    if foreign:
        raise DataError(
            f"{predictions.path} has {len(foreign)} images that are not in the truth: {name_some(foreign)}. "
            "Leave them out, or score another part with --part."
        )
    truth = truth_of(rows, predictions.classes)
    order = np.array([place[image] for image in wanted])
    malignant = np.array([code in malignant_of(predictions.classes) for code in predictions.classes])
    return Scored(truth.labels, predictions.probabilities[order], predictions.classes, malignant), truth
