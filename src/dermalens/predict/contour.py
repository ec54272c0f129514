"""The outline of one region of a map as a polygon: followed round its cells, then simplified. NumPy only.

Points are x, y in cells of the map from its upper left corner; the middle of the first cell is 0.5, 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermalens.predict.regions import Mask, Numbers

Values = NDArray[np.float32]  # [height, width]
Polygon = NDArray[np.float64]  # [points, 2], x and y, closed: the last point is joined to the first

TOLERANCE: Final = 0.003
"""How far the simplified outline may be from the full one, as a share of the side of the map."""
MOST_POINTS: Final = 200
FIRST_PIECES: Final = 8
"""Evenly spaced points that are kept whatever they are: a closed line has no ends to begin with."""


def contour_of(mask: Mask, values: Values, level: float, *, most: int = MOST_POINTS) -> Polygon:
    """Where the map `values` passes through `level` round a region of it, clockwise, of at most `most` points.

    `mask` is the region: one (corners join), without holes, at or above the level and with what is outside below it.
    The points lie between the middle of a cell inside and that of its neighbour outside, by linear interpolation, as
    in marching squares (Lorensen and Cline, SIGGRAPH 1987, in two dimensions), or on the border of the map.
    """
    points = _crossings(mask, values, level)
    tolerance = TOLERANCE * mask.shape[0]
    while True:
        kept = simplified(points, tolerance)
        if len(kept) <= most:
            return kept
        tolerance *= 1.5


def area_of(polygon: Polygon) -> float:
    """Area in squares of the unit of the points, by the shoelace formula."""
    x, y = polygon.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def perimeter_of(polygon: Polygon) -> float:
    """Length of the closed outline."""
    return float(np.hypot(*(np.roll(polygon, -1, axis=0) - polygon).T).sum())


def _crossings(mask: Mask, values: Values, level: float) -> Polygon:
    """The points on the way round the region, one for each side of a cell that divides inside from outside."""
    edges = _edges(mask)
    order = np.argsort(edges.start, kind="stable")
    start, end, heading = edges.start[order], edges.end[order], edges.heading[order]
    following = np.searchsorted(start, end)
    # Where two cells touch at a corner two edges begin: the left turn leads over to the other cell.
    second = np.minimum(following + 1, len(start) - 1)
    is_left = (start[second] == end) & (heading[second] == (heading - 1) % 4)
    path = order[_walk(np.where(is_left, second, following).tolist())]
    cell, outward = edges.cell[path], _OUTWARD[edges.heading[path]]
    return cell[:, ::-1] + 0.5 + outward[:, ::-1] * _steps(values, level, cell, outward)[:, None]


def _steps(values: Values, level: float, cell: Numbers, outward: Numbers) -> NDArray[np.float64]:
    """How far from the middle of each cell towards its neighbour the level is passed, 0 to 1; 0.5 at the border."""
    beside = cell + outward
    is_inside = np.asarray(((beside >= 0) & (beside < values.shape)).all(axis=1))
    beside = np.where(is_inside[:, None], beside, cell)
    high, low = values[tuple(cell.T)].astype(np.float64), values[tuple(beside.T)]
    fall = np.where(is_inside, high - low, 1.0)
    return np.where(is_inside, np.clip((high - level) / np.maximum(fall, 1e-9), 0, 1), 0.5)


@dataclass(frozen=True, slots=True)
class _Edges:
    """Sides of cells with the region on their right."""

    start: Numbers
    """Number of the corner of the map that it begins at."""
    end: Numbers
    heading: Numbers
    cell: Numbers
    """[edges, 2], row and column of the cell inside."""


_OUTWARD: Final = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])
"""By heading, row and column of the step from the cell inside to the one outside."""


def _edges(mask: Mask) -> _Edges:
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    width = mask.shape[1] + 1
    beside = (padded[:-2, 1:-1], padded[1:-1, 2:], padded[2:, 1:-1], padded[1:-1, :-2])
    heading, rows, columns = np.nonzero(np.stack([inside & ~other for other in beside]))
    corner = rows * width + columns
    first, last = np.array([0, 1, width + 1, width]), np.array([1, width + 1, width, 0])
    return _Edges(corner + first[heading], corner + last[heading], heading, np.stack([rows, columns], axis=1))


def _walk(following: list[int]) -> list[int]:
    path = [0]
    while (place := following[path[-1]]) != 0:
        path.append(place)
    return path


def simplified(points: Polygon, tolerance: float) -> Polygon:
    """A closed outline with fewer points, none of the others further than `tolerance` from it.

    D. H. Douglas and T. K. Peucker, Cartographica 10 (1973): a piece whose farthest point is too far from its chord is
    divided there. All pieces are looked at in one go, so that there are about as many steps as halvings.
    """
    kept = np.unique(np.linspace(0, len(points), FIRST_PIECES, endpoint=False).astype(int))
    while len(kept) < len(points):
        closed = np.append(kept, len(points))
        piece = np.repeat(np.arange(len(kept)), np.diff(closed))
        away = _distances(points, points[kept][piece], points[closed[1:] % len(points)][piece])
        farthest = np.maximum.reduceat(away, kept)
        too_far = np.flatnonzero((away >= farthest[piece]) & (farthest[piece] > tolerance))
        if not len(too_far):
            break
        _, first = np.unique(piece[too_far], return_index=True)
        kept = np.sort(np.append(kept, too_far[first]))
    return np.asarray(points[kept])


def _distances(points: Polygon, starts: Polygon, ends: Polygon) -> NDArray[np.float64]:
    """Of each point from its own stretch from start to end."""
    along, offset = ends - starts, points - starts
    length = (along**2).sum(axis=1)
    share = np.clip((offset * along).sum(axis=1) / np.where(length > 0, length, 1), 0, 1)
    return np.asarray(np.hypot(*(offset - share[:, None] * along).T))
