"""The audit's one figure: how many images of each diagnosis each part has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dermalens.core.errors import DataError, MissingExtraError
from dermalens.core.taxonomy import DIAGNOSES
from dermalens.data.audit import Audit

COLOURS: Mapping[str, str] = {"train": "#0072B2", "val": "#E69F00", "test": "#009E73", "": "#56606B"}
"""Of the Okabe-Ito palette, told apart with any colour vision."""


def draw_class_distribution(audit: Audit, target: Path) -> None:
    """Write a PNG of bars on a logarithmic axis, with the number of images at each.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DataError: the file cannot be written.
    """
    try:
        from matplotlib.axes import Axes
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("The figure", "eval") from error
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    axes: Axes = figure.subplots()
    counts = audit.by_property["diagnosis"]
    labels = sorted(counts, key=lambda label: sum(counts[label].values()))
    height = 0.8 / len(audit.parts)
    for number, part in enumerate(audit.parts):
        images = [counts[label].get(part, 0) for label in labels]
        places = [line + 0.4 - height * (number + 0.5) for line in range(len(labels))]
        name = f"{part or 'all'} ({sum(images):,})"
        bars = axes.barh(places, images, height=height * 0.9, color=COLOURS[part], label=name)
        axes.bar_label(bars, [f"{count:,}" for count in images], padding=3, fontsize=9)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(0, 3 * max(sum(of_part.values()) for of_part in counts.values()))
    axes.set_yticks(range(len(labels)), [_name(label) for label in labels])
    axes.xaxis.set_major_formatter(lambda count, _: f"{count:,.0f}")
    axes.set_xlabel("images (logarithmic)")
    axes.set_title(f"{audit.images:,} images of {audit.lesions:,} lesions", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False)
    try:
        target.resolve().parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, dpi=120, format="png")
    except OSError as error:
        raise DataError(f"Cannot write {target}: {error.strerror}.") from error


def _name(label: str) -> str:
    return f"{DIAGNOSES[label].name}  {label}" if label in DIAGNOSES else label
