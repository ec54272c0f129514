"""Where the time of one image goes on one thread, and what other ways to the same answer would take.

    python -m benchmarks.inference_paths [--bundle BUNDLE] [--split work/split.csv] [--repeats 30] [--out FILE]

A way to run the graph is timed by itself with that of the first network, and in whole answers with those of all.
Within each table the calls take turns, so that whatever else the machine does meets all of them alike; a figure stands
beside that of the default path, and a ratio below 1 is faster. With a split the int8 graph is calibrated on images of
its train part, and every faster path answers for each image of its test part. Writes results/inference_paths.json.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import inference_tables as tables
from benchmarks.inference_answers import TOLERANCE, Way, compare
from benchmarks.inference_graphs import WAYS, BatchOfViews, Material, opened_ways
from benchmarks.inference_tables import HALF_TURN, Table
from benchmarks.pictures import LARGE, SMALL, jpeg
from benchmarks.timing import machine
from dermalens.data.index import Row
from dermalens.data.split import read_split
from dermalens.evaluate.judge import read_squares
from dermalens.predict.classifier import Asked, Classifier, load
from dermalens.predict.session import Squares
from dermalens.transforms.preprocess import preprocess

RESULTS: Final = Path(__file__).resolve().parent / "results"
SPLIT: Final = RESULTS.parents[1] / "work" / "split.csv"
Sizes = Mapping[str, tuple[int, int]]  # width and height of the JPEGs
SIZES: Final[Sizes] = {"600x450": SMALL, "12_megapixels": LARGE}
PACKAGES: Final = ("onnx", "openvino", "simplejpeg", "PyTurboJPEG")
CALIBRATION_IMAGES: Final = 128
FASTER: Final = 0.95
"""Ratio below which a way counts as faster, and its answers to the test part are looked at."""


def main() -> None:
    """Measure what the command line names and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--split", type=Path, default=SPLIT)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--out", type=Path, default=RESULTS / "inference_paths.json")
    asked = parser.parse_args()
    found = measure(load(asked.bundle), split=asked.split, repeats=asked.repeats)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


def measure(
    classifier: Classifier | None = None, *, split: Path = SPLIT, repeats: int = 30, sizes: Sizes = SIZES
) -> Table:
    """All tables, for the packaged bundle unless another is given; without a split neither int8 nor the test part."""
    classifier = classifier or load()
    rows: Sequence[Row] = read_split(split).rows if split.is_file() else ()
    calibration = _calibration(classifier, rows)
    images = {name: jpeg(*size) for name, size in sizes.items()}
    materials = [Material(classifier.bundle.graphs[one.file], calibration) for one in classifier.manifest.members]
    material = materials[0]
    square = _square(classifier, next(iter(images.values())))
    sessions, refused = opened_ways(material, square)
    graphs = tables.graph_table(classifier, sessions, square, repeats)
    decoding = {name: tables.decode_table(classifier, data, repeats) for name, data in images.items()}
    resizing = {name: tables.resize_table(classifier, data, repeats) for name, data in images.items()}
    faster = [name for name, figures in graphs.items() if figures["ratio"] < FASTER]
    ways = answer_ways(classifier, materials, faster)
    ways |= {f"decode_{name}": Way(lambda: classifier, reader=name) for name in promising(decoding)}
    ways |= {f"resize_{name}": Way(lambda: classifier, cutter=name) for name in promising(resizing)}
    return {
        "machine": machine() | {f"version_{name}": _version(name) for name in PACKAGES},
        "bundle": f"{classifier.manifest.name} {classifier.manifest.version}",
        "bundle_sha256": classifier.bundle.sha256,
        "threads": 1,
        "repeats": repeats,
        "calibration_images": 0 if calibration is None else len(calibration),
        "stages": {name: tables.stages(classifier, data, repeats) for name, data in images.items()},
        "decode": decoding,
        "resize": resizing,
        "graph": graphs | tables.not_run(refused),
        "views": tables.views_table(sessions, square, repeats),
        "two_threads": tables.threads_table(material, square, repeats),
        "opening": tables.opening_table(material),
        "peak_memory_mb": {
            name: tables.peak_megabytes(material.graph, square, name) for name in ("default", "arena_off")
        },
        "whole_answer": {name: tables.whole_table(ways, data, repeats) for name, data in images.items()},
        "test_part": compare(ways, [row for row in rows if row.part == "test"]) if rows else {},
    }


def promising(by_size: Mapping[str, Table]) -> list[str]:
    """Ways that are faster at some size and within the tolerance at each: only these may become the default."""
    every = list(by_size.values())
    names = [name for name, figures in every[0].items() if name != "default" and "ms" in figures]
    return [
        name
        for name in names
        if min(table[name]["ratio"] for table in every) < FASTER
        and max(table[name]["largest_difference_probability"] for table in every) <= TOLERANCE
    ]


def answer_ways(classifier: Classifier, materials: Sequence[Material], faster: Sequence[str]) -> dict[str, Way]:
    """The default path, the same with all graphs run in each of the faster ways, and with both views in one batch."""

    def with_graph(name: str) -> Classifier:
        return replace(classifier, sessions=tuple(WAYS[name](one) for one in materials))

    def with_batch(name: str) -> Classifier:
        return replace(classifier, sessions=tuple(BatchOfViews(WAYS[name](one)) for one in materials))

    ways = {"default": Way(lambda: classifier)} | {f"graph_{name}": Way(partial(with_graph, name)) for name in faster}
    if tuple(classifier.manifest.views) == HALF_TURN:
        batched = ["default", *(name for name in faster if name == "openvino_fp32")]
        ways |= {f"one_batch_{name}": Way(partial(with_batch, name)) for name in batched}
    return ways


def _calibration(classifier: Classifier, rows: Sequence[Row]) -> Squares | None:
    """Squares of some images of the train part, drawn by chance but always the same; None without rows."""
    train = [row for row in rows if row.part == "train" and row.source == "HAM10000"]
    if not train:
        return None
    drawn = np.random.default_rng(0).permutation(len(train))[:CALIBRATION_IMAGES]
    return read_squares([train[number] for number in drawn], classifier.manifest.preprocess)


def _square(classifier: Classifier, data: bytes) -> Squares:
    decoded = classifier.read(data, Asked(classifier.operating_point()))
    return preprocess(decoded.picture, classifier.manifest.preprocess)[None]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
