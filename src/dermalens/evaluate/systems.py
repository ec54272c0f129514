"""`results/systems.json`: for each trained system what it is made of and what it does on the one test part."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from dermalens.core.bundle import Measured
from dermalens.core.errors import DataError
from dermalens.core.files import write_whole
from dermalens.data.index import Row
from dermalens.evaluate import f_scores, metrics
from dermalens.evaluate.bootstrap import lesion_samples, measured, over_draws
from dermalens.evaluate.judge import logits_of, scored
from dermalens.evaluate.metrics import Figure
from dermalens.evaluate.predictions import truth_of
from dermalens.predict.classifier import Classifier

FIGURES: Final[Mapping[str, Figure]] = {
    "accuracy": metrics.accuracy,
    "balanced_accuracy": metrics.balanced_accuracy,
    "macro_f1": f_scores.macro_f1,
    "weighted_f1": f_scores.weighted_f1,
    "precision": f_scores.macro_precision,
    "recall": f_scores.macro_recall,
    "macro_auc": metrics.macro_auc,
    "malignant_auc": metrics.malignant_auc,
    "binary_accuracy": f_scores.binary_accuracy,
}
"""Of every system; precision and recall are means over the classes."""


@dataclass(frozen=True, slots=True)
class Network:
    """One trained network of a system: what it started from and what it cost."""

    name: str
    parameters: int
    weights: str
    """`model.weights` of its recipe: none, package, timm or a file."""
    epochs: int | None
    """None where the run did not say."""
    device: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Making:
    """How a system came about."""

    settings: Mapping[str, Any]
    """The resolved recipe; empty where only the bundle is at hand."""
    networks: Sequence[Network]
    parameters_from: str
    """`network`: counted in the trained network; `graph`: the weights of the ONNX graphs, in which batch normalisation
    is folded into the convolutions, so that they are somewhat fewer."""
    seconds_of_folds: float = 0.0
    """Spent on out-of-fold predictions, for a stack."""


def measure_system(
    classifier: Classifier, rows: Sequence[Row], *, draws: int = 1000, advance: Callable[[int], None] | None = None
) -> dict[str, Measured]:
    """Every figure of `FIGURES` on `rows`, each with its 95 % interval from a bootstrap over lesions.

    Raises:
        DataError: no rows, or labels that the bundle does not know.
    """
    truth = truth_of(rows, classifier.manifest.classes)
    found = scored(classifier, logits_of(classifier, rows, advance=advance), truth)
    samples = lesion_samples(truth, draws=draws, seed=0)
    drawn = over_draws(
        lambda weights: {name: figure.drawn(found, weights) for name, figure in FIGURES.items()}, samples
    )
    return {name: measured(values, len(rows)) for name, values in drawn.items()}


def entry(
    classifier: Classifier, making: Making, figures: Mapping[str, Measured], rows: Sequence[Row]
) -> dict[str, Any]:
    """What `results/systems.json` holds of one system."""
    manifest, networks = classifier.manifest, making.networks
    seconds = [network.seconds for network in networks]
    epochs = [network.epochs for network in networks]
    return {
        "recipe": manifest.provenance.recipe,
        "settings": dict(making.settings),
        "parameters": sum(network.parameters for network in networks),
        "parameters_from": making.parameters_from,
        "weights": _joined(network.weights for network in networks),
        "side_pixels": manifest.preprocess.side_pixels,
        "views": len(manifest.views),
        "epochs": sum(number for number in epochs if number is not None) if None not in epochs else None,
        "device": _joined(network.device for network in networks),
        "seconds": None if None in seconds else round(sum(s for s in seconds if s) + making.seconds_of_folds, 1),
        "networks": [asdict(network) for network in networks],
        "classes": list(manifest.classes),
        "bundle_sha256": classifier.bundle.sha256,
        "split_sha256": manifest.provenance.split_sha256,
        "images": len(rows),
        "lesions": len({row.lesion_id for row in rows}),
        "figures": {name: figure.model_dump() for name, figure in figures.items()},
    }


def _joined(values: Any) -> str:
    return ", ".join(dict.fromkeys(str(value) for value in values))


def read_systems(source: Path) -> dict[str, dict[str, Any]]:
    """The entries by name of the system; none where there is no such file.

    Raises:
        DataError: the file is not such a table.
    """
    if not source.is_file():
        return {}
    try:
        systems: dict[str, dict[str, Any]] = json.loads(source.read_text(encoding="utf-8"))["systems"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{source} is not a table of systems: {error}. Move it away and measure again.") from error
    return systems


def merge_systems(source: Path, new: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Write the entries of `source` with `new` ones added or replaced by name, whole or not at all.

    Raises:
        DataError: the entries are of another split than the new ones, or the file cannot be read or written.
    """
    both = {**read_systems(source), **new}
    splits = {str(system["split_sha256"])[:12] for system in both.values()}
    if len(splits) > 1:
        raise DataError(f"{source} has systems of another split ({', '.join(sorted(splits))}); name another --out.")
    content = {"systems": dict(sorted(both.items()))}
    try:
        source.parent.mkdir(parents=True, exist_ok=True)
        write_whole(source, (json.dumps(content, indent=2) + "\n").encode())
    except OSError as error:
        raise DataError(f"Cannot write {source}: {error.strerror}.") from error
    return content
