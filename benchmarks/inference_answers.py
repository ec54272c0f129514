"""Whether a faster path decides as the default one does, on every image of the test part. For inference_paths.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from benchmarks.inference_pictures import CUTTERS, READERS
from dermalens.core.image import Decoded, read_file
from dermalens.data.index import Row
from dermalens.evaluate.metrics import Scored, measure
from dermalens.evaluate.predictions import malignant_mask, truth_of
from dermalens.predict.classifier import Asked, Classifier
from dermalens.predict.prediction import Prediction

TOLERANCE: Final = 1e-3
"""By which a probability may differ from that of the default path; a path with more is not taken."""

FIGURES: Final = ("balanced_accuracy", "malignant_auc")
SHOWN: Final = 9
"""Decimals of a difference."""

Maker = Callable[[], Classifier]


@dataclass(frozen=True, slots=True)
class Way:
    """How the bytes of an image become an answer."""

    make: Maker
    """Makes a classifier; one for each thread, as a session of OpenVINO is for one."""
    reader: str = "default"
    cutter: str = "default"

    @property
    def cuts_alike(self) -> bool:
        """Whether the way differs from the default one in the graph only."""
        return self.reader == self.cutter == "default"

    def square(self, classifier: Classifier, data: bytes) -> Decoded:
        """What the model sees of an image; of its own size, `preprocess` leaves it as it is."""
        spec = classifier.manifest.preprocess
        decoded = READERS[self.reader](data, spec.side_pixels)
        cut = CUTTERS[self.cutter](decoded.picture, spec)
        return Decoded(Image.fromarray(cut), decoded.original_size)

    def answer(self, classifier: Classifier, data: bytes) -> Prediction:
        """The whole way, for its time."""
        asked = Asked(classifier.operating_point())
        if self.cutter != "default":
            return classifier.answer(self.square(classifier, data), "", asked)
        decoded = READERS[self.reader](data, classifier.manifest.preprocess.side_pixels)
        return classifier.answer(decoded, "", asked)


@dataclass(frozen=True, slots=True)
class Answered:
    """One image by one way."""

    prediction: Prediction
    sees_the_same: bool
    """Whether its square is that of the default way."""


def compare(ways: Mapping[str, Way], rows: Sequence[Row], *, workers: int = 2) -> dict[str, Any]:
    """What each way answers to `rows`, held against the first, which is the default."""
    first, *others = ways
    parts = [rows[number::workers] for number in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(partial(_answers, ways), parts))
    ordered = [row for part in parts for row in part]
    answers = {name: [one for part in found for one in part[name]] for name in ways}
    given = {name: [one.prediction for one in ones] for name, ones in answers.items()}
    classifier = ways[first].make()
    kept = {
        name: {"images": len(ordered), "squares_changed": sum(not one.sees_the_same for one in answers[name])}
        | _against(given[first], given[name])
        for name in others
    }
    for name in (first, *(other for other in others if kept[other]["largest_difference_probability"] > TOLERANCE)):
        kept[name] = kept.get(name, {"images": len(ordered)}) | _figures(classifier, given[name], ordered)
    return {name: kept[name] for name in ways}


def _answers(ways: Mapping[str, Way], rows: Sequence[Row]) -> dict[str, list[Answered]]:
    """One thread's share: each image by all ways."""
    classifiers = {name: way.make() for name, way in ways.items()}
    found: dict[str, list[Answered]] = {name: [] for name in ways}
    for row in rows:
        data = read_file(Path(row.path))
        cuts: dict[tuple[str, str], Decoded] = {}
        default: tuple[bytes, Prediction] | None = None
        for name, way in ways.items():
            classifier, kind = classifiers[name], (way.reader, way.cutter)
            if kind not in cuts:
                cuts[kind] = way.square(classifier, data)
            pixels = cuts[kind].picture.tobytes()
            sees_the_same = default is None or pixels == default[0]
            if default and sees_the_same and not way.cuts_alike:
                prediction = default[1]  # the same graph and the same square
            else:
                prediction = classifier.answer(cuts[kind], "", Asked(classifier.operating_point()))
            default = default or (pixels, prediction)
            found[name].append(Answered(prediction, sees_the_same))
    return found


def _against(reference: Sequence[Prediction], other: Sequence[Prediction]) -> dict[str, Any]:
    probabilities = _probabilities(other) - _probabilities(reference)
    malignant = [ours.malignant_probability - theirs.malignant_probability for ours, theirs in _pairs(other, reference)]
    return {
        "decisions_changed": sum(ours.decision != theirs.decision for ours, theirs in _pairs(other, reference)),
        "diagnoses_changed": sum(ours.diagnosis != theirs.diagnosis for ours, theirs in _pairs(other, reference)),
        "largest_difference_malignant": round(float(np.abs(malignant).max()), SHOWN),
        "largest_difference_probability": round(float(np.abs(probabilities).max()), SHOWN),
    }


def _pairs(ours: Sequence[Prediction], theirs: Sequence[Prediction]) -> list[tuple[Prediction, Prediction]]:
    return list(zip(ours, theirs, strict=True))


def _probabilities(answers: Sequence[Prediction]) -> Any:
    return np.array([list(answer.probabilities.values()) for answer in answers])


def _figures(classifier: Classifier, answers: Sequence[Prediction], rows: Sequence[Row]) -> dict[str, Any]:
    """Balanced accuracy and malignant AUC, with intervals."""
    manifest = classifier.manifest
    truth = truth_of(rows, manifest.classes)
    scored = Scored(truth.labels, _probabilities(answers), tuple(manifest.classes), malignant_mask(manifest))
    found = measure(scored, truth)
    return {name: found[name].model_dump() for name in FIGURES}
