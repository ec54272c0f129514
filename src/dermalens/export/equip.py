"""What a finished bundle gets from validation images, at once or later: calibration, prediction sets, gate, outline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dermalens.core.bundle import (
    CALIBRATION_PENALTY,
    FOLDS_SHA256,
    Calibration,
    Gate,
    Manifest,
    Outline,
    Provenance,
    held_out_fold,
)
from dermalens.core.bundlefile import Bundle, write_bundle
from dermalens.core.decision import DECIMALS, calibrate
from dermalens.core.errors import DataError
from dermalens.core.statements import limits_at_gate
from dermalens.data.index import Row
from dermalens.data.split import Split, folds_sha256
from dermalens.evaluate.calibrate import Fitting, assumed_prevalence, fit, operating_points
from dermalens.evaluate.conformal import fit_conformal
from dermalens.evaluate.judge import logits_of
from dermalens.evaluate.predictions import Labels, Logits, Truth, malignant_mask, truth_of
from dermalens.evaluate.record import read_own_split
from dermalens.predict.classifier import Classifier, open_sessions

COVERAGE: Final = 0.9
"""Of the prediction sets. At 95 % a class needs 19 validation images; HAM10000's split has 17 dermatofibromas, which
would then be in every set."""


OWN_SPLIT: Final = "what is fitted on images that it learned from is wrong for others. Name its own with --split CSV."
"""Why another split than that of the bundle is refused."""


@dataclass(frozen=True, slots=True)
class Recalibration:
    """A calibration to fit anew, and the version that the bundle has with it."""

    fitting: Fitting
    version: str


def equip(  # noqa: PLR0913  (options go by keyword)
    folder: Path,
    bundle: Bundle,
    split: Path | None,
    *,
    coverage: float = COVERAGE,
    recalibration: Recalibration | None = None,
    parts: Sequence[tuple[Gate | Outline, bytes]] = (),
    advance: Callable[[int], None] | None = None,
) -> Bundle:
    """Write the bundle anew with `parts`, each an entry of the manifest and its graph, in place of those it had.

    With a `split` it gets prediction sets and prevalence too, both from the val part of what must be its own split;
    with a `recalibration` also calibration and operating points. Figures of the test part that the bundle carries are
    those of another calibration then, and are taken out. What is not given stays as it is; the limits say whether
    there is a gate.

    Raises:
        DataError: `split` is not the split that the bundle was trained on or has other folds, or a coverage that is no
            share.
    """
    update: dict[str, Any] = {"gate" if isinstance(note, Gate) else "outline": note for note, _ in parts}
    if split is not None:
        update |= _from_validation(bundle, split, coverage, recalibration, advance)
    limits = limits_at_gate(bundle.manifest.limits, has_gate=bool(update.get("gate") or bundle.manifest.gate))
    manifest = bundle.manifest.model_copy(update={**update, "limits": limits})
    known = {**bundle.graphs, **{note.file: content for note, content in parts}}
    return write_bundle(folder, manifest, {graph.file: known[graph.file] for graph in manifest.graph_files})


def _from_validation(
    bundle: Bundle,
    split: Path,
    coverage: float,
    recalibration: Recalibration | None,
    advance: Callable[[int], None] | None,
) -> dict[str, Any]:
    manifest = bundle.manifest
    rows = _held_out(manifest, read_own_split(bundle, split, because=OWN_SPLIT))
    logits = logits_of(Classifier(bundle, open_sessions(bundle)), rows, advance=advance)
    truth = truth_of(rows, manifest.classes)
    if recalibration is None:
        return fitted_fields(manifest, manifest.calibration, logits, truth.labels, coverage=coverage)
    return {
        **calibrated_fields(manifest, recalibration.fitting, logits, truth, coverage=coverage),
        "provenance": _noted(manifest, recalibration.fitting),
        "version": recalibration.version,
        "metrics": {},
    }


def _noted(manifest: Manifest, fitting: Fitting) -> Provenance:
    """The provenance with how the calibration was fitted, in place of what stood there of an earlier one."""
    others = {name: value for name, value in manifest.provenance.training.items() if name != CALIBRATION_PENALTY}
    return manifest.provenance.model_copy(update={"training": {**others, **fitting.noted()}})


def _held_out(manifest: Manifest, split: Split) -> list[Row]:
    fold, folds = held_out_fold(manifest), manifest.provenance.training.get(FOLDS_SHA256)
    if fold is not None and folds != folds_sha256(split.rows):
        raise DataError("The split has other folds than the bundle was trained with. Name the one it was trained on.")
    return split.held_out(fold)


def calibrated_fields(
    manifest: Manifest, fitting: Fitting, logits: Logits, truth: Truth, *, coverage: float = COVERAGE
) -> dict[str, Any]:
    """The fields of a manifest that rest on a calibration, fitted on the logits [images, K] of validation images.

    Raises:
        DataError: no malignant or no benign image among them.
    """
    calibration, malignant = fit(fitting, logits, truth.labels), malignant_mask(manifest)
    shown = calibrate(logits, calibration).round(DECIMALS)  # what decisions are made of
    score = shown[:, malignant].sum(axis=1).round(DECIMALS)
    return {
        "calibration": calibration,
        "operating_points": operating_points(score, malignant[truth.labels], truth),
        **fitted_fields(manifest, calibration, logits, truth.labels, coverage=coverage),
    }


def fitted_fields(
    manifest: Manifest, calibration: Calibration, logits: Logits, labels: Labels, *, coverage: float = COVERAGE
) -> dict[str, Any]:
    """The fields `conformal` and `prevalence` of a manifest, from the logits [images, K] of validation images."""
    probabilities = calibrate(logits, calibration)
    malignant = probabilities[:, malignant_mask(manifest)].sum(axis=1)
    return {
        "conformal": fit_conformal(probabilities, labels, coverage=coverage),
        "prevalence": round(assumed_prevalence(malignant, malignant_mask(manifest)[labels]), 6),
    }
