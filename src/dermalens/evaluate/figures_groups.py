"""Figures of groups of people, of bad pictures and of heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from dermalens.core.bundle import Measured
from dermalens.evaluate.faithfulness import Faithfulness
from dermalens.evaluate.figure_style import BAD, FAINT, GOOD, Drawn, grid, new_figure, show_interval
from dermalens.evaluate.report_names import interval_words, plain_words, value_words
from dermalens.evaluate.robustness import Robustness
from dermalens.evaluate.subgroups import Group, Subgroups

_SHOWN: Final = {"balanced_accuracy": "Balanced accuracy", "malignant_auc": "Malignant AUC"}
_MOST: Final = 0.3
"""The loss of balanced accuracy at which a cell has its full colour."""


def subgroups(found: Subgroups) -> list[Drawn]:
    """For each dimension the figures of its groups side by side."""
    return [
        _dimension(name, groups, found.least_images) for name, groups in found.dimensions.items() if len(groups) > 1
    ]


def _dimension(dimension: str, groups: Sequence[Group], least_images: int) -> Drawn:
    figure = new_figure(0.34 * len(groups) + 1.2)
    panels: Sequence[Axes] = figure.subplots(1, len(_SHOWN), sharey=True).tolist()
    for axes, (name, title) in zip(panels, _SHOWN.items(), strict=True):
        for place, group in enumerate(groups):
            show_interval(axes, place, group.figures[name], GOOD if group.images >= least_images else FAINT)
        axes.set_title(title)
        _to_one(axes)
        grid(axes)
    panels[0].set_yticks(range(len(groups)), [f"{group.name} ({group.images:,})" for group in groups])
    panels[0].set_ylim(len(groups) - 0.4, -0.6)
    listed = "; ".join(f"{group.name} {value_words(group.figures['malignant_auc'])}" for group in groups)
    alt = f"Balanced accuracy and malignant AUC by {plain_words(dimension)}. Malignant AUC: {listed}."
    return Drawn(f"subgroups_{dimension}", f"By {plain_words(dimension)}", alt, figure)


def _to_one(axes: Axes) -> None:
    """The axis ends a little after 1, so that a dot there is whole."""
    low = min(axes.get_xlim()[0], 0.95)
    axes.set_xlim(low, 1 + 0.04 * (1 - low))


def robustness(found: Robustness) -> Drawn:
    """Loss of balanced accuracy by family and severity."""
    families, severities = list(found.corrupted), list(found.loss_at)
    figure = new_figure(0.3 * len(families) + 1.0)
    axes: Axes = figure.subplots()
    clean = found.clean["balanced_accuracy"].value or 0.0
    for row, family in enumerate(families):
        for column, at in enumerate(severities):
            _cell(axes, column, row, clean, found.corrupted[family][at]["balanced_accuracy"])
    axes.set_xlim(-0.5, len(severities) - 0.5)
    axes.set_ylim(len(families) - 0.5, -0.5)
    axes.set_xticks(range(len(severities)), severities)
    axes.set_yticks(range(len(families)), [plain_words(family) for family in families])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("severity")
    worst = max(families, key=lambda family: found.loss[family].value or 0.0)
    alt = (
        "Table of the loss of balanced accuracy by corruption and severity; mean "
        f"{interval_words(found.mean_loss, 3)}, the most under {plain_words(worst)} "
        f"({interval_words(found.loss[worst], 3)})."
    )
    return Drawn("robustness", "Loss of balanced accuracy under corruptions", alt, figure)


def _cell(axes: Axes, column: int, row: int, clean: float, figure: Measured) -> None:
    if figure.value is None:
        axes.text(column, row, "-", ha="center", va="center", color=FAINT)
        return
    loss = clean - figure.value
    opacity = 0.65 * min(max(loss / _MOST, 0), 1)
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=BAD, alpha=opacity, linewidth=0))
    axes.text(column, row, f"{loss:.2f}".replace("-0.00", "0.00"), ha="center", va="center", fontsize=9)


def faithfulness(found: Faithfulness) -> Drawn:
    """Areas under the deletion and insertion curves, of the heat maps and of random maps."""
    figure = new_figure(2.4)
    axes: Axes = figure.subplots()
    lines = (
        ("deletion, heat map", found.deletion, GOOD),
        ("deletion, random map", found.deletion_random, FAINT),
        ("insertion, heat map", found.insertion, GOOD),
        ("insertion, random map", found.insertion_random, FAINT),
    )
    for place, (_, area, colour) in enumerate(lines):
        show_interval(axes, place, area, colour)
    axes.set_yticks(range(len(lines)), [words for words, _, _ in lines])
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xlabel("area under the curve")
    grid(axes)
    listed = "; ".join(f"{words} {interval_words(area, 3)}" for words, area, _ in lines)
    return Drawn("faithfulness", "Deletion and insertion", f"Areas under the curves: {listed}.", figure)
