"""The model card: Markdown made from the bundle alone, so that it cannot say what the bundle does not."""

from __future__ import annotations

from collections.abc import Iterable

from dermalens.core.bundle import Manifest, Measured, OperatingPoint
from dermalens.core.taxonomy import DIAGNOSES

FIGURE_NAMES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy (mean sensitivity of the classes)",
    "macro_auc": "Macro AUC (one against rest)",
    "melanoma_auc": "Melanoma AUC",
    "malignant_auc": "Malignant AUC",
    "expected_calibration_error": "Expected calibration error (15 bins)",
    "brier_score": "Brier score (0 to 2)",
    "negative_log_likelihood": "Negative log-likelihood (nats)",
}


def model_card(manifest: Manifest, sha256: str) -> str:
    """The card of a bundle as Markdown; `sha256` is that of its `bundle.json`."""
    sections = (
        _head(manifest, sha256),
        _section("Intended use", [manifest.intended_use]),
        _section("Out of scope and limits", [f"- {limit}" for limit in manifest.limits]),
        _section("Figures", _figures(manifest)),
        _section("Operating points", _operating_points(manifest)),
        _section("Data and licence", _data(manifest)),
        _section("How it was made", _making(manifest)),
    )
    return "\n\n".join(sections) + "\n"


def show(measured: Measured) -> str:
    """A figure with its interval, such as `0.812 (0.771 to 0.850)`; `not defined` when it has no value.

    >>> show(Measured(value=0.5, low=0.25, high=0.75, n=4))
    '0.500 (0.250 to 0.750)'
    """
    if measured.value is None:
        return "not defined"
    if measured.low is None or measured.high is None:
        return f"{measured.value:.3f} (no interval)"
    return f"{measured.value:.3f} ({measured.low:.3f} to {measured.high:.3f})"


def _section(title: str, lines: Iterable[str]) -> str:
    return f"## {title}\n\n" + "\n".join(lines)


def _head(manifest: Manifest, sha256: str) -> str:
    return (
        f"# Model card: {manifest.name} {manifest.version}\n\n"
        "Made from the bundle by `dermalens card`; do not edit.\n\n"
        f"- bundle: `{sha256}` (SHA-256 of `bundle.json`)\n"
        f"- input: the centre square of a dermatoscopic image at {manifest.preprocess.side_pixels} pixels\n"
        f"- output: calibrated probabilities of {len(manifest.classes)} classes, malignant probability, decision"
    )


def _figures(manifest: Manifest) -> list[str]:
    if not manifest.metrics:
        return ["Not evaluated yet: `dermalens evaluate BUNDLE SPLIT --record` writes the figures into the bundle."]
    rows = [
        f"| {FIGURE_NAMES[name]} | {show(figure)} | {figure.n} |"
        for name, figure in manifest.metrics.items()
        if name in FIGURE_NAMES
    ]
    rows += [
        f"| Sensitivity, {code}{_clinical_name(code)} | {show(manifest.metrics[key])} | {manifest.metrics[key].n} |"
        for code in manifest.classes
        if (key := f"sensitivity_{code}") in manifest.metrics
    ]
    return [
        "On the test part of the split, which was never trained or tuned on; lesions are not shared between parts.",
        "95 % intervals from a bootstrap over lesions; n is the number of images.",
        "",
        "| figure | value (95 % interval) | n |",
        "|---|---|---|",
        *rows,
    ]


def _clinical_name(code: str) -> str:
    return f" ({DIAGNOSES[code].name})" if code in DIAGNOSES else ""


def _operating_points(manifest: Manifest) -> list[str]:
    def row(point: OperatingPoint) -> str:
        mark = " (default)" if point.name == manifest.default_operating_point else ""
        return (
            f"| {point.name}{mark} | {point.threshold:.4f} | {show(point.sensitivity)} | {point.sensitivity.n} | "
            f"{show(point.specificity)} | {point.specificity.n} |"
        )

    summed = " + ".join(manifest.malignant)
    return [
        f"Thresholds on the malignant probability ({summed}), chosen and measured on the validation part.",
        "",
        "| name | threshold | sensitivity | n malignant | specificity | n benign |",
        "|---|---|---|---|---|---|",
        *map(row, manifest.operating_points),
    ]


def _data(manifest: Manifest) -> list[str]:
    origin = manifest.provenance
    return [*(f"- {line}" for line in origin.data), "", f"Licence of the weights: {origin.data_licence}."]


def _members(manifest: Manifest) -> list[str]:
    """Nothing for a bundle of one network."""
    names = ", ".join(member.file.removesuffix(".onnx") for member in manifest.members)
    if manifest.combiner == "mean":
        return [f"- members: {names}; the mean of their logits"] if len(manifest.members) > 1 else []
    images = manifest.combiner.n
    return [f"- members: {names}; a logistic regression of their logits, fitted on {images} out-of-fold predictions"]


def _making(manifest: Manifest) -> list[str]:
    origin, calibration = manifest.provenance, manifest.calibration
    recipes = " and ".join(f"`recipes/{name}.toml`" for name in origin.recipe.split(" + "))
    return [
        f"- recipe {recipes}, code version {origin.code_version}, created {origin.created}",
        f"- split `{origin.split_sha256}`",
        *_members(manifest),
        f"- calibration: {calibration.method}, fitted on {calibration.n} validation images",
        f"- views averaged: {', '.join(manifest.views)}",
        *(f"- {name.replace('_', ' ')}: {value}" for name, value in origin.training.items()),
    ]
