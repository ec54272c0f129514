"""Galleries: what is chosen, and what is drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dermalens.cli.main import app
from dermalens.core.bundle import Calibration
from dermalens.core.errors import DataError
from dermalens.core.taxonomy import BINARY, CLASSES
from dermalens.data.index import Row, read_index, write_index
from dermalens.evaluate.gallery import Gallery, Judged, class_gallery, draw_gallery, judge_rows, right_and_wrong
from dermalens.predict.classifier import load
from tests.tiny_bundle import lesion, tiny_graph, write_tiny_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three drawn lesions of each class, one naevus that looks like a melanoma, and their index."""
    folder = tmp_path_factory.mktemp("drawn")
    write_tiny_bundle(folder / "bundle")
    rows: list[Row] = []
    for looks, label in [*((code, code) for code in CLASSES for _ in range(3)), ("mel", "nv")]:
        path = folder / f"{len(rows)}.png"
        lesion(looks, (150 + len(rows), 150)).save(path)
        rows.append(Row(path.stem, str(path), label, f"lesion_{len(rows)}"))
    write_index(rows, folder / "index.csv")
    return folder


@pytest.fixture(scope="module")
def judged(folder: Path) -> Judged:
    return judge_rows(load(folder / "bundle"), read_index(folder / "index.csv"))


def outcomes(gallery: Gallery, code: str) -> list[str | None]:
    """The class that each tile of a line was given; None for an empty place."""
    return [tile.explanation.code if tile else None for tile in gallery.lines[code]]


def test_a_line_of_a_class_holds_images_of_it_only(judged: Judged) -> None:
    gallery = class_gallery(judged, each=2)
    assert list(gallery.lines) == list(CLASSES)
    assert all(tile is not None and tile.label == code for code, line in gallery.lines.items() for tile in line)
    assert {len(line) for line in gallery.lines.values()} == {2}


def test_right_stands_left_and_wrong_right_and_what_is_missing_stays_empty(judged: Judged) -> None:
    gallery = right_and_wrong(judged, each=2)
    assert gallery.columns == ("right", "right", "wrong", "wrong")
    assert outcomes(gallery, "nv") == ["nv", "nv", "mel", None]
    assert outcomes(gallery, "mel") == ["mel", "mel", None, None]


def test_a_tile_has_the_heat_map_and_probability_of_the_bundle_itself(judged: Judged, folder: Path) -> None:
    wrong = right_and_wrong(judged, each=1).lines["nv"][1]
    assert wrong is not None
    alone = load(folder / "bundle").predict(folder / "21.png", heatmap=True)
    assert wrong.probability == pytest.approx(alone.probabilities["mel"], abs=1e-6)
    assert alone.explanation is not None
    assert np.array_equal(wrong.explanation.heat, alone.explanation.heat)


def test_the_choice_follows_from_the_seed(judged: Judged) -> None:
    def heats(seed: int) -> list[bytes]:
        lines = class_gallery(judged, each=1, seed=seed).lines.values()
        return [tile.explanation.square.tobytes() for line in lines for tile in line if tile]

    assert heats(1) == heats(1)
    assert any(heats(1) != heats(seed) for seed in range(2, 6))


def test_without_photographs_the_figure_holds_no_pixel_of_an_image(judged: Judged, tmp_path: Path) -> None:
    gallery = class_gallery(judged, each=1)
    draw_gallery(gallery, tmp_path / "with.png")
    draw_gallery(gallery, tmp_path / "without.png", photographs=False)
    recoloured = {
        code: [tile and _with_square(tile, np.zeros_like(tile.explanation.square)) for tile in line]
        for code, line in gallery.lines.items()
    }
    draw_gallery(Gallery(gallery.title, gallery.columns, recoloured), tmp_path / "black.png", photographs=False)
    assert (tmp_path / "without.png").read_bytes() == (tmp_path / "black.png").read_bytes()
    assert (tmp_path / "without.png").read_bytes() != (tmp_path / "with.png").read_bytes()


def _with_square(tile, square):
    return replace(tile, explanation=replace(tile.explanation, square=square))


def test_a_binary_bundle_has_a_line_for_benign_and_one_for_malignant(folder: Path, tmp_path: Path) -> None:
    write_tiny_bundle(
        tmp_path / "binary",
        {"model.onnx": tiny_graph(classes=2)},
        name="binary",
        classes=list(BINARY),
        malignant=["malignant"],
        calibration=Calibration(method="none", scale=[1.0, 1.0], shift=[0.0, 0.0], n=0),
    )
    result = CliRunner().invoke(
        app,
        ["gallery", "draw", *map(str, (tmp_path / "binary", folder / "index.csv")), "--part=all", f"--out={tmp_path}"],
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.split() == [str(tmp_path / "class_gallery.png"), str(tmp_path / "right_and_wrong.png")]
    with Image.open(tmp_path / "class_gallery.png") as two, Image.open(tmp_path / "right_and_wrong.png") as wide:
        assert two.height < two.width < wide.width


def test_a_place_that_cannot_be_written_to_is_named(judged: Judged, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="Cannot write"):
        draw_gallery(class_gallery(judged, each=1), tmp_path / "file" / "a.png")
