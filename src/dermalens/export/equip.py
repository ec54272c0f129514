"""What validation images say of a finished bundle beyond its thresholds: prediction sets and the prevalence assumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from dermalens.core.bundle import Calibration, Manifest
from dermalens.core.bundlefile import Bundle, write_bundle
from dermalens.core.decision import calibrate
from dermalens.data.split import read_split
from dermalens.evaluate.conformal import fit_conformal
from dermalens.evaluate.judge import logits_of
from dermalens.evaluate.predictions import Labels, Logits, malignant_mask, truth_of
from dermalens.evaluate.record import check_own_split
from dermalens.predict.classifier import Classifier, open_sessions

COVERAGE: Final = 0.9
"""Of the prediction sets. At 95 % a class needs 19 validation images; HAM10000's split has 17 dermatofibromas, which
would then be in every set."""


def equip(
    folder: Path,
    bundle: Bundle,
    split: Path,
    *,
    coverage: float = COVERAGE,
    advance: Callable[[int], None] | None = None,
) -> Bundle:
    """Write the bundle anew with prediction sets and prevalence, both from the val part of its own split.

    Raises:
        DataError: `split` is not the split that the bundle was trained on, or a coverage that is not a share.
    """
    check_own_split(bundle, split)
    manifest, rows = bundle.manifest, read_split(split).part("val")
    logits = logits_of(Classifier(bundle, open_sessions(bundle)), rows, advance=advance)
    labels = truth_of(rows, manifest.classes).labels
    update = fitted_fields(manifest, manifest.calibration, logits, labels, coverage=coverage)
    return write_bundle(folder, manifest.model_copy(update=update), bundle.graphs)


def fitted_fields(
    manifest: Manifest, calibration: Calibration, logits: Logits, labels: Labels, *, coverage: float = COVERAGE
) -> dict[str, Any]:
    """The fields `conformal` and `prevalence` of a manifest, from the logits [images, K] of validation images."""
    probabilities = calibrate(logits, calibration)
    malignant = probabilities[:, malignant_mask(manifest)].sum(axis=1)
    return {
        "conformal": fit_conformal(probabilities, labels, coverage=coverage),
        "prevalence": round(float(np.mean(malignant)), 6),
    }
