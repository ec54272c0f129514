"""How much of a bundle's figures is left when pictures are bad, and how often a small change turns its answer.

D. Hendrycks, T. Dietterich, Benchmarking neural network robustness to common corruptions and perturbations, ICLR 2019.
Unlike their mean corruption error and flip rate, the figures here are not divided by those of another network.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.core.bundle import Measured
from dermalens.data.index import Row
from dermalens.evaluate.bootstrap import Drawn, Samples, lesion_samples, measured
from dermalens.evaluate.group_figures import figures_of, kinds_of, with_intervals
from dermalens.evaluate.metrics import Scored
from dermalens.evaluate.points import referred
from dermalens.evaluate.predictions import Probabilities, malignant_mask, truth_of
from dermalens.evaluate.robustness_answers import CLEAN, Answers, RobustnessOptions, answers_to_changes
from dermalens.predict.classifier import Classifier

LOST: Final = "balanced_accuracy"
"""The figure whose loss is summed up."""

FLIPS: Final = ("decision", "diagnosis", "either")
"""What of an answer may turn."""

KEPT: Final = ("balanced_accuracy", "malignant_auc", "sensitivity", "specificity")
"""Of `dermalens.evaluate.group_figures.NEEDS`; sensitivity and specificity are those of the default operating point."""

Figures = dict[str, Measured]


@dataclass(frozen=True, slots=True)
class Robustness:
    """What corruptions and perturbations do to the figures of a bundle, with 95 % intervals over lesions."""

    images: int
    lesions: int
    of_class: dict[str, int]
    """Images of each class among those judged."""
    operating_point: str
    options: RobustnessOptions
    clean: Figures
    """Of the same images as they are."""
    corrupted: dict[str, dict[str, Figures]]
    """By family and severity ("1" to "5")."""
    loss: Figures
    """By family: balanced accuracy of the images as they are less that under the family, mean over the severities."""
    loss_at: Figures
    """By severity: the same, mean over the families."""
    mean_loss: Measured
    """Mean over all families and severities."""
    flips: dict[str, Figures]
    """By perturbation, and of all of them as `mean`: the share of steps after which `decision` (refer or reassure),
    `diagnosis` (the most probable class) or `either` is another than before the step."""


def judge_robustness(
    classifier: Classifier,
    rows: Sequence[Row],
    options: RobustnessOptions | None = None,
    *,
    advance: Callable[[int], None] | None = None,
) -> Robustness:
    """Judge a bundle on changed squares of `rows`; `advance` is told how many more squares are done, of `options.runs`.

    Raises:
        DataError: no rows, labels that the bundle does not know, or options that cannot be met.
    """
    asked = options or RobustnessOptions()
    asked.check()
    chosen = stratified(rows, classifier.manifest.classes, asked)
    answers = answers_to_changes(classifier, chosen, asked, advance=advance)
    return summarise(classifier, chosen, asked, answers)


def stratified(rows: Sequence[Row], classes: Sequence[str], options: RobustnessOptions) -> list[Row]:
    """At most `options.images` rows in their order, as many of each class as there are, drawn at random.

    Balanced accuracy weighs all classes alike, so that it is known best from as many images of each. A second image of
    a lesion is taken only when every lesion of its class has one.

    Raises:
        DataError: no rows, or labels that the bundle does not know.
    """
    truth = truth_of(rows, classes)
    if options.images is None or options.images >= len(rows):
        return list(rows)
    images_of: Counter[str] = Counter()
    of_class: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for place, row in enumerate(np.random.default_rng(options.seed).permutation(len(rows)).tolist()):
        lesion = truth.lesions[row]
        of_class[int(truth.labels[row])].append((images_of[lesion], place, row))
        images_of[lesion] += 1
    in_turn = sorted(
        (turn, label, row) for label, found in of_class.items() for turn, (_, _, row) in enumerate(sorted(found))
    )
    return [rows[row] for row in sorted(row for _, _, row in in_turn[: options.images])]


def summarise(
    classifier: Classifier, rows: Sequence[Row], options: RobustnessOptions, answers: Mapping[str, Answers]
) -> Robustness:
    """The figures of what `answers_to_changes` gave for `rows`."""
    manifest, point = classifier.manifest, classifier.operating_point()
    truth = truth_of(rows, manifest.classes)
    unchanged = Scored(truth.labels, answers[CLEAN][:, 0], tuple(manifest.classes), malignant_mask(manifest))
    judge = _Judge(unchanged, point.threshold, lesion_samples(truth, draws=options.draws, seed=options.seed))
    clean = judge.values(unchanged.probabilities)
    values = {
        family: {str(at): judge.values(answers[family][:, place]) for place, at in enumerate(options.severities)}
        for family in options.families
    }
    lost = np.array([[clean[LOST] - of[LOST] for of in by_severity.values()] for by_severity in values.values()])
    counts = np.bincount(truth.labels, minlength=len(manifest.classes)).tolist()
    return Robustness(
        images=len(rows),
        lesions=len(set(truth.lesions)),
        of_class=dict(zip(manifest.classes, counts, strict=True)),
        operating_point=point.name,
        options=options,
        clean=judge.figures(clean),
        corrupted={
            family: {at: judge.figures(of) for at, of in by_severity.items()} for family, by_severity in values.items()
        },
        loss={family: judge.of_all(lost[place].mean(axis=0)) for place, family in enumerate(options.families)},
        loss_at={str(at): judge.of_all(lost[:, place].mean(axis=0)) for place, at in enumerate(options.severities)},
        mean_loss=judge.of_all(lost.mean(axis=(0, 1))),
        flips=_flips(judge, {name: answers[name] for name in options.perturbations}),
    )


@dataclass(frozen=True, slots=True)
class _Judge:
    """What turns probabilities into figures: the answers to clean images, the operating point and the bootstrap."""

    clean: Scored
    threshold: float
    samples: Samples

    def scored(self, probabilities: Probabilities) -> Scored:
        """The same images with other answers."""
        return replace(self.clean, probabilities=probabilities)

    def values(self, probabilities: Probabilities) -> dict[str, Drawn]:
        """Each figure of `KEPT` of the images and of every draw [1 + draws]."""
        found = figures_of(self.scored(probabilities), self.threshold, self.samples)
        return {name: found[name] for name in KEPT}

    def figures(self, values: Mapping[str, Drawn]) -> Figures:
        """The same with intervals."""
        return with_intervals(values, kinds_of(self.clean))

    def of_all(self, values: Drawn) -> Measured:
        """A figure of all images [1 + draws] with its interval."""
        return measured(values, len(self.clean.labels))


def _flips(judge: _Judge, answers: Mapping[str, Answers]) -> dict[str, Figures]:
    """The flip rate of each sequence, and of all their steps together as `mean`."""
    changed = {name: _changed(judge, of) for name, of in answers.items()}
    changed["mean"] = {kind: np.mean([of[kind] for of in changed.values()], axis=0) for kind in FLIPS}
    total = judge.samples.sum(axis=1)
    return {
        name: {kind: judge.of_all(judge.samples @ share / total) for kind, share in of.items()}
        for name, of in changed.items()
    }


def _changed(judge: _Judge, answers: Answers) -> dict[str, NDArray[np.float64]]:
    """For each image the share of steps after which its answer is another [images]."""
    variants = [judge.scored(answers[:, place]) for place in range(answers.shape[1])]
    decision = np.stack([referred(variant, judge.threshold) for variant in variants])
    diagnosis = np.stack([variant.probabilities.argmax(axis=1) for variant in variants])
    is_other = [decision[1:] != decision[:-1], diagnosis[1:] != diagnosis[:-1]]
    both = (*is_other, is_other[0] | is_other[1])
    return {kind: flips.mean(axis=0) for kind, flips in zip(FLIPS, both, strict=True)}
