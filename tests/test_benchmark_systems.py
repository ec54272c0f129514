"""`python -m benchmarks.systems`: what a run, an ensemble and a lone bundle are made of, and what is written."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import systems
from dermalens.core.bundlefile import read_bundle
from dermalens.core.errors import DataError
from dermalens.data.split import read_split
from dermalens.export.run import ExportOptions, export_run
from dermalens.train.ensemble import ENSEMBLE
from dermalens.train.ensemble_recipe import EnsembleRecipe, Stack
from dermalens.train.recipe import read_recipe
from dermalens.train.run import train
from tests.drawn_lesions import draw_split
from tests.tiny_bundle import tiny_graph, write_tiny_bundle

SMOKE = Path(__file__).parents[1] / "recipes" / "smoke.toml"
IN_PART = {"train": 2, "val": 10, "test": 2}  # of each class; parity wants 64 validation images


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_split(tmp_path_factory.mktemp("drawn"), IN_PART)


@pytest.fixture(scope="module")
def run_folder(split: Path) -> Path:
    torch.set_num_threads(1)
    folder = split.parent / "run"
    train(read_recipe(SMOKE, [f"data.split='{split}'", "data.workers=0", "trainer.epochs=1"]), folder)
    export_run(folder, folder / "bundle", ExportOptions())
    return folder


@pytest.fixture(scope="module")
def measured(run_folder: Path, split: Path) -> dict[str, Any]:
    name, entry = systems.measure(str(run_folder), split, draws=10)
    assert name == "smoke"
    return entry


def test_a_run_has_its_recipe_its_cost_and_its_parameters(measured: dict[str, Any], run_folder: Path) -> None:
    notes = json.loads((run_folder / "run.json").read_text())
    state = torch.load(run_folder / "best.ckpt", weights_only=True)["state_dict"]
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    assert measured["parameters"] == sum(
        value.numel() for key, value in state.items() if key.startswith("network.") and not key.endswith(statistics)
    )
    assert measured["parameters_from"] == "network"
    assert measured["settings"]["optimizer"] == notes["recipe"]["optimizer"]
    assert (measured["weights"], measured["side_pixels"], measured["epochs"]) == ("none", 64, 1)
    assert measured["seconds"] == notes["training"]["seconds"]
    assert measured["device"] == notes["training"]["device"]


def test_the_figures_are_of_the_test_part(measured: dict[str, Any], split: Path) -> None:
    assert measured["images"] == measured["figures"]["macro_f1"]["n"] == len(read_split(split).part("test"))
    assert set(measured["figures"]) >= {
        "accuracy",
        "balanced_accuracy",
        "weighted_f1",
        "precision",
        "recall",
        "macro_auc",
    }


def test_a_bundle_in_its_run_counts_in_the_graph_and_keeps_the_notes(
    measured: dict[str, Any], run_folder: Path, split: Path
) -> None:
    _, alone = systems.measure(str(run_folder / "bundle"), split, draws=10)
    differing = {key for key in alone if alone[key] != measured[key]}
    assert differing == {"parameters", "parameters_from", "networks"}
    assert alone["parameters_from"] == "graph"
    assert 0.9 < alone["parameters"] / measured["parameters"] < 1.1


def test_the_networks_of_an_ensemble_are_counted_together(run_folder: Path, tmp_path: Path) -> None:
    notes = json.loads((run_folder / "run.json").read_text())
    recipe = read_recipe(SMOKE)
    members = {"first": recipe, "second": recipe}
    content = EnsembleRecipe(name="pair", description="Two.", stack=Stack(), members=members).model_dump(mode="json")
    (tmp_path / ENSEMBLE).write_text(json.dumps({"recipe": content, "split_sha256": "", "folds": [0], "started": ""}))
    for name in members:
        for place in (tmp_path / name, tmp_path / name / "fold_0"):
            place.mkdir(parents=True)
            shutil.copy(run_folder / "run.json", place)
        shutil.copy(run_folder / "best.ckpt", tmp_path / name)
    making = systems.making_of_run(tmp_path)
    assert [network.name for network in making.networks] == ["first", "second"]
    assert making.seconds_of_folds == pytest.approx(2 * notes["training"]["seconds"])
    assert set(making.settings["members"]) == {"first", "second"}


def test_a_lone_bundle_says_what_is_not_known(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "a" / "tiny")
    making = systems.making_of_bundle(bundle, systems.notes_beside(str(tmp_path / "a" / "tiny")))
    assert (making.networks[0].device, making.networks[0].seconds) == ("not known", None)
    assert making.settings == {}


def test_the_parameters_of_a_graph_are_its_numbers_each_tensor_once() -> None:
    # 3 x 7 weights and 7 biases; the kernel holds the weights turned, which is another tensor.
    assert systems.graph_parameters(tiny_graph()) == 3 * 7 + 7 + 7 * 3


def test_the_packaged_bundle_comes_with_the_notes_of_its_run() -> None:
    bundle = read_bundle(systems.ROOT / "src" / "dermalens" / "bundles" / "default")
    making = systems.making_of_bundle(bundle, systems.notes_beside("packaged"))
    assert making.settings["name"] == bundle.manifest.provenance.recipe.split(" + ")[0]
    assert making.networks[0].parameters > 1_000_000


def test_a_bundle_of_another_split_is_refused(tmp_path: Path, split: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny")
    with pytest.raises(DataError, match="is not the split that the bundle was trained on"):
        systems.measure(str(tmp_path / "tiny"), split)


def test_the_command_writes_each_system_and_says_why_one_cannot_be_measured(
    run_folder: Path, split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["systems", str(run_folder), str(tmp_path / "nowhere"), "--split", str(split), "--draws", "5"]
    monkeypatch.setattr(sys, "argv", [*words, "--out", str(tmp_path / "systems.json")])
    with pytest.raises(SystemExit) as left:
        systems.main()
    assert left.value.code == 2
    assert list(json.loads((tmp_path / "systems.json").read_text())["systems"]) == ["smoke"]
    told = capsys.readouterr()
    assert told.out.startswith("smoke: ")
    assert told.err.startswith("error: ")
    assert "nowhere" in told.err
