"""Measure the gate and the quality findings of a bundle on pictures that neither was fitted on.

    python -m benchmarks.gate BUNDLE --split work/split.csv --photos DIR --masks DIR

Lesion images and bare skin are of the test part; photographs are the half that fitting leaves alone, drawings have
numbers that it does not reach. Writes results/gate.json: of each kind the share that the gate accepts, that has no
quality finding, and that passes both, with Wilson's 95 % intervals.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import machine
from dermalens.core.bundle import Measured
from dermalens.core.errors import BundleError, DermaLensError
from dermalens.data.split import read_split
from dermalens.evaluate.record import read_own_split
from dermalens.export.gate_fit import accepted_share
from dermalens.export.gate_pictures import GateData, Pictures, held_out
from dermalens.predict.classifier import Classifier, load
from dermalens.predict.gate import LesionGate
from dermalens.predict.quality import assess

RESULTS = Path(__file__).resolve().parent / "results"
BATCH = 8
FULL_SIZE = (600, 450)
"""Of the originals of HAM10000: the size of a picture is not what is measured here."""


def main() -> None:
    """Measure what the command line names."""
    asked = arguments().parse_args()
    try:
        result = measure(asked.bundle, GateData(read_split(asked.split), asked.photos, asked.masks), asked.split)
    except DermaLensError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


def arguments() -> argparse.ArgumentParser:
    """What may be typed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__)
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=RESULTS / "gate.json")
    return parser


def measure(bundle: Path, data: GateData, split: Path) -> dict[str, Any]:
    """The figures of every kind.

    Raises:
        BundleError: the bundle has no gate.
        DataError: another split than that of the bundle, or a picture that cannot be read.
    """
    classifier = load(bundle)
    read_own_split(classifier.bundle, split)
    gate = gate_of(classifier)
    kinds = {kind: judge(classifier, gate, pictures) for kind, pictures in _pictures(classifier, data).items()}
    return {"machine": machine(), "bundle_sha256": classifier.bundle.sha256, "kinds": kinds}


def gate_of(classifier: Classifier) -> LesionGate:
    """The bundle's gate.

    Raises:
        BundleError: it has none.
    """
    if classifier.gate is None:
        raise BundleError("The bundle has no gate; add one: dermalens equip BUNDLE --gate-photos DIR ...")
    return classifier.gate


def judge(classifier: Classifier, gate: LesionGate, pictures: Pictures) -> dict[str, dict[str, float | int | None]]:
    """Shares accepted by the gate, without quality findings, and both."""
    through: list[bool] = []
    good: list[bool] = []
    while squares := list(islice(pictures, BATCH)):
        embeddings = classifier.run(np.stack(squares)).embedding
        through += [one.accepted for one in gate.judge(embeddings)]
        good += [not assess(square, FULL_SIZE).findings for square in squares]
    accepted, fine = np.array(through, dtype=bool), np.array(good, dtype=bool)
    shares = {"gate": accepted, "quality": fine, "both": accepted & fine}
    return {name: counted(accepted_share(share), int(share.sum())) for name, share in shares.items()}


def counted(figure: Measured, accepted: int) -> dict[str, float | int | None]:
    """A share with the number behind it."""
    return {"accepted": accepted, **figure.model_dump()}


def _pictures(classifier: Classifier, data: GateData) -> Mapping[str, Pictures]:
    return held_out(data, classifier.manifest.preprocess, part="test")


if __name__ == "__main__":
    main()
