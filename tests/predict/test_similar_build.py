"""Galleries built from drawn lesions, with and without fewer directions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermalens.core.errors import DataError
from dermalens.data.index import Row
from dermalens.predict import similar_build
from dermalens.predict.classifier import Classifier
from dermalens.predict.embed import embeddings_of
from dermalens.predict.session import Embedding
from dermalens.predict.similar_build import build_gallery, directions, principal_directions
from dermalens.predict.similar_file import read_gallery
from tests.tiny_bundle import lesion


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Ten melanomas and ten vascular lesions, each a little greener than the one before."""
    folder = tmp_path_factory.mktemp("cases")
    rows = []
    for number in range(10):
        for code in ("mel", "vasc"):
            path = folder / f"{code}_{number}.png"
            green = Image.new("RGB", (200, 150), (0, 255, 0))
            Image.blend(lesion(code), green, 0.01 * number).save(path)
            rows.append(Row(path.stem, str(path), code, f"lesion_{path.stem}"))
    return rows


def embedding_of(classifier: Classifier, path: str) -> Embedding:
    """That of an answer."""
    embedding = classifier.predict(path).embedding
    assert embedding is not None
    return embedding


def test_a_gallery_finds_the_image_itself_and_then_its_like(classifier: Classifier, rows: list[Row], tmp_path: Path):
    done: list[int] = []
    build_gallery(classifier, rows, tmp_path / "new" / "cases.npz", advance=done.append)
    gallery = read_gallery(tmp_path / "new" / "cases.npz")
    gallery.check_made_with(classifier.manifest)
    found = gallery.nearest(embedding_of(classifier, rows[5].path), 10)
    assert found[0].name == rows[5].image_id
    assert found[0].distance == pytest.approx(0, abs=1e-4)
    assert {(one.label, one.is_malignant) for one in found} == {("vasc", False)}
    assert sum(done) == 20


def test_embeddings_come_in_the_order_of_the_rows(classifier: Classifier, rows: list[Row]):
    together = np.concatenate(list(embeddings_of(classifier, rows)))
    alone = np.stack([embedding_of(classifier, row.path) for row in rows])
    assert together == pytest.approx(alone, abs=1e-6)


def test_many_images_keep_their_principal_directions(
    classifier: Classifier, rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(similar_build, "NUMBERS", 40)
    monkeypatch.setattr(similar_build, "LEAST_DIRECTIONS", 1)
    build_gallery(classifier, rows, tmp_path / "cases.npz")
    gallery = read_gallery(tmp_path / "cases.npz")
    assert gallery.vectors.shape == (20, 2)
    assert gallery.width == 3
    assert {one.label for one in gallery.nearest(embedding_of(classifier, rows[4].path), 10)} == {"mel"}


def test_the_numbers_of_a_gallery_stay_within_bounds():
    for width in (3, 1280, 10_000):
        for images in (1, 12_000, 100_000, 150_000, 1_000_000, 2_000_000):
            kept = directions(images, width)
            assert kept == width or kept <= similar_build.MOST_DIRECTIONS
            assert images * kept <= similar_build.NUMBERS
    assert directions(50_000_000, 1280) == similar_build.LEAST_DIRECTIONS


def test_principal_directions_are_those_of_an_eigenvalue_decomposition():
    embeddings = np.random.default_rng(0).random((200, 6), dtype=np.float32) * [1, 5, 2, 3, 1, 1]
    found = principal_directions(embeddings.astype(np.float32), 2)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    vectors = np.linalg.eigh(unit.T @ unit)[1][:, ::-1][:, :2]
    assert found.T @ found == pytest.approx(np.eye(2), abs=1e-5)
    assert np.abs((found * vectors).sum(axis=0)) == pytest.approx(1, abs=1e-4)


def test_benign_and_malignant_are_labels_too(classifier: Classifier, rows: list[Row], tmp_path: Path):
    named = [replace(row, label="malignant" if row.label == "mel" else "benign") for row in rows]
    cases = build_gallery(classifier, named, tmp_path / "cases.npz")
    assert (cases.labels, cases.is_malignant.tolist()) == (("benign", "malignant"), [False, True])


BAD = {
    "no images to make a gallery": lambda rows: [],
    "Labels naevus are unknown; a gallery takes akiec bcc benign": lambda rows: [replace(rows[0], label="naevus")],
    "1 made images: a_made1": lambda rows: [replace(rows[0], image_id="a_made1")],
    r"1 image id\(s\) stand more than once: mel_0": lambda rows: [*rows, rows[0]],
    "Image gone .*gone.png": lambda rows: [*rows, Row("gone", "gone.png", "nv", "gone")],
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_a_gallery_is_refused_and_leaves_no_file(classifier, rows, tmp_path, message):
    with pytest.raises(DataError, match=message):
        build_gallery(classifier, BAD[message](rows), tmp_path / "cases.npz")
    assert list(tmp_path.iterdir()) == []


def test_another_suffix_is_refused(classifier: Classifier, rows: list[Row], tmp_path: Path):
    with pytest.raises(DataError, match=r"a name that ends in \.npz"):
        build_gallery(classifier, rows, tmp_path / "cases.csv")
