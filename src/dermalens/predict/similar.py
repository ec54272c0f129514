"""Similar cases: the nearest labelled images of the user's own, by the embedding that a bundle gives them.

The search is exhaustive, so nothing near is missed: one product of the vectors with that of the image asked about.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dermalens.core.bundle import Manifest
from dermalens.core.errors import DermaLensError

Embeddings = NDArray[np.float32]  # [M, D], as `Classifier.run` gives them
Vectors = NDArray[np.float32]  # [M, d], of length one (or all 0)
Projection = NDArray[np.float32]  # [D, d], orthonormal columns

DEFAULT_COUNT = 16
"""Neighbours that are shown."""
DECIMALS: Final = 6
"""Of a distance and of a share in an answer."""


@dataclass(frozen=True, slots=True)
class Similar:
    """One labelled image that is near."""

    name: str
    label: str
    distance: float
    """Cosine distance, 0 (the same direction) to 2."""
    is_malignant: bool

    def as_dict(self) -> dict[str, Any]:
        """As it stands in an answer."""
        return {
            "name": self.name,
            "label": self.label,
            "malignant": self.is_malignant,
            "distance": round(self.distance, DECIMALS),
        }


@dataclass(frozen=True, slots=True)
class Names:
    """A million names without a million objects: their UTF-8 bytes one after the other, and where each ends."""

    content: NDArray[np.uint8]
    ends: NDArray[np.int64]
    """[M], ascending; the last is the length of `content`."""

    @classmethod
    def of(cls, names: Iterable[str]) -> Names:
        """From strings; what UTF-8 cannot hold is written as an escape."""
        encoded = [name.encode("utf-8", "backslashreplace") for name in names]
        ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, place: int) -> str:
        start = int(self.ends[place - 1]) if place else 0
        return self.content[start : int(self.ends[place])].tobytes().decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Cases:
    """What is known of the M images of a gallery, and which graphs made their embeddings."""

    names: Names = field(repr=False)
    labels: tuple[str, ...]
    """Each label once."""
    is_malignant: NDArray[np.bool_]
    """[labels]."""
    label_numbers: NDArray[np.uint16] = field(repr=False)
    """[M], the place of each image's label in `labels`."""
    embedding_sha256: str
    """That of the bundle that the gallery was built with; see `embedding_sha256`."""

    def __len__(self) -> int:
        return len(self.label_numbers)


@dataclass(frozen=True, slots=True)
class CaseGallery:
    """Labelled images as vectors. Nothing in it changes; threads may share it."""

    cases: Cases
    vectors: Vectors = field(repr=False)
    projection: Projection | None = field(repr=False)
    """From an embedding to a vector; None where the vectors are the embeddings, brought to length one."""

    @property
    def width(self) -> int:
        """Numbers in an embedding that may be asked about."""
        return int(self.vectors.shape[1] if self.projection is None else self.projection.shape[0])

    def nearest(self, embedding: NDArray[np.float32], count: int = DEFAULT_COUNT) -> list[Similar]:
        """The `count` nearest images to an embedding [D], the nearest first; all of them when there are fewer.

        Raises:
            DermaLensError: fewer than one asked for, or an embedding of another width or that is not finite.
        """
        self._check(embedding, count)
        query = unit_vectors(embedding[None], self.projection)[0]
        likeness = self.vectors @ query
        places = _highest(likeness, min(count, len(likeness)))
        return [self._similar(int(place), float(likeness[place])) for place in places]

    def check_made_with(self, manifest: Manifest) -> None:
        """Refuse a gallery whose embeddings come from other graphs than those of the bundle that asks.

        Raises:
            DermaLensError: it was built with another bundle.
        """
        needed = embedding_sha256(manifest)
        if self.cases.embedding_sha256 != needed:
            raise DermaLensError(
                f"The gallery was built with another bundle than {manifest.name} {manifest.version}: embeddings "
                f"{self.cases.embedding_sha256[:12]} given, {needed[:12]} needed. Use that bundle, or build the "
                "gallery again: dermalens gallery build INDEX --out FILE"
            )

    def _check(self, embedding: NDArray[np.float32], count: int) -> None:
        if count < 1:
            raise DermaLensError(f"{count} similar images asked for; needed is 1 or more.")
        if embedding.shape != (self.width,):
            raise DermaLensError(
                f"The embedding has the shape {list(embedding.shape)}; the gallery needs [{self.width}]. "
                "Use the bundle that the gallery was built with."
            )
        if not np.isfinite(embedding).all():
            raise DermaLensError("The embedding has numbers that are not finite, so nothing is near to it.")

    def _similar(self, place: int, likeness: float) -> Similar:
        cases, number = self.cases, int(self.cases.label_numbers[place])
        distance = min(max(1 - likeness, 0.0), 2.0)
        return Similar(cases.names[place], cases.labels[number], distance, bool(cases.is_malignant[number]))


def malignant_share(similar: Sequence[Similar]) -> float | None:
    """Share of the neighbours that are malignant; None without any."""
    return sum(one.is_malignant for one in similar) / len(similar) if similar else None


def embedding_sha256(manifest: Manifest) -> str:
    """The SHA-256 of what an embedding follows from: the members' graphs in order, the views and the preprocessing.

    Calibration, thresholds, figures and the gate may change, and a gallery stays good.
    """
    parts = [member.sha256 for member in manifest.members]
    parts += [*manifest.views, manifest.preprocess.model_dump_json(exclude_defaults=True)]
    parts += [step.model_dump_json() for step in manifest.preprocess.clean]  # the name of a step is a default of it
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def unit_vectors(embeddings: Embeddings, projection: Projection | None) -> Vectors:
    """Embeddings [M, D] projected and brought to length one; zeros stay zeros, and are at distance 1 from all."""
    vectors = embeddings.astype(np.float32) if projection is None else embeddings @ projection
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1), dtype=np.float32)


def _highest(values: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Places of the `count` highest values, the highest first; of equal ones the first first."""
    lowest = np.partition(values, len(values) - count)[len(values) - count]
    above = np.flatnonzero(values > lowest)
    equal = np.flatnonzero(values == lowest)[: count - len(above)]
    places = np.concatenate([above, equal])
    return np.asarray(places[np.lexsort((places, -values[places]))])
