"""Images that a bundle learned from are refused, as far as it can tell."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from dermalens.core.bundle import Manifest
from dermalens.core.errors import DataError
from dermalens.data.index import Row, read_index, write_index
from dermalens.data.split import split_sha256
from dermalens.evaluate.seen import check_unseen
from tests.tiny_bundle import tiny_graph, tiny_manifest


@pytest.fixture(scope="module")
def graph() -> bytes:
    return tiny_graph()


def split_of(folder: Path, source: str = "HAM10000") -> Path:
    rows = [
        Row(f"i{part}", str(folder / f"{part}.jpg"), "nv", f"L{part}", source=source, part=part)
        for part in ("train", "val", "test")
    ]
    write_index(rows, folder / "split.csv")
    return folder / "split.csv"


def trained_on(split: Path, graph: bytes, *data: str) -> Manifest:
    manifest = tiny_manifest({"model.onnx": graph})
    provenance = manifest.provenance.model_copy(
        update={"split_sha256": split_sha256(read_index(split)), "data": [f"{name}: who; licence" for name in data]}
    )
    return manifest.model_copy(update={"provenance": provenance})


def known_of(manifest: Manifest, rows: list[Row], folder: Path) -> str:
    """What is known of rows in an index of their own."""
    write_index(rows, folder / "index.csv")
    return check_unseen(manifest, folder / "index.csv", rows, part="all")


@pytest.mark.skipif(os.name == "nt", reason="file names are Unicode there")
def test_an_index_whose_name_is_not_unicode_is_named_with_an_escape(tmp_path: Path, graph: bytes) -> None:
    split = split_of(tmp_path)
    manifest = trained_on(split, graph, "HAM10000")
    index = tmp_path / os.fsdecode(b"lat\xe9n.csv")
    write_index(read_index(split)[:1], index)
    known = check_unseen(manifest, index, read_index(index), part="all", allow_seen=True)
    assert r"and lat\xe9n.csv is not its split" in known


def test_the_test_part_of_the_own_split_is_unseen(tmp_path: Path, graph: bytes) -> None:
    split = split_of(tmp_path)
    manifest = trained_on(split, graph, "HAM10000")
    assert "The test part of the split that the bundle was trained on" in check_unseen(
        manifest, split, read_index(split), part="test"
    )


@pytest.mark.parametrize(
    ("part", "why"), [("train", "learned from them"), ("val", "thresholds were chosen"), ("all", "most of them")]
)
def test_the_other_parts_of_the_own_split_are_refused_unless_allowed(
    tmp_path: Path, graph: bytes, part: str, why: str
) -> None:
    split = split_of(tmp_path)
    manifest = trained_on(split, graph, "HAM10000")
    with pytest.raises(DataError, match=f"part {part} of the bundle's own split: .*{why}.* Lesions: .+--allow-seen"):
        check_unseen(manifest, split, read_index(split), part=part)
    allowed = check_unseen(manifest, split, read_index(split), part=part, allow_seen=True)
    assert "say nothing of new images" in allowed


def test_other_images_of_the_same_data_are_refused_as_they_may_be_the_same(tmp_path: Path, graph: bytes) -> None:
    manifest = trained_on(split_of(tmp_path), graph, "HAM10000", "ISIC-archive")
    rows = [replace(row, part="") for row in read_index(tmp_path / "split.csv")]
    with pytest.raises(DataError, match=r"3 of 3 images are of data that the bundle learned from \(HAM10000\)"):
        known_of(manifest, rows, tmp_path)


def test_images_of_another_source_pass_with_a_word_on_what_was_not_checked(tmp_path: Path, graph: bytes) -> None:
    manifest = trained_on(split_of(tmp_path), graph, "HAM10000")
    rows = [Row("x", "x.jpg", "nv", "x", source="clinic")]
    assert "more cannot be checked" in known_of(manifest, rows, tmp_path)


@pytest.mark.parametrize("source", ["ISIC2018", "my_folder"])
@pytest.mark.parametrize("learned", ["HAM10000", "ISIC2018"])
def test_images_of_ham10000_are_known_by_their_numbers_whatever_the_index_calls_their_source(
    tmp_path: Path, graph: bytes, source: str, learned: str
) -> None:
    manifest = trained_on(split_of(tmp_path), graph, learned)
    rows = [
        Row("ISIC_0024306", "a.jpg", "nv", "a", source=source),
        Row("ISIC_0034320", "b.jpg", "nv", "b", source=source),
    ]
    with pytest.raises(DataError, match=r"2 of 2 images are of data that the bundle learned from \(HAM10000\)"):
        known_of(manifest, rows, tmp_path)


def test_the_test_images_of_isic_2018_are_not_of_ham10000(tmp_path: Path, graph: bytes) -> None:
    manifest = trained_on(split_of(tmp_path), graph, "HAM10000")
    rows = [Row("ISIC_0034524", "a.jpg", "nv", "a", source="ISIC2018")]
    assert "No image names a data set that it learned from" in known_of(manifest, rows, tmp_path)


def test_a_bundle_that_held_out_a_fold_learned_from_its_val_part(tmp_path: Path, graph: bytes) -> None:
    split = split_of(tmp_path)
    manifest = trained_on(split, graph, "HAM10000")
    training = {**manifest.provenance.training, "fold": 2}
    provenance = manifest.provenance.model_copy(update={"training": training})
    with pytest.raises(DataError, match="it learned from all of them but its fold"):
        check_unseen(manifest.model_copy(update={"provenance": provenance}), split, read_index(split), part="val")
