"""Training runs to a bundle: graphs, parity, calibration, operating points, manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from scipy.special import softmax

from dermalens.core.bundle import (
    FOLD,
    FOLDS_SHA256,
    FORMAT_VERSION,
    ROUNDING_CHANGES,
    Calibration,
    Combiner,
    Manifest,
    Measured,
    Member,
    OperatingPoint,
    Provenance,
    View,
)
from dermalens.core.bundlefile import Bundle, check_replaceable, write_bundle
from dermalens.core.errors import DataError, ExportError
from dermalens.core.statements import INTENDED_USE, citations, limits_for, weights_licence
from dermalens.core.taxonomy import malignant_of
from dermalens.data.split import Split, folds_sha256, read_split
from dermalens.evaluate.calibrate import Fitting
from dermalens.evaluate.judge import logits_of, read_squares
from dermalens.evaluate.predictions import truth_of
from dermalens.export.equip import calibrated_fields
from dermalens.export.finished import Run, read_run
from dermalens.export.graph import to_onnx
from dermalens.export.parity import LEAST_IMAGES, check_parity
from dermalens.export.stored import Bits, with_stored_weights
from dermalens.predict.classifier import Classifier, open_sessions
from dermalens.predict.session import Session, Squares

VIEWS: Final[Mapping[int, tuple[View, ...]]] = {
    1: ("identity",),
    2: ("identity", "turn_180"),
    4: ("identity", "turn_180", "flip", "flip_180"),
    8: ("identity", "turn_90", "turn_180", "turn_270", "flip", "flip_90", "flip_180", "flip_270"),
}
"""Test-time views by their number."""

LARGEST_ROUNDING: Final = 0.05
"""Largest change of a class probability by weights stored in fewer bits: what changes more is another network."""

ONLY_MEMBER: Final = "model"
"""Its graph is `model.onnx`."""
DEFAULT_POINT: Final = "sensitivity_95"
"""A missed cancer weighs more than a needless visit, so the stricter of the two points is the default."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the caller chooses; the rest comes from the run."""

    split: Path | None = None
    """The split where it lies now; None for where the recipe says."""
    side_pixels: int | None = None
    """Side of the square in use; None for the recipe's. A side somewhat above that of training often does best."""
    views: tuple[View, ...] = ("identity",)
    fitting: Fitting = field(default_factory=Fitting)
    """Of the calibration."""
    version: str = "1"
    name: str | None = None
    """Of the bundle; None for that of the recipe."""
    bits: Bits = 32
    """Of a stored weight. Parity is checked before rounding; what rounding changes has its own limit, and is noted."""


@dataclass(frozen=True, slots=True)
class Joined:
    """How the members of a bundle are joined, and under which names."""

    combiner: Combiner
    name: str
    """Of the bundle, where the caller chooses none."""
    recipe: str
    """The recipe or, joined by " + ", the recipes that it comes from."""


def export_run(folder: Path, target: Path, options: ExportOptions) -> tuple[Bundle, float]:
    """Write the bundle of the best checkpoint in `folder` to `target`; returns it and the parity difference.

    Raises:
        ExportError: no run there, or a graph that differs from the checkpoint; then nothing is written.
        DataError: the split cannot be read or is not the one that the run was trained on.
    """
    run = read_run(folder)
    joined = Joined("mean", run.recipe.name, run.recipe.name)
    bundle, differences = export_members({ONLY_MEMBER: run}, joined, target, options)
    return bundle, differences[ONLY_MEMBER]


def export_members(
    runs: Mapping[str, Run], joined: Joined, target: Path, options: ExportOptions
) -> tuple[Bundle, dict[str, float]]:
    """Write one bundle of several runs that fit together; returns it and the parity difference of each member.

    Raises:
        ExportError: a graph that differs from its checkpoint; then nothing is written.
        DataError: the split cannot be read or is not the one that the runs were trained on.
        BundleError: the target holds anything but a bundle.
    """
    check_replaceable(target)
    runs = {name: _at_side(run, options.side_pixels) for name, run in runs.items()}
    first = next(iter(runs.values()))
    split = _split_of(first, options)
    rows = split.held_out(first.recipe.data.fold)
    spec = first.recipe.preprocess
    graphs = {f"{name}.onnx": to_onnx(run.classifier, spec.side_pixels) for name, run in runs.items()}
    draft = _bundle(graphs, _draft(runs, graphs, joined, options))
    sessions = open_sessions(draft)
    spread = [rows[i] for i in np.linspace(0, len(rows) - 1, min(len(rows), LEAST_IMAGES)).astype(int)]
    squares = read_squares(spread, spec)
    differences = _parity(runs, sessions, squares)
    if options.bits != 32:
        whole = Classifier(draft, sessions)
        graphs = {file: with_stored_weights(graph, options.bits) for file, graph in graphs.items()}
        draft = _bundle(graphs, _draft(runs, graphs, joined, options))
        sessions = open_sessions(draft)
        change = _rounding(whole, Classifier(draft, sessions), squares, options.bits)
        draft = _noted(draft, {ROUNDING_CHANGES[options.bits]: change})
    logits = logits_of(Classifier(draft, sessions), rows)
    update = calibrated_fields(draft.manifest, options.fitting, logits, truth_of(rows, draft.manifest.classes))
    return write_bundle(target, draft.manifest.model_copy(update=update), graphs), differences


