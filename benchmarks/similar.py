"""Similar cases: how fast a million vectors are searched, and how good the neighbours are.

    python -m benchmarks.similar --split work/split.csv [--images 100000 1000000]

Speed is that of `CaseGallery.nearest` on random vectors (an exhaustive search takes as long on any), beside faiss.
Wall-clock time needs two idle cores; the CPU time and the load of the machine stand beside it. Neighbours are judged
on the validation part, never on the test part: with the train part as the gallery, and with the validation part itself
less the lesion that asks, which the bundle has not learned from.
Writes results/similar.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.timing import machine, median_ms
from dermalens.cli.progress import counting
from dermalens.core.taxonomy import MALIGNANT
from dermalens.data.index import Row
from dermalens.data.split import read_split
from dermalens.evaluate.bootstrap import interval, lesion_draws
from dermalens.evaluate.predictions import Truth
from dermalens.predict.classifier import Classifier, load
from dermalens.predict.embed import embeddings_of
from dermalens.predict.similar import (
    DEFAULT_COUNT,
    Cases,
    Embeddings,
    Names,
    Projection,
    Vectors,
    unit_vectors,
)
from dermalens.predict.similar_build import directions, principal_directions
from dermalens.predict.similar_file import read_gallery, write_gallery

RESULTS: Final = Path(__file__).resolve().parent / "results"
WIDTH: Final = 1280
"""Of the packaged bundle."""
IMAGES: Final = (100_000, 1_000_000)
DIRECTIONS: Final = (64, 128, 256)
CHUNK: Final = 50_000
DRAWS: Final = 500

Places = NDArray[np.int64]  # [queries, 16] in the gallery, the nearest first


@dataclass(frozen=True, slots=True)
class Embedded:
    """Images with their embeddings."""

    rows: Sequence[Row]
    embeddings: Embeddings

    @property
    def labels(self) -> NDArray[np.str_]:
        """[M]."""
        return np.array([row.label for row in self.rows])

    @property
    def lesions(self) -> NDArray[np.str_]:
        """[M]."""
        return np.array([row.lesion_id for row in self.rows])


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.similar", description=__doc__)
    parser.add_argument("--split", type=Path, help="without it, speed alone is measured")
    parser.add_argument("--images", type=int, nargs="+", default=IMAGES, help="in the galleries that are timed")
    asked = parser.parse_args()
    result = measure(asked.images)
    if asked.split:
        split, classifier = read_split(asked.split), load()
        result["neighbours"] = neighbours(*(embedded(classifier, split.part(part)) for part in ("val", "train")))
    write(result)


def write(result: dict[str, Any]) -> None:
    """Write the figures; those of the neighbours stay when speed alone was measured."""
    target = RESULTS / "similar.json"
    before = json.loads(target.read_text(encoding="utf-8")) if target.is_file() else {}
    RESULTS.mkdir(exist_ok=True)
    target.write_text(json.dumps(before | result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


def embedded(classifier: Classifier, rows: Sequence[Row]) -> Embedded:
    """The embeddings of all of `rows`."""
    parts = []
    with counting(len(rows), "Embedding") as advance:
        for part in embeddings_of(classifier, rows):
            parts.append(part)
            advance(len(part))
    return Embedded(rows, np.concatenate(parts))


def measure(images: Sequence[int]) -> dict[str, Any]:
    """The speed of a search in galleries of so many images each."""
    return {
        "machine": machine(),
        "threads": os.environ.get("OMP_NUM_THREADS", "one for each core"),
        "speed": {str(count): speed(count) for count in images},
    }


def speed(images: int) -> dict[str, Any]:
    """Of a gallery of so many images, read from a file as it is in use."""
    count = directions(images, WIDTH)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cases.npz"
        projection = np.linalg.qr(np.random.default_rng(0).standard_normal((WIDTH, count)))[0].astype(np.float32)
        write_gallery(file, random_cases(images), projection if count < WIDTH else None, random_vectors(images, count))
        start = time.perf_counter()
        gallery = read_gallery(file)
        seconds, size = time.perf_counter() - start, file.stat().st_size
    query = np.random.default_rng(1).random(WIDTH, dtype=np.float32)
    return {
        "directions": count,
        "file_mb": round(size / 1e6, 1),
        "read_seconds": round(seconds, 2),
        **timed(lambda: gallery.nearest(query)),
        "faiss": faiss_speed(gallery.vectors),
    }


def timed(search: Callable[[], object]) -> dict[str, Any]:
    """Median wall-clock time and CPU time of all threads of a search, and the load of the machine meanwhile."""
    wall = median_ms(search, repeats=20)
    times = []
    for _ in range(20):
        start = time.process_time()
        search()
        times.append(1000 * (time.process_time() - start))
    return {"wall_ms": wall, "cpu_ms": round(statistics.median(times), 2), "load": round(os.getloadavg()[0], 1)}


def faiss_speed(vectors: Vectors) -> dict[str, Any]:
    """Of faiss's exhaustive searches: 32 bits, and 16 bits."""
    width, bits = vectors.shape[1], faiss.ScalarQuantizer.QT_fp16
    indexes: dict[str, Any] = {
        "flat_32_bits": faiss.IndexFlatIP(width),
        "flat_16_bits": faiss.IndexScalarQuantizer(width, bits, faiss.METRIC_INNER_PRODUCT),
    }
    result: dict[str, Any] = {"version": faiss.__version__}
    for name, index in indexes.items():
        index.add(vectors)
        result[name] = timed(partial(index.search, vectors[:1], DEFAULT_COUNT))
        index.reset()
    return result


