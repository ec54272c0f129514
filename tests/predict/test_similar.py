"""Similar cases: the search against a plain one over all, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from dermalens.core.bundle import Calibration
from dermalens.core.errors import DermaLensError
from dermalens.core.spec import Hair, Median, PreprocessSpec
from dermalens.predict.similar import CaseGallery, Cases, Names, Similar, embedding_sha256, malignant_share
from tests.tiny_bundle import SIDE, tiny_graph, tiny_manifest

GRAPHS = {"model.onnx": tiny_graph()}


def gallery_of(embeddings, projection=None, sha256="0" * 64) -> CaseGallery:
    """Cases named 0, 1, 2, ... that are by turns a naevus and a melanoma."""
    vectors = embeddings if projection is None else embeddings @ projection
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    cases = Cases(
        names=Names.of(map(str, range(len(embeddings)))),
        labels=("mel", "nv"),
        is_malignant=np.array([True, False]),
        label_numbers=np.array([(place + 1) % 2 for place in range(len(embeddings))], dtype=np.uint16),
        embedding_sha256=sha256,
    )
    return CaseGallery(cases, (vectors / lengths).astype(np.float32), projection)


def drawn(count: int, width: int = 12) -> np.ndarray:
    return np.random.default_rng(0).random((count, width), dtype=np.float32)


def test_the_nearest_are_those_of_a_search_one_by_one():
    embeddings = drawn(500)
    query = np.random.default_rng(1).random(12, dtype=np.float32)
    angles = [1 - float(one @ query) / float(np.linalg.norm(one) * np.linalg.norm(query)) for one in embeddings]
    expected = sorted(range(500), key=lambda place: angles[place])[:16]
    found = gallery_of(embeddings).nearest(query)
    assert [int(one.name) for one in found] == expected
    assert [one.distance for one in found] == pytest.approx([angles[place] for place in expected], abs=1e-6)
    assert [(one.label, one.is_malignant) for one in found[:1]] == [
        ("nv", False) if expected[0] % 2 == 0 else ("mel", True)
    ]


def test_an_image_of_the_gallery_is_nearest_to_itself_however_long_its_embedding_is():
    embeddings = drawn(40)
    first = gallery_of(embeddings).nearest(7 * embeddings[23], 3)[0]
    assert first == Similar("23", "mel", pytest.approx(0, abs=1e-6), True)
    assert first.distance >= 0


def test_of_equally_near_images_the_first_come_first():
    embeddings = np.tile(np.array([[1, 0], [0, 1]], dtype=np.float32), (5, 1))
    found = gallery_of(embeddings).nearest(np.array([1, 0], dtype=np.float32), 7)
    assert [one.name for one in found] == ["0", "2", "4", "6", "8", "1", "3"]
    assert [one.distance for one in found] == [0] * 5 + [1] * 2


def test_a_small_gallery_gives_all_that_it_has():
    assert len(gallery_of(drawn(3)).nearest(drawn(1)[0], 16)) == 3


def test_a_projected_gallery_is_searched_in_its_directions():
    embeddings = drawn(300, width=6)
    projection = np.eye(6, dtype=np.float32)[:, :2]
    query = np.array([0.9, 0.1, 5, 5, 5, 5], dtype=np.float32)
    found = gallery_of(embeddings, projection).nearest(query, 300)
    flat = gallery_of(embeddings[:, :2]).nearest(query[:2], 300)
    assert [one.name for one in found] == [one.name for one in flat]
    assert gallery_of(embeddings, projection).width == 6


def test_opposite_is_two_and_an_image_without_any_embedding_is_one_away():
    gallery = gallery_of(np.array([[1, 0]], dtype=np.float32))
    assert gallery.nearest(np.array([-3, 0], dtype=np.float32))[0].distance == 2
    assert gallery.nearest(np.zeros(2, dtype=np.float32))[0].distance == 1


@pytest.mark.parametrize(
    ("embedding", "count", "message"),
    [
        (np.ones(12), 0, "0 similar images asked for; needed is 1 or more"),
        (np.ones(11), 16, r"shape \[11\]; the gallery needs \[12\]"),
        (np.ones((1, 12)), 16, r"shape \[1, 12\]"),
        (np.full(12, np.nan), 16, "not finite"),
    ],
)
def test_what_cannot_be_asked_is_refused(embedding, count, message):
    with pytest.raises(DermaLensError, match=message):
        gallery_of(drawn(20)).nearest(embedding.astype(np.float32), count)


def test_the_malignant_share_is_that_of_the_neighbours():
    near = Similar("a", "mel", 0.1, True)
    assert malignant_share([near, near, Similar("b", "nv", 0.2, False)]) == pytest.approx(2 / 3)
    assert malignant_share([]) is None
    assert near.as_dict() == {"name": "a", "label": "mel", "malignant": True, "distance": 0.1}


def test_names_come_back_as_they_were():
    given = ["ISIC_1", "", "Müller, 3. Bild\n", "皮膚"]
    names = Names.of(given)
    assert [names[place] for place in range(len(names))] == given


def test_a_gallery_of_other_graphs_views_or_squares_is_refused_and_one_of_other_figures_is_not():
    manifest = tiny_manifest(GRAPHS)
    gallery = gallery_of(drawn(2, width=3), sha256=embedding_sha256(manifest))
    gallery.check_made_with(manifest)
    gallery.check_made_with(
        tiny_manifest(
            GRAPHS,
            metrics={},
            version="2",
            calibration=Calibration(method="temperature", scale=[2.0] * 7, shift=[0.0] * 7, n=9),
        )
    )
    others = [
        tiny_manifest({"model.onnx": tiny_graph(pool=4)}),
        tiny_manifest(GRAPHS, views=["identity", "flip"]),
        tiny_manifest(GRAPHS, preprocess=PreprocessSpec(side_pixels=64, interpolation="bilinear")),
    ]
    cleaned = [
        tiny_manifest(GRAPHS, preprocess=PreprocessSpec(side_pixels=SIDE, clean=[step])) for step in (Median(), Hair())
    ]
    assert len({embedding_sha256(one) for one in [manifest, *others, *cleaned]}) == 6
    for other in others + cleaned:
        with pytest.raises(DermaLensError, match="built with another bundle than tiny 1.0"):
            gallery.check_made_with(other)
