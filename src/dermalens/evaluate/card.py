"""The model card, made from the bundle and, where there is one, the report of its evaluation, and nothing else."""

from __future__ import annotations

import shlex
from typing import Final

from dermalens.core.bundle import (
    CALIBRATION_PENALTY,
    HALF_WEIGHTS_CHANGE,
    PRIOR_CORRECTION,
    QUARTER_WEIGHTS_CHANGE,
    Manifest,
    Measured,
    OperatingPoint,
)
from dermalens.core.decision import describe
from dermalens.core.statements import INTENDED_USE
from dermalens.evaluate.card_report import Judged, report_sections
from dermalens.evaluate.document import Block, Bullets, Document, Section, Table
from dermalens.evaluate.document_markdown import to_markdown
from dermalens.evaluate.report_names import CAUTION, FIGURE_WORDS, figure_words, show

FIGURE_NAMES: Final = {
    name: FIGURE_WORDS[name]
    for name in (
        "accuracy",
        "balanced_accuracy",
        "macro_auc",
        "melanoma_auc",
        "malignant_auc",
        "expected_calibration_error",
        "brier_score",
        "negative_log_likelihood",
    )
}
"""The figures that a bundle carries and a card shows first."""

OUT_OF_SCOPE: Final = (
    "A diagnosis or a decision about treatment without a physician who has examined the person.",
    "Ruling out cancer: an answer that asks for no referral is no all-clear.",
    "Pictures taken without a dermatoscope, of several lesions at once, or of anything but skin.",
    "Comparing people or hospitals: the figures say how the model does, not how they do.",
)
"""What no bundle is for, whatever its figures."""

__all__ = ["FIGURE_NAMES", "OUT_OF_SCOPE", "card_document", "model_card", "show"]


def model_card(manifest: Manifest, sha256: str, judged: Judged | None = None) -> str:
    """The card of a bundle as Markdown; `sha256` is that of its `bundle.json`."""
    return to_markdown(card_document(manifest, sha256, judged))


def card_document(manifest: Manifest, sha256: str, judged: Judged | None = None) -> Document:
    """The card of a bundle; with the report of its evaluation the sections that only this can fill."""
    parts = (
        Section("Intended use", (manifest.intended_use or INTENDED_USE,)),
        Section("Out-of-scope use", (Bullets(_out_of_scope(manifest)),)),
        Section("Limits", (Bullets(tuple(manifest.limits)),)),
        Section("Figures", _figures(manifest)),
        Section("Operating points", _operating_points(manifest)),
        *_parts_beside(manifest),
        *(report_sections(judged) if judged else ()),
        Section("Data and licence", _data(manifest)),
        Section("How it was made", (Bullets(_making(manifest)),)),
        Section("How to reproduce", (Bullets(_reproduction(manifest, judged)),)),
    )
    return Document(f"Model card: {manifest.name} {manifest.version}", _head(manifest, sha256), parts)


def _head(manifest: Manifest, sha256: str) -> tuple[Block, ...]:
    return (
        "Made from the bundle by `dermalens card`; do not edit.",
        Bullets(
            (
                f"bundle: `{sha256}` (SHA-256 of `bundle.json`)",
                f"input: the centre square of a dermatoscopic image at {manifest.preprocess.side_pixels} pixels",
                f"output: calibrated probabilities of {len(manifest.classes)} classes, malignant probability, decision",
            )
        ),
    )


def _out_of_scope(manifest: Manifest) -> tuple[str, ...]:
    is_bound = "NC" in manifest.provenance.data_licence.split("(")[0]
    return (*OUT_OF_SCOPE, "Commercial use: the data that it learned from forbid it.") if is_bound else OUT_OF_SCOPE


def _figures(manifest: Manifest) -> tuple[Block, ...]:
    if not manifest.metrics:
        return ("Not evaluated yet: `dermalens evaluate BUNDLE SPLIT --record` writes the figures into the bundle.",)
    named = [name for name in FIGURE_NAMES if name in manifest.metrics]
    rows = [(figure_words(name), show(manifest.metrics[name]), str(manifest.metrics[name].n)) for name in named]
    rows += [
        (f"Sensitivity, {describe(code)}", show(manifest.metrics[key]), str(manifest.metrics[key].n))
        for code in manifest.classes
        if (key := f"sensitivity_{code}") in manifest.metrics
    ]
    words = (
        "On the test part of the split, which was never trained or tuned on; lesions are not shared between parts. "
        "95 % intervals from a bootstrap over lesions; n is the number of images."
    )
    return (Table(words, ("figure", "value (95 % interval)", "n"), tuple(rows)), CAUTION)


def _operating_points(manifest: Manifest) -> tuple[Block, ...]:
    def row(point: OperatingPoint) -> tuple[str, ...]:
        mark = " (default)" if point.name == manifest.default_operating_point else ""
        figures = (show(point.sensitivity), str(point.sensitivity.n), show(point.specificity), str(point.specificity.n))
        return (f"{point.name}{mark}", f"{point.threshold:.4f}", *figures)

    summed = " + ".join(manifest.malignant)
    words = f"Thresholds on the malignant probability ({summed}), chosen and measured on the validation part."
    head = ("name", "threshold", "sensitivity", "n malignant", "specificity", "n benign")
    return (Table(words, head, tuple(map(row, manifest.operating_points))),)


