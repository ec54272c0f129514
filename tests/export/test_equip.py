from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dermalens.cli.main import app
from dermalens.core.bundlefile import read_bundle
from dermalens.core.errors import DataError
from dermalens.data.split import read_split
from dermalens.export.equip import equip
from dermalens.predict.classifier import load
from tests.drawn_lesions import draw_split
from tests.tiny_bundle import lesion, tiny_graph, tiny_manifest, write_tiny_bundle


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_split(tmp_path_factory.mktemp("data"), {"train": 1, "val": 4, "test": 1})


@pytest.fixture
def folder(tmp_path: Path, split: Path) -> Path:
    provenance = tiny_manifest({"model.onnx": tiny_graph()}).provenance
    own = provenance.model_copy(update={"split_sha256": read_split(split).sha256})
    write_tiny_bundle(tmp_path / "tiny", provenance=own)
    return tmp_path / "tiny"


def test_a_bundle_gets_prediction_sets_and_prevalence_and_keeps_the_rest(folder: Path, split: Path) -> None:
    before = read_bundle(folder)
    equip(folder, before, split)
    after = read_bundle(folder)
    kept = after.manifest.model_copy(update={"conformal": None, "prevalence": None})
    assert kept == before.manifest
    assert after.graphs == before.graphs
    assert after.manifest.conformal is not None
    labels = [row.label for row in read_split(split).part("val")]
    assert after.manifest.conformal.n == [labels.count(code) for code in after.manifest.classes]
    assert after.manifest.prevalence is not None
    assert 0 < after.manifest.prevalence < 1


def test_the_answer_can_then_be_asked_for_another_prevalence(folder: Path, split: Path) -> None:
    equip(folder, read_bundle(folder), split)
    answer = load(folder).predict(lesion("nv"), prevalence=0.03).as_dict()
    assert answer["prevalence"]["malignant"] == 0.03
    assert answer["prediction_set"]["coverage"] == 0.9


def test_another_split_is_refused(tmp_path: Path, split: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny")
    with pytest.raises(DataError, match="is not the split that the bundle was trained on"):
        equip(tmp_path / "tiny", read_bundle(tmp_path / "tiny"), split)


def test_the_command_names_classes_with_too_few_images(folder: Path, split: Path) -> None:
    result = CliRunner().invoke(app, ["equip", str(folder), "--split", str(split), "--coverage", "0.99"])
    assert result.exit_code == 0, result.output
    assert "prediction sets at 99 % coverage" in result.output
    assert "in every set, as validation has too few images of them: akiec" in result.output
