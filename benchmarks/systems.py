"""Measure trained systems on the test part of their split and write them into results/systems.json.

    python -m benchmarks.systems RUN_OR_BUNDLE ... --split work/split.csv

RUN is the folder of a run or of an ensemble, exported to RUN/bundle; a bundle without its run and `packaged` (the
bundle of the package, whose first run is results/default_robust/run.json) do as well, with the parameters counted in
the graphs.
An entry replaces the one of the same name. `make docs` writes docs/reference/systems.md from the file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from dermalens.cli.progress import counting
from dermalens.core.bundlefile import Bundle
from dermalens.core.errors import DermaLensError
from dermalens.evaluate.record import read_own_split, rows_of
from dermalens.evaluate.systems import Making, Network, entry, measure_system, merge_systems
from dermalens.export.finished import Run, read_run
from dermalens.export.stack import is_ensemble
from dermalens.export.stored import stored_constants
from dermalens.predict.classifier import load
from dermalens.train.ensemble import read_ensemble
from dermalens.train.notes import NOTES, read_notes

ROOT = Path(__file__).resolve().parents[1]
PACKAGED = "packaged"
PACKAGED_RUN = ROOT / "results" / "default_robust"


def main() -> None:
    """Measure what the command line names, one after the other; each is written as soon as it is known."""
    asked = arguments().parse_args()
    try:
        for source in asked.systems:
            name, measured = measure(source, asked.split, draws=asked.draws)
            merge_systems(asked.out, {name: measured})
            print(f"{name}: {json.dumps(measured['figures']['balanced_accuracy'])} balanced accuracy")
    except DermaLensError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def arguments() -> argparse.ArgumentParser:
    """What may be typed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.systems", description=__doc__)
    parser.add_argument("systems", metavar="RUN_OR_BUNDLE", nargs="+")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "systems.json")
    parser.add_argument("--draws", type=int, default=1000, help="of the bootstrap")
    return parser


def measure(source: str, split: Path, *, draws: int = 1000) -> tuple[str, dict[str, Any]]:
    """The name of a system and its entry.

    Raises:
        DermaLensError: no bundle there, or one that was trained on another split.
    """
    folder = Path(source)
    is_run = source != PACKAGED and not (folder / "bundle.json").is_file()
    classifier = load(None if source == PACKAGED else folder / "bundle" if is_run else folder, threads=1)
    read_own_split(classifier.bundle, split)
    rows = rows_of(split, "test")
    with counting(len(rows), classifier.manifest.name) as advance:
        figures = measure_system(classifier, rows, draws=draws, advance=advance)
    making = making_of_run(folder) if is_run else making_of_bundle(classifier.bundle, notes_beside(source))
    return classifier.manifest.name, entry(classifier, making, figures, rows)


def making_of_run(folder: Path) -> Making:
    """From the notes and checkpoints of a run or an ensemble."""
    if not is_ensemble(folder):
        run = read_run(folder)
        return Making(run.recipe.model_dump(mode="json"), [network_of(run.recipe.name, run)], "network")
    recipe = read_ensemble(folder).recipe
    networks = [network_of(name, read_run(folder / name)) for name in recipe.members]
    folds = [training_of(read_notes(path.parent)) for path in sorted(folder.glob(f"*/fold_*/{NOTES}"))]
    seconds = sum(float(fold.get("seconds", 0)) for fold in folds)
    return Making(recipe.model_dump(mode="json"), networks, "network", seconds_of_folds=seconds)


def network_of(name: str, run: Run) -> Network:
    """One run, its parameters counted in the network."""
    parameters = sum(tensor.numel() for tensor in run.classifier.parameters())
    return network(name, parameters, run.recipe.model.weights, training_of(run.notes))


def making_of_bundle(bundle: Bundle, notes: Mapping[str, Any]) -> Making:
    """From the bundle, and the notes of its run where they are at hand."""
    settings = notes.get("recipe", {})
    weights = str(settings.get("model", {}).get("weights", "not known"))
    files = [member.file for member in bundle.manifest.members]
    several, training = len(files) > 1, bundle.manifest.provenance.training
    networks = []
    for file in files:
        prefix = f"{Path(file).stem}_" if several else ""
        own = {key.removeprefix(prefix): value for key, value in training.items() if key.startswith(prefix)}
        networks.append(network(Path(file).stem, graph_parameters(bundle.graphs[file]), weights, own))
    return Making(settings, networks, "graph")


def notes_beside(source: str) -> Mapping[str, Any]:
    """The notes of the run that a bundle lies in, or of the packaged one."""
    return read_notes(PACKAGED_RUN if source == PACKAGED else Path(source).resolve().parent)


def network(name: str, parameters: int, weights: str, training: Mapping[str, Any]) -> Network:
    """With what the notes say of the training."""
    epochs, seconds = training.get("epochs"), training.get("seconds")
    return Network(name, parameters, weights, epochs, str(training.get("device", "not known")), seconds)


def training_of(notes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of the notes that is written at the end of a run."""
    training: Mapping[str, Any] = notes.get("training", {})
    return training


def graph_parameters(graph: bytes) -> int:
    """Numbers in the floating-point tensors of an ONNX graph, each tensor counted once, single numbers left out.

    Weights that are stored in fewer bits count as what they are computed with.
    """
    tensors = {
        (value.shape, value.tobytes())
        for value in stored_constants(graph).values()
        if value.dtype == np.float32 and value.size > 1
    }
    return sum(prod(shape) for shape, _ in tensors)


if __name__ == "__main__":
    main()
