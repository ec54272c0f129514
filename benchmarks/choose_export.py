"""Choose runs, side, views, calibration and prior correction of a bundle on the validation part, never the test part.

    python -m benchmarks.choose_export SPLIT OUT.json RUN [RUN ...] [--together]

Every run by itself and every mean of several is a candidate; with --together only the mean of all. Of all settings
whose expected calibration error is at most 0.03 and which ask the networks at most so often as the time for one image
allows, those within 0.005 of the highest mean of balanced accuracy, macro AUC and malignant AUC; of these those that
cost least time; and of these the one with the lowest negative log-likelihood, as a larger correction may gain a little
balanced accuracy by calling rare classes far more probable than they are. (Until version 5.1 it was the one with the
highest mean.)

Each setting is fitted on four fifths of the validation lesions and judged on the last, in turn, so that a calibration
with more parameters gains nothing by fitting noise; its figures are the means over four ways to cut the fifths, as
those of one way differ by 0.01 in the calibration error.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermalens.core.bundle import View
from dermalens.core.decision import calibrate
from dermalens.data.split import read_split
from dermalens.evaluate import metrics
from dermalens.evaluate.calibrate import Fitting, fit
from dermalens.evaluate.judge import logits_of
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.predictions import Logits, Truth, malignant_mask, truth_of
from dermalens.export.run import VIEWS, ExportOptions, export_run
from dermalens.predict.classifier import Classifier, load

CORRECTIONS = (0.0, 0.15, 0.3, 0.45, 0.6)
PENALTIES = (0.01, 0.03, 0.1, 0.3)
"""Of vector scaling."""
SIDES = (224,)
COUNTS = (1, 2)
"""Of views; more take longer than an answer may."""
FOLDS, CUTS = 5, 4
TOGETHER = "--together"
LARGEST_ECE = 0.03
LARGEST_COST = 3 * 224**2
"""Three passes of a small network at 224 pixels. Until version 4.1 it was two."""
TIE = 0.005
"""Scores this close are one: with 17 dermatofibromas, a single image of them moves the balanced accuracy by 0.008."""
AIMS = ("balanced_accuracy", "macro_auc", "malignant_auc")

Setting = dict[str, float | str]


@dataclass(frozen=True, slots=True)
class Case:
    """Logits of the validation part with what is known of it."""

    truth: Truth
    classes: tuple[str, ...]
    malignant: NDArray[np.bool_]


def main() -> None:
    """Write every setting with its figures, and the chosen one."""
    split, out, *runs = (Path(argument) for argument in sys.argv[1:] if argument != TOGETHER)
    least = len(runs) if TOGETHER in sys.argv else 1
    settings = [setting for side in SIDES for setting in settings_at(runs, split, side, least)]
    content = {"rule": __doc__, "largest_ece": LARGEST_ECE, "chosen": choose(settings), "settings": settings}
    out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(content["chosen"], indent=2))


def settings_at(runs: Sequence[Path], split: Path, side_pixels: int, least: int = 1) -> list[Setting]:
    """Every setting at one side, of every set of at least `least` runs."""
    case, of_run = ask_runs(runs, split, side_pixels)
    chosen = [some for count in range(least, len(runs) + 1) for some in combinations(of_run, count)]
    return [
        {"runs": " + ".join(names), "networks": len(names), "side": side_pixels, "views": count, **figures}
        for names in chosen
        for count in COUNTS
        if len(names) * count * side_pixels**2 <= LARGEST_COST
        for figures in judge_settings(
            case, np.mean([of_run[name][view] for name in names for view in VIEWS[count]], axis=0)
        )
    ]


def ask_runs(runs: Sequence[Path], split: Path, side_pixels: int) -> tuple[Case, Mapping[str, dict[View, Logits]]]:
    """Validation logits of each run and view, by the name of the run's folder."""
    of_run = {}
    for run in runs:
        with tempfile.TemporaryDirectory() as folder:
            export_run(run, Path(folder) / "bundle", ExportOptions(split=split, side_pixels=side_pixels))
            case, of_run[run.name] = ask(load(Path(folder) / "bundle", threads=2), split)
    return case, of_run


def ask(classifier: Classifier, split: Path) -> tuple[Case, dict[View, Logits]]:
    """Validation logits of each view by itself."""
    manifest, rows = classifier.manifest, read_split(split).part("val")
    malignant = malignant_mask(manifest)
    case = Case(truth_of(rows, manifest.classes), tuple(manifest.classes), malignant)
    return case, {view: logits_of(with_view(classifier, view), rows) for view in VIEWS[max(COUNTS)]}


def with_view(classifier: Classifier, view: View) -> Classifier:
    """The same classifier, looking at one view only."""
    manifest = classifier.manifest.model_copy(update={"views": [view]})
    return replace(classifier, bundle=replace(classifier.bundle, manifest=manifest))


def judge_settings(case: Case, logits: Logits) -> Iterator[Setting]:
    """Figures of every calibration and correction, by cross-fitting over lesions, the mean of all cuts."""
    cuts = [folds_of(case.truth, seed) for seed in range(CUTS)]
    for fitting in fittings():
        found = [_scored(case, logits, folds, fitting) for folds in cuts]
        figures = {
            name: round(float(np.mean([metric(one) for one in found])), 4) for name, metric in metrics.METRICS.items()
        }
        penalty = {"penalty": fitting.penalty} if fitting.method == "vector" else {}
        yield {"method": fitting.method, "correction": fitting.correction, **penalty, **figures}


def fittings() -> Iterator[Fitting]:
    """Every calibration that is a candidate."""
    for correction in CORRECTIONS:
        yield Fitting("temperature", correction)
        yield from (Fitting("vector", correction, penalty) for penalty in PENALTIES)


def _scored(case: Case, logits: Logits, folds: NDArray[np.int64], fitting: Fitting) -> Scored:
    probabilities = np.zeros_like(logits)
    for fold in range(FOLDS):
        fitted, judged = folds != fold, folds == fold
        calibration = fit(fitting, logits[fitted], case.truth.labels[fitted])
        probabilities[judged] = calibrate(logits[judged], calibration)
    return Scored(case.truth.labels, probabilities, case.classes, case.malignant)


def folds_of(truth: Truth, seed: int) -> NDArray[np.int64]:
    """A fold from 0 for each image; lesions take turns within their class, so that every fold has the rare ones."""
    fold: dict[str, int] = {}
    random = np.random.default_rng(seed)
    for label in np.unique(truth.labels):
        lesions = dict.fromkeys(lesion for lesion, own in zip(truth.lesions, truth.labels, strict=True) if own == label)
        fold.update({str(lesion): place % FOLDS for place, lesion in enumerate(random.permutation(list(lesions)))})
    return np.array([fold[lesion] for lesion in truth.lesions])


def choose(settings: list[Setting]) -> Setting:
    """The rule that stands at the top of this file."""
    calibrated = [one for one in settings if float(one["expected_calibration_error"]) <= LARGEST_ECE]
    fitting = [one for one in calibrated if cost(one) <= LARGEST_COST]
    best = max(score(one) for one in fitting)
    close = [one for one in fitting if score(one) >= best - TIE]
    return min(close, key=lambda one: (cost(one), float(one["negative_log_likelihood"])))


def score(setting: Setting) -> float:
    """The mean of the three figures that are aimed at."""
    return sum(float(setting[name]) for name in AIMS) / len(AIMS)


def cost(setting: Setting) -> float:
    """Pixels that the networks see for one image."""
    return float(setting["networks"]) * float(setting["views"]) * float(setting["side"]) ** 2


if __name__ == "__main__":
    main()
