"""The sections of a report beside the figures: groups, bad pictures, another bundle, heat maps, the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dermalens.core.bundle import Measured
from dermalens.evaluate.document import Block, Bullets, Picture, Section, Table
from dermalens.evaluate.evaluation_types import Discordance
from dermalens.evaluate.findings import Against, Findings
from dermalens.evaluate.report_names import p_words, plain_words, short_words, show
from dermalens.evaluate.report_sections import Pictures, chosen
from dermalens.evaluate.robustness import Robustness
from dermalens.evaluate.subgroups import Gap, Group, Subgroups

_OF_GROUP: Final = ("balanced_accuracy", "malignant_auc", "melanoma_auc", "sensitivity", "specificity")
_COMPARED: Final = (
    "accuracy",
    "balanced_accuracy",
    "binary_accuracy",
    "macro_auc",
    "macro_f1",
    "melanoma_auc",
    "malignant_auc",
    "sensitivity_at_specificity_90",
    "specificity_at_sensitivity_90",
    "expected_calibration_error",
    "brier_score",
    "negative_log_likelihood",
)
"""The differences that are shown; report.json has all."""


def subgroups(found: Subgroups, pictures: Pictures) -> Section:
    """Every group of every dimension, and the gaps."""
    blocks: list[Block] = [
        _groups_in_words(found),
    ]
    for name, groups in found.dimensions.items():
        blocks += [_groups(name, groups)]
        blocks += [found.notes[name]] if name in found.notes else []
        blocks += chosen(pictures, f"subgroups_{name}")
    gaps = [_gap(name, figure, gap) for name, of in found.gaps.items() for figure, gap in of.items()]
    if gaps:
        head = ("by", "figure", "gap (95 % interval)", "highest", "lowest")
        blocks.append(Table("The largest gaps between groups", head, tuple(gaps)))
    return Section("Subgroups", tuple(blocks))


def _groups_in_words(found: Subgroups) -> str:
    return (
        f"Sensitivity and specificity are those of referring at {found.threshold:.4f}. A gap lies between groups of at "
        f"least {found.least_images} images; as the two groups are chosen because they lie apart, its interval is "
        "somewhat too narrow. Balanced accuracy is over the classes that a group has."
    )


def _groups(dimension: str, groups: Sequence[Group]) -> Table:
    rows = tuple(
        (
            plain_words(group.name),
            f"{group.images:,} ({group.malignant})",
            *(_of_group(group, name) for name in _OF_GROUP),
        )
        for group in groups
    )
    head = ("group", "images (malignant)", *(short_words(name) for name in _OF_GROUP))
    return Table(f"By {plain_words(dimension)} (95 % interval)", head, rows)


def _of_group(group: Group, name: str) -> str:
    return f"not defined: {group.undefined[name]}" if name in group.undefined else show(group.figures[name])


def _gap(dimension: str, figure: str, gap: Gap) -> tuple[str, ...]:
    return plain_words(dimension), short_words(figure), show(gap.difference), gap.highest, gap.lowest


def robustness(found: Robustness, pictures: Pictures) -> Section:
    """What corruptions take away, and how often a small change turns the answer."""
    losses = tuple((plain_words(family), show(loss)) for family, loss in found.loss.items())
    flips = tuple(
        (plain_words(name), *(show(of[kind]) for kind in ("decision", "diagnosis", "either")))
        for name, of in found.flips.items()
    )
    return Section(
        "Robustness",
        (
            _robustness_in_words(found),
            Table(
                "Loss of balanced accuracy, mean over the severities (95 % interval)", ("corruption", "loss"), losses
            ),
            *chosen(pictures, "robustness"),
            Table(
                "Share of small steps (a degree, half a percent of the side) after which the answer is another",
                ("change", "decision", "most probable class", "either"),
                flips,
            ),
        ),
    )


def _robustness_in_words(found: Robustness) -> str:
    return (
        f"On {found.images:,} of the images, as many of each class as there are, whose balanced accuracy is "
        f"{show(found.clean['balanced_accuracy'])}. Mean loss of it over all corruptions and severities: "
        f"{show(found.mean_loss)}. The severities are those of DermaLens and compare with no other tool's."
    )


def against(found: Against, name: str) -> Section:
    """Two bundles on the same images."""
    tests = [_discordance("most probable class", found.paired.most_probable_class)]
    tests.append(_discordance("malignant or benign", found.paired.malignant_or_benign))
    return Section(
        f"Against {found.name}",
        (
            (
                f"{name} less {found.name} on the same images, with lesions drawn once for both. For accuracies and "
                "AUCs a difference above zero speaks for the first; for errors one below zero does."
            ),
            Table("Differences (95 % interval)", ("figure", "difference", "n"), tuple(compared_rows(found))),
            Table(
                "McNemar's test of right answers; it takes images as independent, which several of one lesion are not",
                ("right in", "only first", "only second", "exact p", "mid-p", "images"),
                tuple(row for row in tests if row),
            ),
        ),
    )


def compared_rows(found: Against) -> list[tuple[str, str, str]]:
    """The main figures with their differences and the images behind them."""
    differences = found.paired.differences
    return [
        (short_words(name), difference_words(differences[name]), str(differences[name].n))
        for name in _COMPARED
        if name in differences
    ]


def difference_words(figure: Measured) -> str:
    """A difference with its sign.

    >>> difference_words(Measured(value=0.5, low=-0.25, high=0.75, n=4))
    '+0.500 (-0.250 to +0.750)'
    """
    if figure.value is None:
        return "not defined"
    if figure.low is None or figure.high is None:
        return f"{figure.value:+.3f} (no interval)"
    return f"{figure.value:+.3f} ({figure.low:+.3f} to {figure.high:+.3f})"


def _discordance(what: str, found: Discordance | None) -> tuple[str, ...]:
    if found is None:
        return ()
    numbers = (f"{found.first_only}", f"{found.second_only}", p_words(found.exact_p), p_words(found.mid_p))
    return (what, *numbers, str(found.images))


def explanation(findings: Findings, pictures: Pictures) -> Section | None:
    """Heat maps, and how far they can be trusted; None without any."""
    blocks: list[Block] = []
    if findings.faithfulness:
        blocks.append(
            "Deletion takes the hottest pixels away first, insertion brings them in first; a heat map that shows what "
            "the answer rests on has a small area in the first and a large one in the second. It is held against a "
            "random map that is as smooth. Gain: deletion "
            f"{show(findings.faithfulness.deletion_gain)}, insertion {show(findings.faithfulness.insertion_gain)}, "
            f"on {findings.faithfulness.deletion.n} images."
        )
        blocks += chosen(pictures, "faithfulness")
    if findings.inside:
        blocks.append(
            f"Share of the heat inside the lesion's outline: {show(findings.inside.mass)}; the lesion is "
            f"{show(findings.inside.lesion_share)} of the square. The hottest pixel lies on the lesion in "
            f"{show(findings.inside.pointing)} of {findings.inside.pointing.n} images."
        )
    if findings.galleries:
        blocks.append("The images of the galleries are drawn at random; each heat map is that of the class given.")
        blocks += [
            Picture(title=title, alt=f"{title}: heat maps over images.", jpeg=jpeg, wide=True)
            for title, jpeg in findings.galleries.items()
        ]
    return Section("Heat maps", tuple(blocks)) if blocks else None


def learning(pictures: Pictures) -> Section | None:
    """The learning curves; None without the run."""
    return Section("Training", chosen(pictures, "training_curves")) if "training_curves" in pictures else None


def reproduction(findings: Findings) -> Section:
    """What was typed, on what, and how long it took."""
    subject = findings.subject
    settings = findings.evaluation.settings
    lines = [
        f"command: `{subject.command}`",
        f"images: {subject.images_from}" + (f", split `{subject.split_sha256}`" if subject.split_sha256 else ""),
        *([f"bundle: `{subject.sha256}` (SHA-256 of `bundle.json`)"] if subject.sha256 else []),
        f"bootstrap: {settings.draws:,} draws of lesions, seed {settings.seed}",
        *(f"{step}: {seconds:.1f} s" for step, seconds in findings.seconds.items()),
    ]
    return Section("How to reproduce", (Bullets(tuple(lines)),))
