"""What an evaluation finds beside its figures: groups, bad pictures, heat maps, another bundle."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from dermalens.data.index import Row
from dermalens.evaluate.faithfulness import Faithfulness, FaithfulnessSettings, Inside, faithfulness, inside
from dermalens.evaluate.findings import Against
from dermalens.evaluate.gallery import Judged, class_gallery, draw_gallery, right_and_wrong
from dermalens.evaluate.judge import logits_of, scored
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.paired import compare
from dermalens.evaluate.predictions import Truth, truth_of
from dermalens.evaluate.robustness import Robustness, judge_robustness, stratified
from dermalens.evaluate.robustness_answers import RobustnessOptions
from dermalens.evaluate.skin_tone import LesionMask, Outline, tones_of
from dermalens.evaluate.subgroups import Cohort, Subgroups, dimensions_of, measure_subgroups
from dermalens.predict.classifier import Classifier
from dermalens.transforms.preprocess import SquarePixels
from dermalens.transforms.rows import read_square

Bar = Callable[[int, str], AbstractContextManager[Callable[[int], None]]]
"""A progress bar for so many images of a step; within it a function that moves it on."""

HEAT_IMAGES: Final = 60
"""Images whose heat maps are tested; each needs 45 runs of the bundle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an evaluation is asked for besides the bundle and the images."""

    draws: int = 1000
    prevalence: float | None = None
    against: Classifier | None = None
    robustness: bool = False
    faithfulness: bool = False
    run: Path | None = None
    """Folder of the training run, for its learning curves."""
    galleries: Path | None = None
    """Folder for the galleries; None draws none."""
    heat_only: bool = False
    """Galleries without the photographs."""


@dataclass(slots=True)
class Clock:
    """How long each step took, and the bars of the steps."""

    bar: Bar
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, total: int, what: str) -> Iterator[Callable[[int], None]]:
        start = time.monotonic()
        with self.bar(total, what) as advance:
            yield advance
        self.seconds[what] = round(time.monotonic() - start, 2)


def subgroups_of(
    classifier: Classifier, rows: Sequence[Row], found: Scored, asked: Asked, clock: Clock
) -> Subgroups | None:
    """The figures of every group; skin tones with the bundle's outline where it has one, else from the frame."""
    with clock.step(len(rows), "Reading skin tones") as advance:
        outline = lesion_masks(classifier)
        tones = tones_of(rows, classifier.manifest.preprocess, outline=outline, advance=advance)
    cohort = Cohort(found, [row.lesion_id for row in rows], classifier.operating_point().threshold)
    with clock.step(1, "Measuring groups"):
        return grouped(cohort, dimensions_of(rows, tones), draws=asked.draws)


def grouped(cohort: Cohort, dimensions: Mapping[str, Sequence[str]], *, draws: int) -> Subgroups | None:
    """The figures of the dimensions that divide the images; None where none does."""
    dividing = {name: groups for name, groups in dimensions.items() if len(set(groups)) > 1}
    return measure_subgroups(cohort, dividing, draws=draws) if dividing else None


def lesion_masks(classifier: Classifier) -> Outline | None:
    """What finds the lesion of a square with the bundle's own outline graph; None for a bundle without one."""
    if classifier.outline is None:
        return None

    def mask(square: SquarePixels) -> LesionMask | None:
        found = classifier.find_outline(square)
        return found.mask if found else None

    return mask


def robustness_of(classifier: Classifier, rows: Sequence[Row], asked: Asked, clock: Clock) -> Robustness | None:
    """Only when asked for."""
    if not asked.robustness:
        return None
    options = RobustnessOptions(draws=asked.draws)
    images = min(len(rows), options.images or len(rows))
    with clock.step(options.runs(images), "Corrupting") as advance:
        return judge_robustness(classifier, rows, options, advance=advance)


def faithfulness_of(classifier: Classifier, rows: Sequence[Row], asked: Asked, clock: Clock) -> Faithfulness | None:
    """Only when asked for, on `HEAT_IMAGES` images, as many of each class as there are."""
    if not asked.faithfulness:
        return None
    chosen = stratified(rows, classifier.manifest.classes, RobustnessOptions(images=HEAT_IMAGES))
    with clock.step(len(chosen), "Testing heat maps") as advance:
        return faithfulness(classifier, chosen, settings=FaithfulnessSettings(draws=asked.draws), advance=advance)


def inside_of(classifier: Classifier, rows: Sequence[Row], asked: Asked, clock: Clock) -> Inside | None:
    """Only when asked for, and with an outline graph in the bundle."""
    masks, spec = lesion_masks(classifier), classifier.manifest.preprocess
    if masks is None or not asked.faithfulness:
        return None

    def mask_of(row: Row) -> LesionMask:
        found = masks(read_square(row, spec))
        return np.zeros((spec.side_pixels, spec.side_pixels), dtype=np.bool_) if found is None else found

    with clock.step(len(rows), "Placing heat maps") as advance:
        return inside(classifier, rows, mask_of, settings=FaithfulnessSettings(draws=asked.draws), advance=advance)


def against_of(asked: Asked, first: Scored, truth: Truth, rows: Sequence[Row], clock: Clock) -> Against | None:
    """Only with a second bundle."""
    other = asked.against
    if other is None:
        return None
    with clock.step(len(rows), "Classifying with the other") as advance:
        logits = logits_of(other, rows, advance=advance)
    second = scored(other, logits, truth_of(rows, other.manifest.classes))
    with clock.step(1, "Comparing"):
        paired = compare(first, second, truth, draws=asked.draws)
    return Against(f"{other.manifest.name} {other.manifest.version}", other.bundle.sha256, paired)


def galleries_of(judged: Judged, asked: Asked, clock: Clock) -> dict[str, bytes]:
    """Draws the galleries into their folder, and gives them as JPEG for the page."""
    if asked.galleries is None:
        return {}
    pictures = {}
    with clock.step(2, "Drawing heat maps") as advance:
        for choose in (class_gallery, right_and_wrong):
            gallery, target = choose(judged), asked.galleries / f"{choose.__name__}.png"
            draw_gallery(gallery, target, photographs=not asked.heat_only)
            pictures[gallery.title] = _jpeg(target)
            advance(1)
    return pictures


def _jpeg(picture: Path) -> bytes:
    buffer = io.BytesIO()
    Image.open(picture).convert("RGB").save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
