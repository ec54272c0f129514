"""How every figure of a report looks: one colour a class, in a light and a dark page, as PNG and as SVG.

The seven colours were chosen by a search near those of Okabe and Ito: at least 3:1 against the page, and any two at
least 28 apart (CIE76, unsimulated and under the three dichromacies of Machado et al., IEEE TVCG 15:1291, 2009).
Curves differ in their dashes too.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dermalens.core.bundle import Measured
from dermalens.core.files import write_whole
from dermalens.core.taxonomy import BINARY, CLASSES
from dermalens.evaluate.document_style import COLOURS, variable

INK: Final = COLOURS["ink"][0]
FAINT: Final = COLOURS["faint"][0]
GRID: Final = COLOURS["grid"][0]
PAPER: Final = COLOURS["paper"][0]
GOOD: Final = COLOURS["good"][0]
"""Right answers, the bundle, what is measured."""
BAD: Final = COLOURS["bad"][0]
"""Wrong answers, and what the bundle is held against."""

_SEVEN: Final = tuple(COLOURS[name][0] for name in "first second third fourth fifth sixth seventh".split())
_CLASS_COLOURS: Final = {**dict(zip(CLASSES, _SEVEN, strict=True)), BINARY[0]: _SEVEN[5], BINARY[1]: _SEVEN[4]}
"""Malignant has the colour of melanoma, benign that of the naevus."""
_DASHES: Final = ("-", (0, (6, 1.5)), (0, (2, 1)), (0, (5, 1.5, 1, 1.5)), "-", (0, (4, 1, 1, 1, 1, 1)), (0, (1, 1)))

WIDTH: Final = 5.2
"""Of a figure in inches: at 10 points the words can be read on a telephone of 360 pixels."""

_SETTINGS: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "dermalens",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.edgecolor": FAINT,
    "axes.facecolor": PAPER,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.facecolor": PAPER,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.handlelength": 2.4,
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """One figure of a report."""

    name: str
    """Of its files, such as `roc_curves`."""
    title: str
    alt: str
    """What it shows, in words, for those who cannot see it."""
    figure: Figure


def drawing() -> AbstractContextManager[None]:
    """Figures are drawn and saved within it: the settings of matplotlib are these and not the user's."""
    return matplotlib.style.context(["default", dict(_SETTINGS)])


def new_figure(height: float = 3.7) -> Figure:
    """An empty figure of the one width, `height` in inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def colour_of(code: str, classes: Sequence[str]) -> str:
    """The colour of a class, the same in every figure."""
    if code in _CLASS_COLOURS:
        return _CLASS_COLOURS[code]
    return _SEVEN[list(classes).index(code) % len(_SEVEN)] if code in classes else INK


def dashes_of(code: str, classes: Sequence[str]) -> str | tuple[int, tuple[float, ...]]:
    """The dashes of the curve of a class."""
    return _DASHES[list(classes).index(code) % len(_DASHES)] if code in classes else "-"


def grid(axes: Axes, axis: str = "both") -> None:
    """Thin lines behind the data; no marks at the numbers."""
    axes.grid(axis=axis, linewidth=0.7)  # type: ignore[arg-type]  # typed as a literal
    axes.tick_params(length=0)


def show_interval(axes: Axes, place: float, figure: Measured, colour: str) -> None:
    """A dot at the value on a line over its interval."""
    if figure.low is not None and figure.high is not None:
        axes.plot([figure.low, figure.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
    if figure.value is not None:
        axes.plot([figure.value], [place], "o", color=colour, markersize=6)


def save(drawn: Drawn, folder: Path) -> str:
    """Write `NAME.png` and `NAME.svg` into `folder`, each whole or not at all; gives the SVG for a page.

    Raises:
        OSError: a file cannot be written.
    """
    with drawing():
        picture, vector = io.BytesIO(), io.BytesIO()
        drawn.figure.savefig(picture, format="png", dpi=140)
        drawn.figure.set_layout_engine("none")  # it is laid out; a second time takes as long as the drawing
        drawn.figure.savefig(vector, format="svg", metadata={"Date": None, "Creator": None})
    write_whole(folder / f"{drawn.name}.png", picture.getbuffer())
    write_whole(folder / f"{drawn.name}.svg", vector.getbuffer())
    return inline(vector.getvalue().decode(), drawn)


def inline(svg: str, drawn: Drawn) -> str:
    """The SVG as part of a page: ids of its own, colours as variables of the page, its words for screen readers."""
    body = svg[svg.index("<svg") :].strip().replace("xlink:href", "href")
    body = re.sub(r"<metadata>.*?</metadata>\s*|<style.*?</style>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{drawn.name}-", body)
    body = re.sub(r"#[0-9a-f]{6}\b", lambda found: variable(found[0]), body)
    opening, rest = body[: body.index(">") + 1], body[body.index(">") + 1 :]
    box = re.search(r'viewBox="[^"]*"', opening)
    return f'<svg role="img" aria-label="{escape(drawn.alt)}" {box[0] if box else ""}>{rest}'
