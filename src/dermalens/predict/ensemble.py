"""Means over views of a square (test-time augmentation), and the mean or the stack of the members of a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermalens.core.bundle import Combiner, Logistic, View
from dermalens.predict.session import Heatmaps, Logits, Outputs, Session, Squares

MemberLogits = NDArray[np.floating]  # [M, N, K], of M members for N images

_VIEWS: Final[dict[View, tuple[bool, int]]] = {
    "identity": (False, 0),
    "turn_90": (False, 1),
    "turn_180": (False, 2),
    "turn_270": (False, 3),
    "flip": (True, 0),
    "flip_90": (True, 1),
    "flip_180": (True, 2),
    "flip_270": (True, 3),
}
"""For each view whether it is mirrored left to right, and then its counter-clockwise quarter turns."""


def turned(squares: Squares, view: View) -> Squares:
    """`squares` [N, S, S, 3] as `view` shows them."""
    is_mirrored, quarters = _VIEWS[view]
    mirrored = squares[:, :, ::-1] if is_mirrored else squares
    return np.ascontiguousarray(np.rot90(mirrored, quarters, axes=(1, 2)))


def turned_back(heatmaps: Heatmaps, view: View) -> Heatmaps:
    """Heat maps [N, K, h, w] of a view as they lie on the square itself."""
    is_mirrored, quarters = _VIEWS[view]
    upright = np.rot90(heatmaps, -quarters, axes=(2, 3))
    return upright[:, :, :, ::-1] if is_mirrored else upright


def run_views(session: Session, squares: Squares, views: Sequence[View]) -> Outputs:
    """The mean over `views`, one view after the other so that memory does not grow with them."""
    outputs = [session.run(turned(squares, view)) for view in views]
    maps = [turned_back(output.heatmaps, view) for output, view in zip(outputs, views, strict=True)]
    return Outputs(
        np.mean([output.logits for output in outputs], axis=0),
        np.mean([output.embedding for output in outputs], axis=0),
        np.mean(maps, axis=0),
    )


def run_members(
    sessions: Sequence[Session], squares: Squares, views: Sequence[View], combiner: Combiner = "mean"
) -> Outputs:
    """The members' logits put together by `combiner`, their embeddings side by side, and the mean of their heat maps.

    The heat maps of two networks have different units: each is divided by its maximum first, so that none drowns
    the other; those of a single member stay as they are. In a stack each counts by `heat_shares`.
    """
    members = [run_views(session, squares, views) for session in sessions]
    if len(members) == 1 and combiner == "mean":
        return members[0]
    height, width = (max(member.heatmaps.shape[axis] for member in members) for axis in (2, 3))
    maps = np.stack([_resized(_relative(member.heatmaps), (height, width)) for member in members])
    shares = heat_shares(combiner, members=len(members), classes=maps.shape[2])
    return Outputs(
        combined(np.stack([member.logits for member in members]), combiner),
        np.concatenate([member.embedding for member in members], axis=1),
        np.einsum("mnkhw,km->nkhw", maps, shares).astype(np.float32),
    )


def combined(logits: MemberLogits, combiner: Combiner) -> Logits:
    """The logits of the bundle [N, K]: the members' mean, or weights @ x + bias with the x of `stack_inputs`."""
    if combiner == "mean":
        return np.asarray(np.mean(logits, axis=0), dtype=np.float32)
    weights, bias = np.array(combiner.weights), np.array(combiner.bias)
    return np.asarray(stack_inputs(logits) @ weights.T + bias, dtype=np.float32)


def stack_inputs(logits: MemberLogits) -> NDArray[np.float64]:
    """What the stacked regression takes [N, M * K]: member after member, its logits less their mean."""
    wide = logits.astype(np.float64)
    centred = wide - wide.mean(axis=2, keepdims=True)
    return np.concatenate(list(centred), axis=1)


def heat_shares(combiner: Combiner, *, members: int, classes: int) -> NDArray[np.float64]:
    """How much each member's heat map of a class counts [K, M]; the shares of a class sum to one.

    In a stack that is how much the member's logit of the class raises the stacked logit of the class above the mean of
    all stacked logits. A member that lowers it has no share, as its map shows what the stack holds against the class;
    where all do, each counts alike.
    """
    equal = np.full((classes, members), 1 / members)
    if not isinstance(combiner, Logistic):
        return equal
    weights = np.array(combiner.weights).reshape(classes, members, classes)
    raises = np.maximum(np.einsum("kmk->km", weights) - weights.mean(axis=0).T, 0)
    total = raises.sum(axis=1, keepdims=True)
    return np.where(total > 0, raises / np.where(total > 0, total, 1), equal)


def _relative(heatmaps: Heatmaps) -> Heatmaps:
    """Each map divided by its maximum; a map of zeros stays one."""
    highest = heatmaps.max(axis=(2, 3), keepdims=True)
    return np.asarray(heatmaps / np.where(highest > 0, highest, 1))


def _resized(heatmaps: Heatmaps, size: tuple[int, int]) -> Heatmaps:
    """Maps [N, K, h, w] with `size` (height, width), bilinear."""
    if heatmaps.shape[2:] == size:
        return heatmaps
    flat = heatmaps.reshape(-1, *heatmaps.shape[2:])
    resized = [np.asarray(Image.fromarray(one).resize(size[::-1], Image.Resampling.BILINEAR)) for one in flat]
    return np.stack(resized).reshape(*heatmaps.shape[:2], *size)