def _parts_beside(manifest: Manifest) -> list[Section]:
    """What a bundle may have beside its classifier, with the figures that were measured when it was fitted."""
    sections = []
    if manifest.gate:
        words = f"Refuses pictures that are no dermatoscopic image of a lesion ({manifest.gate.method})."
        sections.append(Section("Gate", (words, *_measured(manifest.gate.measured))))
    if manifest.outline:
        words = "Draws the outline of the lesion, from which the ABCD measures are taken."
        sections.append(Section("Outline", (words, *_measured(manifest.outline.measured))))
    if manifest.conformal:
        sections.append(Section("Prediction sets", _sets(manifest)))
    return sections


def _measured(figures: dict[str, Measured]) -> tuple[Block, ...]:
    rows = tuple((figure_words(name), show(figure), str(figure.n)) for name, figure in figures.items())
    return (Table("", ("figure", "value (95 % interval)", "n"), rows),) if rows else ()


def _sets(manifest: Manifest) -> tuple[Block, ...]:
    fitted = manifest.conformal
    if fitted is None:
        return ()
    rows = tuple(
        (describe(code), f"{threshold:.4f}", str(n))
        for code, threshold, n in zip(manifest.classes, fitted.thresholds, fitted.n, strict=True)
    )
    words = f"Fitted so that {100 * fitted.coverage:g} % of the images of each class have that class in their set."
    return (Table(words, ("class", "threshold", "validation images"), rows),)


def _data(manifest: Manifest) -> tuple[Block, ...]:
    origin = manifest.provenance
    return Bullets(tuple(origin.data)), f"Licence of the weights: {origin.data_licence}."


def _members(manifest: Manifest) -> list[str]:
    """Nothing for a bundle of one network."""
    names = ", ".join(member.file.removesuffix(".onnx") for member in manifest.members)
    if manifest.combiner == "mean":
        return [f"members: {names}; the mean of their logits"] if len(manifest.members) > 1 else []
    images = manifest.combiner.n
    return [f"members: {names}; a logistic regression of their logits, fitted on {images} out-of-fold predictions"]


def _recipes(manifest: Manifest) -> list[str]:
    return [f"recipes/{name}.toml" for name in manifest.provenance.recipes]


def _making(manifest: Manifest) -> tuple[str, ...]:
    origin, fitted = manifest.provenance, manifest.calibration
    recipes = " and ".join(f"`{recipe}`" for recipe in _recipes(manifest))
    share = [] if manifest.prevalence is None else [f"malignant share that it assumes: {manifest.prevalence:.3f}"]
    return (
        f"recipe {recipes}, code version {origin.code_version}, created {origin.created}",
        f"split `{origin.split_sha256}`",
        *_members(manifest),
        f"calibration: {fitted.method}, fitted on {fitted.n} validation images",
        *share,
        f"views averaged: {', '.join(manifest.views)}",
        *(f"{name.replace('_', ' ')}: {value}" for name, value in origin.training.items()),
    )


def _export_command(manifest: Manifest) -> str:
    """With every option that is not left to its default; the prior correction of older bundles is not on record."""
    training = manifest.provenance.training
    options = {
        "--side": str(manifest.preprocess.side_pixels),
        "--views": str(len(manifest.views)),
        "--calibration": manifest.calibration.method,
        "--prior-correction": str(training.get(PRIOR_CORRECTION, "SHARE")),
        "--calibration-penalty": str(training.get(CALIBRATION_PENALTY, "")),
        "--name": manifest.name,
        "--version": manifest.version,
    }
    runs = ["RUN"] * (1 if manifest.combiner != "mean" else len(manifest.members))
    smaller = {HALF_WEIGHTS_CHANGE: "--half", QUARTER_WEIGHTS_CHANGE: "--quarter"}
    stored = [option for key, option in smaller.items() if key in training]
    chosen = [part for option, value in options.items() if value for part in (option, value)]
    return shlex.join(["dermalens", "export", *runs, "--out", "BUNDLE", *chosen, *stored])


def _equipment(manifest: Manifest) -> list[str]:
    """What the bundle has beyond the classifier is fitted afterwards."""
    parts = [name for name, part in (("gate", manifest.gate), ("outline", manifest.outline)) if part]
    return [f"{' and '.join(parts)}: `dermalens equip BUNDLE` (its --help)"] if parts else []


def _reproduction(manifest: Manifest, judged: Judged | None) -> tuple[str, ...]:
    return (
        *(f"train: `dermalens train {recipe}`, on the split with the hash above" for recipe in _recipes(manifest)),
        "before that, where a recipe's `model.weights` is a checkpoint: the run that it is of, by its own recipe",
        f"export: `{_export_command(manifest)}`",
        *_equipment(manifest),
        f"evaluate: `{judged.command if judged else 'dermalens evaluate BUNDLE SPLIT --part test'}`",
        "this card: `dermalens card BUNDLE" + (" --report report.json`" if judged else "`"),
    )
