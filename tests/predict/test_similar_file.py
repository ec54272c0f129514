"""Galleries on disk: what is written comes back, and what is not one is one clear error."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dermalens.core.errors import DataError, DermaLensError
from dermalens.predict.similar import CaseGallery, Cases, Names
from dermalens.predict.similar_file import read_gallery, write_gallery


def cases(count: int) -> Cases:
    return Cases(
        names=Names.of(f"bild_{place}" for place in range(count)),
        labels=("mel", "nv"),
        is_malignant=np.array([True, False]),
        label_numbers=np.array([place % 2 for place in range(count)], dtype=np.uint16),
        embedding_sha256="ab" * 32,
    )


def unit(count: int, width: int) -> np.ndarray:
    vectors = np.random.default_rng(count).standard_normal((count, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    vectors = unit(10, 4)
    write_gallery(tmp_path / "cases.npz", cases(10), None, [vectors[:6], vectors[6:]])
    return tmp_path / "cases.npz"


def test_what_is_written_comes_back(file: Path):
    gallery = read_gallery(file)
    assert gallery.vectors == pytest.approx(unit(10, 4), abs=1e-3)
    assert np.linalg.norm(gallery.vectors, axis=1) == pytest.approx(1, abs=1e-6)
    assert gallery.projection is None
    assert (gallery.cases.labels, gallery.cases.embedding_sha256) == (("mel", "nv"), "ab" * 32)
    assert [one.name for one in gallery.nearest(unit(10, 4)[7], 1)] == ["bild_7"]
    assert [path.name for path in file.parent.iterdir()] == ["cases.npz"]


def test_a_projection_comes_back_exactly(tmp_path: Path):
    projection = np.linalg.qr(np.random.default_rng(0).standard_normal((9, 4)))[0].astype(np.float32)
    write_gallery(tmp_path / "a.npz", cases(5), projection, [unit(5, 4)])
    gallery = read_gallery(tmp_path / "a.npz")
    assert gallery.projection is not None
    assert np.array_equal(gallery.projection, projection)
    assert gallery.width == 9


def test_numpy_itself_reads_the_file(file: Path):
    with np.load(file, allow_pickle=False) as loaded:
        assert loaded["vectors"].dtype == np.float16
        assert loaded["vectors"].shape == (10, 4)


def test_a_write_that_fails_leaves_the_old_file(file: Path):
    before = file.read_bytes()

    def breaks_off():
        yield unit(10, 4)[:6]
        raise DataError("Image 7 cannot be read")

    with pytest.raises(DataError, match="Image 7"):
        write_gallery(file, cases(10), None, breaks_off())
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["cases.npz"]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(DataError, match="Cannot write"):
        write_gallery(tmp_path / "file" / "a.npz", cases(1), None, [unit(1, 2)])
    with pytest.raises(DataError, match="is a folder"):
        write_gallery(tmp_path / "folder.npz", cases(1), None, [unit(1, 2)])


def changed(file: Path, **arrays: object) -> Path:
    """The file with some arrays changed, or left out where None is given."""
    with np.load(file) as loaded:
        content = dict(loaded) | arrays
    target = file.with_name("changed.npz")
    np.savez(target, **{name: array for name, array in content.items() if array is not None})
    return target


FOREIGN: dict[str, dict[str, Any]] = {
    "no array of a gallery": {"vectors": None},
    "vectors of another type": {"vectors": np.ones((10, 4), dtype=np.float64)},
    "an axis too many": {"vectors": np.ones((10, 4, 1), dtype=np.float16)},
    "no images": {"vectors": np.ones((0, 4), dtype=np.float16)},
    "fewer images than labels": {"vectors": np.full((9, 4), 0.5, dtype=np.float16)},
    "vectors that are not of length one": {"vectors": np.full((10, 4), 3, dtype=np.float16)},
    "vectors that are not finite": {"vectors": np.full((10, 4), np.nan, dtype=np.float16)},
    "labels that do not exist": {"label_numbers": np.full(10, 2, dtype=np.uint16)},
    "one flag for two labels": {"is_malignant": np.array([True])},
    "names without an end": {"name_ends": np.arange(10)},
    "names that run backwards": {"name_ends": np.append(np.arange(9)[::-1], 60)},
    "names before the start": {"name_ends": np.append(np.arange(-9, 0), 60)},
    "a projection of another width": {"projection": np.ones((8, 3), dtype=np.float32)},
    "a projection that is not finite": {"projection": np.full((8, 4), np.inf, dtype=np.float32)},
    "a Python object": {"labels": np.array([{"mel": 1}], dtype=object)},
    "no number for a format": {"format": np.array("one")},
    "several formats": {"format": np.array([1, 1])},
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_not_a_gallery_is_one_clear_error(file: Path, what: str):
    with pytest.raises(DataError, match=r"changed\.npz .*Build it again: dermalens gallery build"):
        read_gallery(changed(file, **FOREIGN[what]))


def test_a_newer_gallery_asks_for_an_upgrade(file: Path):
    with pytest.raises(DataError, match="format 2 given, 1 known; upgrade"):
        read_gallery(changed(file, format=np.array(2)))


def test_compressed_arrays_are_refused(file: Path):
    with np.load(file) as loaded:
        np.savez_compressed(file, **loaded)
    with pytest.raises(DataError, match="compressed"):
        read_gallery(file)


@pytest.mark.parametrize("content", [b"", b"image_id,path\n", b"PK\x05\x06" + bytes(18)])
def test_other_files_are_refused(tmp_path: Path, content: bytes):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match="is not a gallery"):
        read_gallery(tmp_path / "a.npz")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"Cannot read the gallery .*none\.npz"):
        read_gallery(tmp_path / "none.npz")
    with pytest.raises(DataError, match="Cannot read the gallery"):
        read_gallery(tmp_path)


def test_no_damage_gets_through_as_anything_but_our_error(file: Path):
    whole = file.read_bytes()
    random = np.random.default_rng(0)
    readable = 0
    for _ in range(400):
        content = bytearray(whole)
        for place in random.integers(len(content), size=random.integers(1, 4)):
            content[place] = random.integers(256)
        file.write_bytes(content[: random.integers(len(content))] if random.random() < 0.2 else content)
        try:
            gallery = read_gallery(file)
        except DermaLensError:
            continue
        assert isinstance(gallery, CaseGallery)
        readable += 1
    assert readable < 200


def test_the_arrays_lie_uncompressed(file: Path):
    with zipfile.ZipFile(file) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
