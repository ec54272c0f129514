"""Figures of decisions and of the run: net benefit by threshold, and the learning curves."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dermalens.core.errors import DataError
from dermalens.evaluate.evaluation_types import DecisionCurve
from dermalens.evaluate.figure_style import BAD, FAINT, GOOD, INK, Drawn, grid, new_figure

RUN_LOG: Final = "metrics.csv"
"""The log of a run, one line an epoch (train/epochs.py writes it)."""

_CURVES: Final = (
    ("Loss", {"train_loss": "training", "val_loss": "validation"}),
    ("Balanced accuracy", {"val_balanced_accuracy": "validation"}),
    ("Macro AUC", {"val_macro_auc": "validation"}),
)

History = Mapping[str, Sequence[float]]
"""Each column of the log by name; NaN where it has no number."""


def decision_curve(curve: DecisionCurve, *, name: str, title: str) -> Drawn:
    """Net benefit of the bundle beside referring all and none."""
    figure = new_figure(4.2)
    axes: Axes = figure.subplots()
    model = [point.value if point.value is not None else math.nan for point in curve.model]
    bands = [(point.low, point.high) for point in curve.model]
    if all(low is not None and high is not None for low, high in bands):
        lows, highs = zip(*bands, strict=True)
        axes.fill_between(curve.thresholds, lows, highs, color=GOOD, alpha=0.2, linewidth=0)
    axes.plot(curve.thresholds, model, color=GOOD, linewidth=2, label="refer by the bundle")
    axes.plot(curve.thresholds, curve.treat_all, color=BAD, linestyle=(0, (6, 2)), linewidth=1.5, label="refer all")
    axes.plot(curve.thresholds, curve.treat_none, color=FAINT, linestyle=(0, (2, 2)), linewidth=1.5, label="refer none")
    highest = max((value for value in (*model, *curve.treat_all) if not math.isnan(value)), default=0.1)
    axes.set_ylim(-0.35 * highest, 1.15 * highest)
    axes.set_xlim(curve.thresholds[0], curve.thresholds[-1])
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    axes.set_xlabel("threshold probability")
    axes.set_ylabel("net benefit an image")
    grid(axes)
    figure.legend(loc="outside lower center", ncols=3)
    alt = f"Net benefit at a malignant share of {curve.prevalence:.3f}: {_benefits(curve)}."
    return Drawn(name, title, alt, figure)


def _benefits(curve: DecisionCurve) -> str:
    chosen = [number for number, share in enumerate(curve.thresholds) if round(100 * share) in (5, 10, 20, 30)]
    return "; ".join(
        f"at {100 * curve.thresholds[number]:.0f} % the bundle "
        f"{'is not defined' if (value := curve.model[number].value) is None else f'has {value:.3f}'}, "
        f"all {curve.treat_all[number]:.3f}"
        for number in chosen
    )


def read_history(folder: Path) -> History:
    """The log of a run.

    Raises:
        DataError: no log in the folder, or one without epochs and validation figures.
    """
    source = folder / RUN_LOG
    try:
        with source.open(newline="", encoding="utf-8") as stream:
            records = list(csv.DictReader(stream))
        return {name: [float(record[name]) for record in records] for name in _columns(records, source)}
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror}. Name the folder of a run with --run.") from error
    except (TypeError, ValueError) as error:
        raise DataError(f"{source} is not the log of a run: {error}. Name the folder of a run with --run.") from error


def _columns(records: Sequence[Mapping[str, str]], source: Path) -> list[str]:
    needed = ["epoch", *(name for _, lines in _CURVES for name in lines)]
    missing = [name for name in needed if not records or name not in records[0]]
    if missing:
        raise DataError(
            f"{source} is not the log of a run: it has no {', '.join(missing)}. Name the folder of a run with --run."
        )
    return needed


def training_curves(history: History) -> Drawn:
    """Loss, balanced accuracy and macro AUC by epoch; a dotted line at the best epoch."""
    figure = new_figure(6.2)
    panels: Sequence[Axes] = figure.subplots(3, 1, sharex=True).tolist()
    best = _best(history)
    for axes, (title, lines) in zip(panels, _CURVES, strict=True):
        _panel(axes, history, lines)
        axes.set_title(title)
        axes.axvline(history["epoch"][best], color=FAINT, linestyle=(0, (2, 2)), linewidth=1.2)
    panels[-1].set_xlabel(f"epoch (dotted: {history['epoch'][best]:.0f}, the best by balanced accuracy)")
    reached = history["val_balanced_accuracy"][best]
    alt = (
        f"Learning curves over {len(history['epoch'])} epochs; the best is epoch {history['epoch'][best]:.0f} with a "
        f"balanced accuracy of {reached:.3f} on the validation part."
    )
    return Drawn("training_curves", "Learning curves", alt, figure)


def _best(history: History) -> int:
    """The first epoch of the highest balanced accuracy, as the run chose its checkpoint."""
    reached = [-math.inf if math.isnan(value) else value for value in history["val_balanced_accuracy"]]
    return reached.index(max(reached))


def _panel(axes: Axes, history: History, lines: Mapping[str, str]) -> None:
    for (name, label), colour in zip(lines.items(), (GOOD, BAD) if len(lines) > 1 else (INK,), strict=True):
        dashes = (0, (5, 1.5)) if label == "training" else "-"
        axes.plot(history["epoch"], history[name], color=colour, linestyle=dashes, linewidth=1.6, label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    grid(axes)
    if len(lines) > 1:
        axes.legend(loc="upper right")
