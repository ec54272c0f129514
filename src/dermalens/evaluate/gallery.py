"""Grad-CAM galleries: where a bundle looked, class by class, and where it was right against where it was wrong.

The images are drawn at random, so that a gallery shows the rule and not the best cases. Each heat map is that of the
class which the bundle gave, right or wrong.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dermalens.core.decision import calibrate
from dermalens.core.errors import DataError
from dermalens.core.files import write_whole
from dermalens.data.index import Row
from dermalens.evaluate.judge import logits_of, read_squares
from dermalens.evaluate.predictions import Labels, Probabilities, truth_of
from dermalens.predict.classifier import Classifier
from dermalens.predict.explain import Explanation, colours, explain

RIGHT, WRONG = "#00724D", "#B3361C"
"""Told apart with any colour vision; the caption says it in words too."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Labelled images with what a bundle says of them."""

    classifier: Classifier
    rows: Sequence[Row]
    labels: Labels
    probabilities: Probabilities
    """[images, classes], calibrated."""

    @property
    def given(self) -> Labels:
        """The most probable class of each image."""
        return np.asarray(self.probabilities.argmax(axis=1))


@dataclass(frozen=True, slots=True)
class Tile:
    """One image of a gallery."""

    label: str
    explanation: Explanation
    """Of the class that was given."""
    probability: float


@dataclass(frozen=True, slots=True)
class Gallery:
    """Lines of tiles under one title; every line is filled up with empty places to `columns`."""

    title: str
    columns: tuple[str, ...]
    """A heading over each column."""
    lines: Mapping[str, Sequence[Tile | None]]


def judge_rows(classifier: Classifier, rows: Sequence[Row], *, advance: Callable[[int], None] | None = None) -> Judged:
    """Ask a bundle about all of `rows`.

    Raises:
        DataError: no rows, or labels that the bundle does not know.
    """
    labels = truth_of(rows, classifier.manifest.classes).labels
    logits = logits_of(classifier, rows, advance=advance)
    return Judged(classifier, rows, labels, calibrate(logits, classifier.manifest.calibration))


def class_gallery(judged: Judged, *, each: int = 6, seed: int = 0) -> Gallery:
    """A line for each class with `each` images of it, whatever they were taken for."""
    random = np.random.default_rng(seed)
    lines = {
        code: _tiles(judged, _draw(judged.labels == number, each, random), each)
        for number, code in enumerate(judged.classifier.manifest.classes)
    }
    return Gallery("Images of each class", ("",) * each, lines)


def right_and_wrong(judged: Judged, *, each: int = 3, seed: int = 0) -> Gallery:
    """A line for each class: on the left images of it that were given it, on the right images that were not."""
    random = np.random.default_rng(seed)
    is_right = judged.given == judged.labels
    lines = {}
    for number, code in enumerate(judged.classifier.manifest.classes):
        drawn = [_draw((judged.labels == number) & side, each, random) for side in (is_right, ~is_right)]
        lines[code] = [tile for chosen in drawn for tile in _tiles(judged, chosen, each)]
    return Gallery("Right against wrong", ("right",) * each + ("wrong",) * each, lines)


def _draw(among: NDArray[np.bool_], number: int, random: np.random.Generator) -> NDArray[np.int64]:
    return np.sort(random.permutation(np.flatnonzero(among))[:number])


def _tiles(judged: Judged, chosen: NDArray[np.int64], places: int) -> list[Tile | None]:
    tiles: list[Tile | None] = [_tile(judged, int(place)) for place in chosen]
    return tiles + [None] * (places - len(tiles))


def _tile(judged: Judged, place: int) -> Tile:
    classes = judged.classifier.manifest.classes
    squares = read_squares([judged.rows[place]], judged.classifier.manifest.preprocess)
    given = int(judged.given[place])
    explanation = explain(judged.classifier.run(squares).heatmaps[0, given], squares[0], code=classes[given])
    probability = float(judged.probabilities[place, given])
    return Tile(classes[int(judged.labels[place])], explanation, probability)


def draw_gallery(gallery: Gallery, target: Path, *, photographs: bool = True) -> None:
    """Write a gallery as PNG, whole or not at all.

    Without `photographs` the heat maps stand alone, so that the figure holds no picture of a data set.

    Raises:
        DataError: the file cannot be written.
    """
    shape = (len(gallery.lines), len(gallery.columns))
    figure = Figure(figsize=(1.5 * shape[1] + 1.0, 1.8 * shape[0] + 0.7), layout="constrained", dpi=80)
    grid = figure.subplots(*shape, squeeze=False)
    for line, (code, tiles) in zip(grid, gallery.lines.items(), strict=True):
        line[0].set_ylabel(code, rotation=0, ha="right", va="center", fontsize=11, labelpad=8)
        for axes, tile in zip(line, tiles, strict=True):
            _draw_tile(axes, tile, photographs)
    for axes, heading in zip(grid[0], gallery.columns, strict=True):
        axes.annotate(heading, (0.5, 1.22), xycoords="axes fraction", ha="center", fontsize=10, weight="bold")
    figure.suptitle(f"{gallery.title}; heat map of the class that was given", fontsize=10, color="0.25")
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    try:
        target.resolve().parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, picture.getbuffer())
    except OSError as error:
        raise DataError(f"Cannot write {target}: {error.strerror}.") from error


def _draw_tile(axes: Axes, tile: Tile | None, photographs: bool) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_box_aspect(1)
    axes.spines[:].set_visible(False)
    if tile is None:
        axes.text(0.5, 0.5, "none", ha="center", va="center", fontsize=8, color="0.6", transform=axes.transAxes)
        return
    heat = tile.explanation.heat
    axes.imshow(np.asarray(tile.explanation.overlay()) if photographs else np.rint(colours(heat)).astype(np.uint8))
    is_right = tile.explanation.code == tile.label
    words = f"{tile.explanation.code} {tile.probability:.2f}{'' if is_right else ', wrong'}"
    axes.set_title(words, fontsize=8, color=RIGHT if is_right else WRONG, pad=3)
