"""Learning curves: loss, balanced accuracy, macro AUC and learning rate by epoch, as one PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dermalens.core.files import write_whole
from dermalens.train.epochs import EpochRecord, best_record

CURVES = "curves.png"

_PANELS = (
    ("Loss", (("train_loss", "training"), ("val_loss", "validation"))),
    ("Balanced accuracy", (("val_balanced_accuracy", "validation"),)),
    ("Macro AUC", (("val_macro_auc", "validation"),)),
    ("Learning rate at the end of the epoch", (("lr", ""),)),
)


def draw_curves(records: Sequence[EpochRecord], target: Path) -> None:
    """Draw the records as PNG, whole or not at all; a dotted line marks the epoch of the best checkpoint."""
    figure = Figure(figsize=(10, 6.4), layout="constrained", dpi=120)
    best = best_record(records).epoch
    for axes, (title, lines) in zip(figure.subplots(2, 2).flat, _PANELS, strict=True):
        _draw_panel(axes, records, lines)
        axes.set_title(title, fontsize=11)
        axes.axvline(best, color="0.4", linestyle=":", linewidth=1)
    figure.suptitle(f"Dotted: epoch {best}, the best checkpoint", fontsize=10, color="0.3")
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    write_whole(target, picture.getbuffer())


def _draw_panel(axes: Axes, records: Sequence[EpochRecord], lines: tuple[tuple[str, str], ...]) -> None:
    epochs = [record.epoch for record in records]
    for (name, label), colour in zip(lines, ("#1b6ca8", "#d1495b"), strict=False):
        axes.plot(epochs, [getattr(record, name) for record in records], "o-", color=colour, markersize=3, label=label)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    if len(lines) > 1:
        axes.legend(frameon=False)
