"""A gallery of cases as one file: an uncompressed .npz of arrays, without a single Python object in it."""

from __future__ import annotations

import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from dermalens.core.errors import DataError
from dermalens.predict.similar import CaseGallery, Cases, Names, Projection, Vectors

FORMAT: Final = 1
SUFFIX: Final = ".npz"

_BUILD: Final = "Build it again: dermalens gallery build INDEX --out FILE"
_STORED: Final = np.dtype(np.float16)
"""Of vectors of length one: the distance of two images moves by less than 0.001."""
_ARRAYS: Final[Mapping[str, tuple[str, int]]] = {
    "format": ("int64", 0),
    "embedding_sha256": ("uint8", 1),
    "vectors": ("float16", 2),
    "projection": ("float32", 2),
    "label_numbers": ("uint16", 1),
    "is_malignant": ("bool", 1),
    "labels": ("uint8", 1),
    "label_ends": ("int64", 1),
    "names": ("uint8", 1),
    "name_ends": ("int64", 1),
}
"""Every array of the file with its type and number of axes; a projection of no rows stands for none."""
_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What `zipfile` and NumPy raise for damaged bytes; RuntimeError is a file marked as encrypted, MemoryError an array
that is said to be larger than any."""


def read_gallery(source: Path) -> CaseGallery:
    """Read a gallery; 1,000,000 images with 128 numbers each take 512 MB of memory.

    Raises:
        DataError: no file, not a gallery, damaged, or made by a newer version.
    """
    try:
        with source.open("rb") as stream:
            arrays = _arrays(stream, source)
    except OSError as error:
        raise DataError(f"Cannot read the gallery {source}: {error.strerror or error}. {_BUILD}") from error
    except _DAMAGE as error:
        detail = " ".join(str(error).split())[:100] or type(error).__name__
        raise DataError(f"{source} is not a gallery, or is damaged ({detail}). {_BUILD}") from error
    return _gallery(arrays, source)


def _arrays(stream: IO[bytes], source: Path) -> dict[str, NDArray[Any]]:
    """The arrays of the file; compressed ones are refused, as they could fill any memory."""
    with zipfile.ZipFile(stream) as archive:
        compressed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
    if compressed:
        raise ValueError("its arrays are compressed")
    stream.seek(0)
    with np.load(stream, allow_pickle=False) as loaded:
        version = int(loaded["format"])
        if version > FORMAT:
            raise DataError(
                f"{source} was made by a newer DermaLens: format {version} given, {FORMAT} known; "
                "upgrade: pip install -U dermalens"
            )
        return {name: loaded[name] for name in _ARRAYS}


def _gallery(arrays: Mapping[str, NDArray[Any]], source: Path) -> CaseGallery:
    wrong = [name for name, kind in _ARRAYS.items() if (arrays[name].dtype.name, arrays[name].ndim) != kind]
    labels, names = Names(arrays["labels"], arrays["label_ends"]), Names(arrays["names"], arrays["name_ends"])
    if wrong or not _fit_together(arrays, labels, names):
        what = f"the array {wrong[0]} has another type" if wrong else "its arrays do not belong together"
        raise DataError(f"{source} is not a gallery, or is damaged ({what}). {_BUILD}")
    vectors = arrays["vectors"].astype(np.float32)
    length = np.sqrt(np.einsum("md,md->m", vectors, vectors))
    if not (np.isfinite(arrays["projection"]).all() and ((abs(length - 1) < 0.01) | (length == 0)).all()):
        raise DataError(f"{source} is damaged: its vectors are not of length one. {_BUILD}")
    vectors /= np.where(length > 0, length, 1)[:, None]
    cases = Cases(
        names=names,
        labels=tuple(labels[place] for place in range(len(labels))),
        is_malignant=arrays["is_malignant"],
        label_numbers=arrays["label_numbers"],
        embedding_sha256=arrays["embedding_sha256"].tobytes().decode("ascii", "replace"),
    )
    return CaseGallery(cases, vectors, arrays["projection"] if len(arrays["projection"]) else None)


def _fit_together(arrays: Mapping[str, NDArray[Any]], labels: Names, names: Names) -> bool:
    images, numbers = len(arrays["vectors"]), arrays["label_numbers"]
    return bool(
        images > 0
        and images == len(numbers) == len(names)
        and len(labels) == len(arrays["is_malignant"]) > numbers.max()
        and arrays["projection"].shape[1] in (0, arrays["vectors"].shape[1])
        and all(_ends_fit(part) for part in (labels, names))
    )


def _ends_fit(names: Names) -> bool:
    """Whether the ends ascend from 0 and the last is that of the bytes."""
    return bool((np.diff(names.ends, prepend=0) >= 0).all()) and int(names.ends[-1]) == len(names.content)


def write_gallery(target: Path, cases: Cases, projection: Projection | None, chunks: Iterable[Vectors]) -> None:
    """Write a gallery whose vectors come in `chunks` [m, d] of length one, in all as many as there are cases.

    No more than a chunk is in memory. The file is written whole or not at all.

    Raises:
        DataError: the file cannot be written.
    """
    arrays = _described(cases, projection)
    if target.is_dir():
        raise DataError(f"{target} is a folder; name a file for the gallery that ends in {SUFFIX}.")
    try:
        target.resolve().parent.mkdir(parents=True, exist_ok=True)
        with _replacing(target) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    npy.write_array(entry, array, allow_pickle=False)
            with archive.open("vectors.npy", "w", force_zip64=True) as entry:
                _write_vectors(entry, len(cases), chunks)
    except OSError as error:
        raise DataError(f"Cannot write {target}: {error.strerror or error}. Choose another place.") from error


def _described(cases: Cases, projection: Projection | None) -> dict[str, NDArray[Any]]:
    """Every array but the vectors."""
    labels = Names.of(cases.labels)
    return {
        "format": np.array(FORMAT, dtype=np.int64),
        "embedding_sha256": np.frombuffer(cases.embedding_sha256.encode(), dtype=np.uint8),
        "projection": np.zeros((0, 0), dtype=np.float32) if projection is None else projection,
        "label_numbers": cases.label_numbers,
        "is_malignant": cases.is_malignant,
        "labels": labels.content,
        "label_ends": labels.ends,
        "names": cases.names.content,
        "name_ends": cases.names.ends,
    }


def _write_vectors(entry: IO[bytes], images: int, chunks: Iterable[Vectors]) -> None:
    """The array file by file format of NumPy: a header with the shape, then the rows."""
    written = 0
    for chunk in chunks:
        if not written:
            shape = (images, chunk.shape[1])
            npy.write_array_header_1_0(
                entry, {"descr": npy.dtype_to_descr(_STORED), "fortran_order": False, "shape": shape}
            )
        entry.write(np.ascontiguousarray(chunk, dtype=_STORED).tobytes())
        written += len(chunk)
    if written != images:
        raise RuntimeError(f"{written} vectors came for {images} images")


@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    """A stream whose file takes the place of `target` when all is written: temporary name beside it, fsync, rename."""
    temporary = target.with_name(target.name + ".tmp")
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
