"""The outline of the lesion: the bundle's outline graph, and what is made of its map of probabilities."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dermalens.core.errors import BundleError
from dermalens.predict.contour import Polygon, contour_of
from dermalens.predict.regions import Mask, Runs, runs_of, without_holes
from dermalens.predict.session import BROKEN_GRAPH, INPUT_NAME, Squares, first_line, open_graph, shown_items
from dermalens.transforms.preprocess import SquarePixels

Belonging = NDArray[np.float32]  # [s, s], probability that a pixel belongs to the lesion
Belongings = NDArray[np.float32]  # [N, s, s]

OUTPUT_NAME: Final = "mask"

LEAST_SHARE: Final = 0.005
"""Of the square; a smaller region is no lesion that somebody aimed at. Of the 7,010 training images of HAM10000 one in
a thousand has a smaller outline."""

NEARNESS: Final = 0.35
"""Of several regions the largest counts, its area weighed by a Gaussian of its distance from the centre with this
scale, as a share of the side: the lesion was aimed at. As `transforms.clean_mask` does."""

_JUST_BELOW: Final = np.float32(0.999)

LINE_COLOURS: Final = ("white", "black")
"""A light line beside a dark one is seen on any skin and any lesion."""


@dataclass(frozen=True, slots=True)
class Outline:
    """One lesion, without holes."""

    mask: Mask
    """[S, S], True on the lesion."""
    polygon: Polygon
    """[points, 2], x and y of the outline as shares of the side, from the upper left; at most 200 points, clockwise."""
    area_share: float
    """Of the square."""
    touches_border: bool
    """The lesion goes on outside the square: its measures are those of a part."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON; coordinates to a ten-thousandth of the side."""
        return {
            "polygon": np.round(self.polygon, 4).tolist(),
            "area_share": round(self.area_share, 4),
            "touches_border": self.touches_border,
        }


class OutlineSession(Protocol):
    """Anything that tells lesion from skin; tests pass a fake."""

    def run(self, pixels: Squares) -> Belongings:
        """Maps of probabilities of N squares."""


class OnnxOutlineSession:
    """An outline graph in ONNX Runtime on the CPU. It may be used from several threads at once."""

    def __init__(self, name: str, session: onnxruntime.InferenceSession) -> None:
        self._name = name
        self._session = session

    def run(self, pixels: Squares) -> Belongings:
        """Maps of probabilities [N, s, s] of N squares [N, S, S, 3], uint8.

        Raises:
            BundleError: the graph fails, or gives something else than probabilities.
        """
        try:
            belongings: Belongings = self._session.run([OUTPUT_NAME], {INPUT_NAME: pixels})[0]
        except BROKEN_GRAPH as error:
            raise BundleError(f"{self._name} failed in ONNX Runtime: {first_line(error)}") from error
        if not (belongings.min(initial=0) >= 0 and belongings.max(initial=0) <= 1):  # NaN is neither
            raise BundleError(f"{self._name} gives masks that are not probabilities; export the outline again.")
        return belongings


def open_outline(graph: bytes, *, name: str = "outline.onnx", threads: int = 1) -> OnnxOutlineSession:
    """Load an outline graph, given as bytes so that what runs is what was verified, and check its input and output.

    Raises:
        BundleError: the graph cannot be loaded, or is not one of an outline.
    """
    session = open_graph(graph, name=name, threads=threads)
    inputs, outputs = (
        [(item.name, item.type, tuple(item.shape)) for item in items]
        for items in (session.get_inputs(), session.get_outputs())
    )
    given = [(title, kind, len(shape)) for title, kind, shape in (*inputs, *outputs)]
    if given != [(INPUT_NAME, "tensor(uint8)", 4), (OUTPUT_NAME, "tensor(float)", 3)]:
        raise BundleError(
            f"{name} has the input {shown_items(inputs)} and the output {shown_items(outputs)}; an outline "
            f"needs {INPUT_NAME} tensor(uint8) [N, S, S, 3] and {OUTPUT_NAME} tensor(float) [N, s, s]. "
            "Export the outline again."
        )
    return OnnxOutlineSession(name, session)


def find_outline(belonging: Belonging, *, side_pixels: int, threshold: float) -> Outline | None:
    """The lesion in a map of probabilities, at the side of the square; None where there is none of half a per cent.

    Of several regions at or above the threshold the largest one near the centre is taken, and its holes are filled.
    """
    runs = runs_of(belonging >= threshold, diagonal=True)
    if not len(runs.rows):
        return None
    region = without_holes(runs.mask(runs.region == central_region(runs)))
    # Nothing else may reach the threshold; where a hole was, it is reached.
    below = np.minimum(belonging, np.float32(threshold) * _JUST_BELOW)
    alone = np.where(region, np.where(belonging < threshold, np.float32(1), belonging), below)
    enlarged = Image.fromarray(alone).resize((side_pixels, side_pixels), Image.Resampling.BILINEAR)
    mask = np.asarray(enlarged) >= threshold
    area_share = float(mask.mean())
    if area_share < LEAST_SHARE:
        return None
    edges = (region[0], region[-1], region[:, 0], region[:, -1])
    polygon = contour_of(region, alone, threshold) / belonging.shape[0]
    return Outline(mask, polygon, area_share, any(bool(edge.any()) for edge in edges))


def central_region(runs: Runs) -> int:
    """The region with the largest area for its distance from the centre."""
    lengths = (runs.ends - runs.starts).astype(np.float64)
    areas = np.bincount(runs.region, lengths)
    x = np.bincount(runs.region, lengths * (runs.starts + runs.ends) / 2)
    y = np.bincount(runs.region, lengths * (runs.rows + 0.5))
    height, width = runs.shape
    there = np.maximum(areas, 1)
    distances = np.hypot(x / there - width / 2, y / there - height / 2) / min(height, width)
    return int(np.argmax(areas * np.exp(-((distances / NEARNESS) ** 2))))


def draw_outline(square: SquarePixels, outline: Outline) -> Image.Image:
    """The square with the outline drawn over it, RGB."""
    picture = Image.fromarray(square)
    side = square.shape[0]
    points = [(float(x), float(y)) for x, y in outline.polygon * side - 0.5]
    width = max(1, round(side / 150))
    for colour, extra in zip(LINE_COLOURS[::-1], (2 * width, 0), strict=True):
        ImageDraw.Draw(picture).line([*points, points[0]], fill=colour, width=width + extra, joint="curve")
    return picture


def outline_png(square: SquarePixels, outline: Outline) -> bytes:
    """`draw_outline` as a PNG file."""
    buffer = io.BytesIO()
    draw_outline(square, outline).save(buffer, "PNG")
    return buffer.getvalue()