def _rounding(whole: Classifier, rounded: Classifier, squares: Squares, bits: int) -> float:
    """The largest change of a class probability, before calibration, by the rounding of the weights.

    Raises:
        ExportError: it is above 0.05.
    """
    before, after = (softmax(one.run(squares).logits.astype(np.float64), axis=1) for one in (whole, rounded))
    change = round(float(np.abs(after - before).max()), 6)
    if not change <= LARGEST_ROUNDING:
        raise ExportError(
            f"Weights in {bits} bits change a class probability by {change:.2g}; at most {LARGEST_ROUNDING:g} is "
            "allowed. No bundle was written. Store them in more bits: --half, or neither option."
        )
    return change


def _noted(draft: Bundle, notes: Mapping[str, float]) -> Bundle:
    provenance = draft.manifest.provenance
    training = {**provenance.training, **notes}
    update = {"provenance": provenance.model_copy(update={"training": training})}
    return _bundle(draft.graphs, draft.manifest.model_copy(update=update))


def _parity(runs: Mapping[str, Run], sessions: Sequence[Session], squares: Squares) -> dict[str, float]:
    differences = {}
    for (name, run), session in zip(runs.items(), sessions, strict=True):
        try:
            differences[name] = check_parity(run.classifier, session, squares)
        except ExportError as error:
            raise ExportError(str(error) if len(runs) == 1 else f"Member {name}: {error}") from error
    return differences


def _at_side(run: Run, side_pixels: int | None) -> Run:
    if side_pixels is None:
        return run
    preprocess = run.recipe.preprocess.model_copy(update={"side_pixels": side_pixels})
    return replace(run, recipe=run.recipe.model_copy(update={"preprocess": preprocess}))


def _split_of(run: Run, options: ExportOptions) -> Split:
    path = options.split or Path(run.recipe.data.split)
    split = read_split(path)
    needed, given = str(run.notes["split_sha256"]), split.sha256
    if needed == given and run.recipe.data.fold is not None:
        needed, given = str(run.notes.get("folds_sha256")), folds_sha256(split.rows)
    if needed != given:
        raise DataError(
            f"{path} is not the split of this run: {given[:12]} given, {needed[:12]} needed. "
            "Name the right one: --split PATH"
        )
    return split


def _bundle(graphs: Mapping[str, bytes], manifest: Manifest) -> Bundle:
    content = manifest.model_dump_json().encode()
    return Bundle(manifest, graphs, hashlib.sha256(content).hexdigest())


def _draft(runs: Mapping[str, Run], graphs: Mapping[str, bytes], joined: Joined, options: ExportOptions) -> Manifest:
    """The manifest before calibration, with a placeholder operating point that `calibrated_fields` replaces."""
    recipe = next(iter(runs.values())).recipe
    classes = recipe.classes
    unknown = Measured(value=None, low=None, high=None, n=0)
    return Manifest(
        format_version=FORMAT_VERSION,
        name=options.name or joined.name,
        version=options.version,
        classes=classes,
        malignant=list(malignant_of(classes)),
        preprocess=recipe.preprocess,
        members=[Member(file=file, sha256=hashlib.sha256(graph).hexdigest()) for file, graph in graphs.items()],
        combiner=joined.combiner,
        views=list(options.views),
        calibration=Calibration(method="none", scale=[1.0] * len(classes), shift=[0.0] * len(classes), n=0),
        operating_points=[OperatingPoint(name=DEFAULT_POINT, threshold=0.5, sensitivity=unknown, specificity=unknown)],
        default_operating_point=DEFAULT_POINT,
        provenance=_provenance(runs, joined.recipe, options.fitting),
        metrics={},
        intended_use=INTENDED_USE,
        limits=limits_for(classes),
    )


def _provenance(runs: Mapping[str, Run], recipe: str, fitting: Fitting) -> Provenance:
    """Each of several runs has its entries of `training` under its own name."""
    sources = sorted({source for run in runs.values() for source in run.notes["sources"]})
    first = next(iter(runs.values()))
    training = _training(first)
    if len(runs) > 1:
        training = {f"{name}_{key}": value for name, run in runs.items() for key, value in _training(run).items()}
    return Provenance(
        recipe=recipe,
        code_version=str(first.notes["code_version"]),
        split_sha256=str(first.notes["split_sha256"]),
        data=citations(sources),
        data_licence=weights_licence(sources),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        training={**training, **_fold(first), **fitting.noted()},
    )


def _fold(run: Run) -> dict[str, str | int]:
    """What was held out, where that is no val part."""
    fold = run.recipe.data.fold
    return {} if fold is None else {FOLD: fold, FOLDS_SHA256: str(run.notes.get("folds_sha256"))}


def _training(run: Run) -> dict[str, str | int | float]:
    notes = run.notes
    kept = {key: notes[key] for key in ("git_commit", "extra_sha256", "train_images", "val_images")}
    return {**notes.get("training", {}), **kept}