def random_cases(images: int) -> Cases:
    """So many cases of two labels."""
    return Cases(
        names=Names.of(f"ISIC_{place:07d}" for place in range(images)),
        labels=("mel", "nv"),
        is_malignant=np.array([True, False]),
        label_numbers=(np.arange(images) % 2).astype(np.uint16),
        embedding_sha256="0" * 64,
    )


def random_vectors(images: int, width: int) -> Any:
    """Chunks of random vectors of length one."""
    random = np.random.default_rng(0)
    for start in range(0, images, CHUNK):
        yield unit_vectors(random.random((min(CHUNK, images - start), width), dtype=np.float32), None)


def neighbours(val: Embedded, train: Embedded) -> dict[str, Any]:
    """How good the neighbours are, whole and in fewer directions; these are fitted on the gallery, as in use."""
    return {
        "count": DEFAULT_COUNT,
        "of_train": judged(val, train),
        "of_val_without_the_own_lesion": judged(val, val),
    }


def judged(queries: Embedded, gallery: Embedded) -> dict[str, Any]:
    """Figures of the whole embedding and of each number of directions."""
    whole = nearest(queries, gallery, None)
    result: dict[str, Any] = {"queries": len(queries.rows), "gallery": len(gallery.rows)}
    result["whole"] = figures(queries, gallery, whole)
    for count in DIRECTIONS:
        found = nearest(queries, gallery, principal_directions(gallery.embeddings, count))
        kept = [len(set(one) & set(other)) / DEFAULT_COUNT for one, other in zip(whole, found, strict=True)]
        recall = {"recall_of_the_whole": mean(queries, np.array(kept))}
        result[f"directions_{count}"] = recall | figures(queries, gallery, found)
    return result


def nearest(queries: Embedded, gallery: Embedded, projection: Projection | None) -> Places:
    """The places of the nearest images that do not show the lesion that asks."""
    vectors = unit_vectors(gallery.embeddings, projection)
    likeness = unit_vectors(queries.embeddings, projection) @ vectors.T
    likeness[queries.lesions[:, None] == gallery.lesions[None]] = -2
    return np.argsort(-likeness, axis=1, kind="stable")[:, :DEFAULT_COUNT]


def figures(queries: Embedded, gallery: Embedded, places: Places) -> dict[str, Any]:
    """Share of neighbours with the label of the query, over images and over classes; AUC of the malignant share."""
    labels = queries.labels
    same = (gallery.labels[places] == labels[:, None]).mean(axis=1)
    share = np.isin(gallery.labels, MALIGNANT)[places].mean(axis=1)
    malignant = np.isin(labels, MALIGNANT)
    of_class = {str(code): np.where(labels == code, same, np.nan) for code in np.unique(labels)}

    def auc(rows: NDArray[np.int64]) -> float:
        is_defined = 0 < malignant[rows].sum() < len(rows)
        return float(roc_auc_score(malignant[rows], share[rows])) if is_defined else float("nan")

    return {
        "same_label": mean(queries, same),
        "same_label_by_class": {code: mean(queries, values) for code, values in of_class.items()},
        "malignant_share_auc": shown(queries, auc, n=len(labels)),
    }


def mean_of(values: NDArray[np.float64], rows: NDArray[np.int64]) -> float:
    """The mean of the values that there are; NaN where there are none."""
    defined = values[rows][~np.isnan(values[rows])]
    return float(defined.mean()) if len(defined) else float("nan")


def mean(queries: Embedded, values: NDArray[np.float64]) -> dict[str, float | int | None]:
    """The mean of values of the queries, NaN where there is none, with its interval."""
    return shown(queries, partial(mean_of, values), n=int(np.sum(~np.isnan(values))))


def shown(queries: Embedded, figure: Callable[[NDArray[np.int64]], float], *, n: int) -> dict[str, float | int | None]:
    """A figure of rows with its interval over the lesions of the queries."""
    truth = Truth(np.zeros(len(queries.rows), dtype=np.int64), tuple(queries.lesions))
    drawn = np.array([figure(rows) for rows in lesion_draws(truth, draws=DRAWS, seed=0)])
    measured = interval(drawn, figure(np.arange(len(queries.rows))), n).model_dump()
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in measured.items()}


if __name__ == "__main__":
    main()
