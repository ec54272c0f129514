"""What a finished bundle gets later: prediction sets and prevalence from validation images, the gate, the outline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from dermalens.core.bundle import FOLDS_SHA256, Calibration, Gate, Manifest, Outline, held_out_fold
from dermalens.core.bundlefile import Bundle, write_bundle
from dermalens.core.decision import calibrate
from dermalens.core.errors import DataError
from dermalens.core.statements import limits_at_gate
from dermalens.data.index import Row
from dermalens.data.split import Split, folds_sha256, read_split
from dermalens.evaluate.calibrate import assumed_prevalence
from dermalens.evaluate.conformal import fit_conformal
from dermalens.evaluate.judge import logits_of
from dermalens.evaluate.predictions import Labels, Logits, malignant_mask, truth_of
from dermalens.evaluate.record import check_own_split
from dermalens.predict.classifier import Classifier, open_sessions

COVERAGE: Final = 0.9
"""Of the prediction sets. At 95 % a class needs 19 validation images; HAM10000's split has 17 dermatofibromas, which
would then be in every set."""


def equip(  # noqa: PLR0913  (options go by keyword)
    folder: Path,
    bundle: Bundle,
    split: Path | None,
    *,
    coverage: float = COVERAGE,
    parts: Sequence[tuple[Gate | Outline, bytes]] = (),
    advance: Callable[[int], None] | None = None,
) -> Bundle:
    """Write the bundle anew with `parts`, each an entry of the manifest and its graph, in place of those it had.

    With a `split` it gets prediction sets and prevalence too, both from the val part of what must be its own split.
    What is not given stays as it is; the limits say whether there is a gate.

    Raises:
        DataError: `split` is not the split that the bundle was trained on or has other folds, or a coverage that is no
            share.
    """
    update: dict[str, Any] = {"gate" if isinstance(note, Gate) else "outline": note for note, _ in parts}
    if split is not None:
        update |= _from_validation(bundle, split, coverage, advance)
    limits = limits_at_gate(bundle.manifest.limits, has_gate=bool(update.get("gate") or bundle.manifest.gate))
    manifest = bundle.manifest.model_copy(update={**update, "limits": limits})
    known = {**bundle.graphs, **{note.file: content for note, content in parts}}
    return write_bundle(folder, manifest, {graph.file: known[graph.file] for graph in manifest.graph_files})


def _from_validation(
    bundle: Bundle, split: Path, coverage: float, advance: Callable[[int], None] | None
) -> dict[str, Any]:
    check_own_split(bundle, split)
    manifest = bundle.manifest
    rows = _held_out(manifest, read_split(split))
    logits = logits_of(Classifier(bundle, open_sessions(bundle)), rows, advance=advance)
    labels = truth_of(rows, manifest.classes).labels
    return fitted_fields(manifest, manifest.calibration, logits, labels, coverage=coverage)


def _held_out(manifest: Manifest, split: Split) -> list[Row]:
    fold, folds = held_out_fold(manifest), manifest.provenance.training.get(FOLDS_SHA256)
    if fold is not None and folds != folds_sha256(split.rows):
        raise DataError("The split has other folds than the bundle was trained with. Name the one it was trained on.")
    return split.held_out(fold)


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
