"""Figures of the classes: how many there are, which are taken for which, and how well each is found."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from dermalens.core.bundle import Measured
from dermalens.evaluate.evaluation_types import MALIGNANT, Curve, Evaluation
from dermalens.evaluate.figure_style import FAINT, INK, Drawn, colour_of, dashes_of, grid, new_figure
from dermalens.evaluate.report_names import class_words, interval_words, value_words

CELL_OPACITY = 0.5
"""Of a confusion cell that holds its whole row; words stay readable on it, in a light and in a dark page."""

_OF_CLASS = (("sensitivity", "Sensitivity"), ("precision", "Precision"), ("f1", "F1"), ("auc", "AUC"))


def class_distribution(evaluation: Evaluation) -> Drawn:
    """Images and lesions of each class, on a logarithmic axis."""
    figure = new_figure(0.36 * len(evaluation.classes) + 1.2)
    axes: Axes = figure.subplots()
    counts = evaluation.distribution
    for place, code in enumerate(evaluation.classes):
        count = counts[code]
        colour = colour_of(code, evaluation.classes)
        axes.barh(place, count.images, height=0.66, color=colour)
        words, end = f"{count.images:,} ({count.lesions:,} lesions)", (count.images, place)
        axes.annotate(words, end, (4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(0, 40 * max(count.images for count in counts.values()))
    axes.xaxis.set_major_formatter(lambda count, _: f"{count:,.0f}")
    _class_rows(axes, evaluation.classes)
    axes.set_xlabel("images (logarithmic)")
    grid(axes, "x")
    listed = "; ".join(f"{code} {counts[code].images}" for code in evaluation.classes)
    return Drawn("class_distribution", "Images of each class", f"Bars: images of each class. {listed}.", figure)


def confusion_counts(evaluation: Evaluation) -> Drawn:
    """The confusion matrix in images."""
    counts = evaluation.confusion.counts
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    words = [[str(count) for count in row] for row in counts]
    wrong = sum(sum(row) for row in counts) - sum(row[place] for place, row in enumerate(counts))
    alt = f"Table of labels against given classes in images; {wrong} of {evaluation.images} are off the diagonal."
    return _confusion(
        evaluation.classes, shares, words, Drawn("confusion_counts", "Confusion: images", alt, new_figure(4.6))
    )


def confusion_shares(evaluation: Evaluation) -> Drawn:
    """The confusion matrix as shares of the images of each row; its diagonal holds the sensitivities."""
    shares = [[cell.value for cell in row] for row in evaluation.confusion.shares]
    words = [["" if share is None else f"{share:.2f}" for share in row] for row in shares]
    found = (f"{code} {words[place][place] or 'none'}" for place, code in enumerate(evaluation.classes))
    alt = f"Table of labels against given classes as shares of each row; on the diagonal {', '.join(found)}."
    drawn = Drawn("confusion_shares", "Confusion: shares of each row", alt, new_figure(4.6))
    return _confusion(evaluation.classes, [[share or 0.0 for share in row] for row in shares], words, drawn)


def _confusion(
    classes: Sequence[str], shares: Sequence[Sequence[float]], words: Sequence[Sequence[str]], drawn: Drawn
) -> Drawn:
    axes: Axes = drawn.figure.subplots()
    for row, code in enumerate(classes):
        for column, share in enumerate(shares[row]):
            colour = colour_of(code, classes)
            axes.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour, alpha=CELL_OPACITY * share, linewidth=0)
            )
            weight = "bold" if row == column else "normal"
            axes.text(column, row, words[row][column], ha="center", va="center", fontsize=9.5, weight=weight)
    size = len(classes)
    axes.set_xticks([place - 0.5 for place in range(size + 1)], minor=True)
    axes.set_yticks([place - 0.5 for place in range(size + 1)], minor=True)
    axes.grid(which="minor", linewidth=0.7)
    axes.set_xticks(range(size), classes)
    axes.set_yticks(range(size), classes)
    axes.set_xlim(-0.5, size - 0.5)
    axes.set_ylim(size - 0.5, -0.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_aspect("equal")
    axes.set_xlabel("given")
    axes.set_ylabel("label")
    return drawn


def per_class_bars(evaluation: Evaluation) -> Drawn:
    """Sensitivity, precision, F1 and AUC of each class with their intervals."""
    figure = new_figure(0.62 * len(evaluation.classes) + 1.6)
    grid_of = figure.subplots(2, 2, sharey=True)
    for axes, (name, title) in zip(grid_of.flat, _OF_CLASS, strict=True):
        for place, code in enumerate(evaluation.classes):
            _bar(axes, place, evaluation.per_class[code][name], colour_of(code, evaluation.classes))
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
        axes.set_title(title)
        _class_rows(axes, evaluation.classes)
        grid(axes, "x")
    found = (f"{code} {value_words(evaluation.per_class[code]['sensitivity'])}" for code in evaluation.classes)
    alt = f"Bars with 95 % intervals of sensitivity, precision, F1 and AUC by class. Sensitivity: {', '.join(found)}."
    return Drawn("per_class", "Each class, with 95 % intervals", alt, figure)


def _bar(axes: Axes, place: int, figure: Measured, colour: str) -> None:
    """A bar to the value and a line over its interval; a word where there is no value."""
    if figure.value is None:
        axes.text(0.02, place, "not defined", va="center", fontsize=8, color=FAINT)
        return
    axes.barh(place, figure.value, height=0.62, color=colour, alpha=0.55)
    if figure.low is not None and figure.high is not None:
        axes.plot([figure.low, figure.high], [place, place], color=INK, linewidth=1.6, solid_capstyle="butt")


def _class_rows(axes: Axes, classes: Sequence[str]) -> None:
    axes.set_yticks(range(len(classes)), classes)
    axes.set_ylim(len(classes) - 0.4, -0.6)


def roc_curves(evaluation: Evaluation) -> Drawn:
    """One against the rest for every class, and the malignant sum."""
    return _curves(
        evaluation,
        evaluation.roc,
        Drawn("roc_curves", "ROC curves, one against the rest", _areas("ROC", "AUC", evaluation.roc), new_figure(5.2)),
        ("1 - specificity", "sensitivity", "AUC"),
    )


def precision_recall_curves(evaluation: Evaluation) -> Drawn:
    """Precision over recall for every class, and the malignant sum."""
    curves = evaluation.precision_recall
    alt = _areas("Precision-recall", "average precision", curves)
    drawn = Drawn("precision_recall_curves", "Precision-recall curves, one against the rest", alt, new_figure(5.2))
    return _curves(evaluation, curves, drawn, ("recall (sensitivity)", "precision", "AP"))


def _areas(kind: str, area: str, curves: dict[str, Curve]) -> str:
    listed = ", ".join(f"{class_words(name)} {value_words(curve.area)}" for name, curve in curves.items())
    return f"{kind} curves by class; {area}: {listed or 'none is defined'}."


def _curves(evaluation: Evaluation, curves: dict[str, Curve], drawn: Drawn, words: tuple[str, str, str]) -> Drawn:
    axes: Axes = drawn.figure.subplots()
    for name, curve in curves.items():
        is_sum = name == MALIGNANT
        axes.plot(
            curve.x,
            curve.y,
            color=INK if is_sum else colour_of(name, evaluation.classes),
            linestyle=dashes_of(name, evaluation.classes),
            linewidth=2.2 if is_sum else 1.6,
            label=f"{class_words(name)} {words[2]} {interval_words(curve.area)}",
        )
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_xlabel(words[0])
    axes.set_ylabel(words[1])
    grid(axes)
    if curves:
        drawn.figure.legend(loc="outside lower center", ncols=2, columnspacing=1.2)
    else:
        axes.text(0.5, 0.5, "not defined: one class only", ha="center", color=FAINT)
    return drawn
