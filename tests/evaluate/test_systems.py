"""The table of trained systems: figures, entries, and the page that is made from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dermalens.core.bundle import Calibration
from dermalens.core.errors import DataError
from dermalens.core.taxonomy import BINARY, CLASSES, MALIGNANT
from dermalens.data.index import Row
from dermalens.evaluate.systems import FIGURES, Making, Network, entry, measure_system, merge_systems, read_systems
from dermalens.evaluate.systems_page import PUBLISHED, Budget, systems_page
from dermalens.predict.classifier import Classifier, load
from tests.tiny_bundle import lesion, tiny_graph, write_tiny_bundle


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Two images of one lesion for each class."""
    folder = tmp_path_factory.mktemp("drawn")
    found = []
    for code in CLASSES:
        for number in range(2):
            path = folder / f"{code}_{number}.png"
            lesion(code, (200 + 10 * number, 150)).save(path)
            found.append(Row(path.stem, str(path), code, f"lesion_{code}", part="test"))
    return found


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    write_tiny_bundle(folder := tmp_path_factory.mktemp("bundle") / "tiny")
    return load(folder)


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """Says malignant of everything."""
    write_tiny_bundle(
        folder := tmp_path_factory.mktemp("bundle") / "binary",
        {"model.onnx": tiny_graph(classes=2)},
        name="binary",
        classes=list(BINARY),
        malignant=["malignant"],
        calibration=Calibration(method="vector", scale=[0.01, 0.01], shift=[0.0, 9.0], n=10),
    )
    return load(folder)


MAKING = Making(
    {"name": "tiny"},
    [Network("a", 10, "none", 3, "cpu", 5.0), Network("b", 20, "none", 4, "gpu", 6.5)],
    "network",
    2.25,
)


@pytest.fixture
def make_entry(tiny: Classifier, rows: list[Row]) -> Callable[..., dict[str, Any]]:
    figures = measure_system(tiny, rows, draws=20)

    def make(**changes: Any) -> dict[str, Any]:
        return {**entry(tiny, MAKING, figures, rows), **changes}

    return make


def test_a_bundle_that_is_always_right_has_figures_of_one_with_their_intervals(
    tiny: Classifier, rows: list[Row]
) -> None:
    figures = measure_system(tiny, rows, draws=20)
    assert list(figures) == list(FIGURES)
    assert {name: figure.value for name, figure in figures.items()} == dict.fromkeys(FIGURES, 1.0)
    assert {figure.n for figure in figures.values()} == {14}
    assert (figures["accuracy"].low, figures["accuracy"].high) == (1.0, 1.0)


def test_a_binary_bundle_is_judged_on_the_seven_diagnoses(binary: Classifier, rows: list[Row]) -> None:
    figures = measure_system(binary, rows, draws=50)
    share = len(MALIGNANT) / len(CLASSES)
    assert figures["accuracy"].value == figures["binary_accuracy"].value == pytest.approx(share)
    assert figures["balanced_accuracy"].value == figures["recall"].value == 0.5
    assert figures["precision"].value is None  # benign is never given
    low, high = figures["accuracy"].low, figures["accuracy"].high
    assert low is not None
    assert high is not None
    assert low < share < high


def test_an_entry_adds_up_its_networks(make_entry: Callable[..., dict[str, Any]], tiny: Classifier) -> None:
    made = make_entry()
    assert (made["parameters"], made["epochs"], made["seconds"]) == (30, 7, 13.8)
    assert (made["weights"], made["device"]) == ("none", "cpu, gpu")
    assert (made["images"], made["lesions"]) == (14, 7)
    assert made["bundle_sha256"] == tiny.bundle.sha256
    assert made["side_pixels"] == 64
    json.dumps(made)


def test_what_a_run_did_not_say_is_not_made_up(tiny: Classifier, rows: list[Row]) -> None:
    made = entry(tiny, Making({}, [Network("a", 10, "none", None, "not known", None)], "graph"), {}, rows)
    assert made["epochs"] is made["seconds"] is None


def test_entries_are_merged_by_name(make_entry: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    target = tmp_path / "results" / "systems.json"
    merge_systems(target, {"b": make_entry(), "a": make_entry(weights="package")})
    merge_systems(target, {"b": make_entry(weights="timm")})
    assert {name: system["weights"] for name, system in read_systems(target).items()} == {"a": "package", "b": "timm"}
    assert list(read_systems(target)) == ["a", "b"]
    assert read_systems(tmp_path / "none.json") == {}


def test_systems_of_another_split_are_not_put_beside_each_other(
    make_entry: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    merge_systems(tmp_path / "systems.json", {"a": make_entry()})
    before = (tmp_path / "systems.json").read_bytes()
    with pytest.raises(DataError, match="systems of another split"):
        merge_systems(tmp_path / "systems.json", {"b": make_entry(split_sha256="f" * 64)})
    assert (tmp_path / "systems.json").read_bytes() == before


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "systems.json").write_text("[]")
    with pytest.raises(DataError, match="is not a table of systems"):
        read_systems(tmp_path / "systems.json")


def test_the_page_shows_every_system_beside_what_was_published(make_entry: Callable[..., dict[str, Any]]) -> None:
    page = systems_page({"tiny": make_entry(), "other": make_entry(parameters_from="graph", seconds=None)}, {})
    assert "| tiny | 7 | 30 | none | 64 | 3 + 4 | cpu, gpu | 14 |" in page
    assert "| other | 7 | 30 (graph) | none | 64 | 3 + 4 | cpu, gpu | not known |" in page
    assert "| tiny | 1.000 (1.000 to 1.000) |" in page
    assert "14 images of 7 lesions" in page
    assert all(statement in page for statement in PUBLISHED)


def test_the_page_sets_a_run_against_what_its_recipe_asks_for(make_entry: Callable[..., dict[str, Any]]) -> None:
    made = make_entry()
    assert "| 64 of 224 | 3 of 4 + 4 |" in systems_page({"tiny": made}, {made["recipe"]: Budget(224, 4)})


def test_the_page_without_results_says_so() -> None:
    assert "No system has been measured yet." in systems_page({}, {})
