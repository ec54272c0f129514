from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from dermalens.cli.comparison import Compared, compared, load_named
from dermalens.cli.main import app
from dermalens.core.bundle import Calibration
from dermalens.core.errors import DermaLensError
from dermalens.core.taxonomy import BINARY
from dermalens.predict.classifier import load
from tests.tiny_bundle import lesion, tiny_graph, write_tiny_bundle


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tiny bundle, one that takes every lesion for a naevus, and one that knows benign and malignant only."""
    folder = tmp_path_factory.mktemp("bundles")
    stubborn = Calibration(method="vector", scale=[1e-9] * 7, shift=[0.0] * 5 + [9.0, 0.0], n=10)
    write_tiny_bundle(folder / "tiny")
    write_tiny_bundle(folder / "mole", name="mole", calibration=stubborn)
    write_tiny_bundle(
        folder / "binary",
        {"model.onnx": tiny_graph(classes=2)},
        name="binary",
        classes=list(BINARY),
        malignant=["malignant"],
        calibration=Calibration(method="vector", scale=[1e-9, 1e-9], shift=[0.0, 3.0], n=10),
        limits=["Not a medical device.", "Tells malignant from benign only."],
    )
    return {name: folder / name for name in ("tiny", "mole", "binary")}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A melanoma, a naevus, an even surface and a text."""
    folder = tmp_path_factory.mktemp("images")
    for code in ("mel", "nv"):
        lesion(code).save(folder / f"{code}.png")
    Image.new("RGB", (100, 100), (60, 60, 70)).save(folder / "even.png")
    (folder / "bad.jpg").write_text("text named jpg")
    return folder


def compare(*words: object) -> Any:
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, ["compare", *map(str, words)])


def test_each_bundle_answers_as_it_does_alone_and_differences_are_named(bundles, images):
    result = compare(bundles["tiny"], bundles["mole"], bundles["binary"], "--image", images, "--json")
    rows = {Path(row["image"]).name: row for row in map(json.loads, result.stdout.splitlines())}
    assert list(rows) == ["bad.jpg", "even.png", "mel.png", "nv.png"]
    for name, folder in bundles.items():
        assert rows["mel.png"]["answers"][name] == load(folder).predict(images / "mel.png").as_dict()
    assert rows["mel.png"]["differ"] == ["decision", "diagnosis"]
    assert rows["nv.png"]["differ"] == ["decision", "diagnosis"]  # the binary bundle says malignant
    assert rows["even.png"]["differ"] == []


def test_files_that_may_be_pictures_are_named_when_they_are_passed_over(bundles, tmp_path):
    lesion("nv").save(tmp_path / "nv.png")
    (tmp_path / "a.heic").write_bytes(b"picture")
    result = compare(bundles["tiny"], bundles["mole"], "--image", tmp_path, "--json")
    assert (result.exit_code, result.stdout.count("\n")) == (0, 1)
    assert result.stderr.startswith("1 file was passed over, as its name ends in none of .bmp")


def test_one_bad_image_is_a_row_and_the_exit_code(bundles, images):
    result = compare(bundles["tiny"], bundles["mole"], "--image", images, "--json")
    assert result.exit_code == 2
    bad = json.loads(result.stdout.splitlines()[0])
    assert bad == {"image": str(images / "bad.jpg"), "error": bad["error"]}
    assert bad["error"].startswith("The file is text")
    assert result.stderr == f"error: 1 of 4 images have no answer, their rows say why: {images / 'bad.jpg'}\n"


def test_classes_of_two_and_of_seven_are_compared_by_malignancy(bundles, images):
    pair = load_named([str(bundles["tiny"]), str(bundles["binary"])])
    found = {
        Path(row.image).stem: row.differ for row in compared(pair, [str(images / "mel.png"), str(images / "nv.png")])
    }
    assert found == {"mel": (), "nv": ("decision", "diagnosis")}


def test_the_table_has_a_line_for_each_bundle_and_marks_what_differs(bundles, images):
    result = compare(bundles["tiny"], bundles["mole"], "--image", images)
    lines = result.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if "mel.png" in line)
    assert lines[at].split() == [str(images / "mel.png"), "differ:", "decision,", "diagnosis"]
    assert lines[at + 1].split()[:5] == ["tiny", "refer", "1.00", "mel", "1.00,"]
    assert lines[at + 2].split()[:5] == ["mole", "reassure", "0.00", "nv", "1.00,"]
    assert lines[next(n for n, line in enumerate(lines) if "nv.png" in line)].split() == [str(images / "nv.png")]
    expected = "4 images: the bundles agree on 2, differ in the decision on 1, differ in the diagnosis on 1, "
    assert f"{expected}1 without an answer" in lines
    assert "The file is text" in result.stdout
    assert result.stdout.count("Not a medical device.") == 1


def test_control_characters_in_a_file_name_are_written_as_escapes(bundles, tmp_path):
    lesion("mel", (150, 150)).save(tmp_path / "a\x1b[31m.png")
    given = [str(bundles["tiny"]), str(bundles["mole"]), "--image", str(tmp_path)]
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["compare", *given])
    assert result.exit_code == 0, result.output
    assert r"a\x1b[31m.png" in result.stdout
    assert "\x1b" not in result.stdout


def test_the_csv_has_four_columns_for_each_bundle(bundles, images):
    result = compare(
        bundles["tiny"], bundles["binary"], "--image", images / "mel.png", "--image", images / "bad.jpg", "--csv"
    )
    good, bad = csv.DictReader(io.StringIO(result.stdout))
    alone = load(bundles["binary"]).predict(images / "mel.png")
    assert good["tiny_diagnosis"] == "mel"
    assert good["binary_diagnosis"] == "malignant"
    assert float(good["binary_probability"]) == alone.probabilities["malignant"]
    assert float(good["binary_malignant_probability"]) == alone.malignant_probability
    assert (good["tiny_decision"], good["differ"], good["error"]) == ("refer", "", "")
    assert bad["error"]
    assert bad["tiny_decision"] == ""
    assert result.stderr.startswith(
        "Limits: Not a medical device. Knows seven colours. Tells malignant from benign only."
    )


def test_bundles_of_one_name_are_told_apart_by_their_paths(bundles, tmp_path):
    write_tiny_bundle(tmp_path / "other", limits=["Another."])
    assert list(load_named([str(bundles["tiny"]), str(tmp_path / "other")])) == [
        str(bundles["tiny"]),
        str(tmp_path / "other"),
    ]
    assert list(load_named([str(bundles["tiny"]), str(bundles["mole"])])) == ["tiny", "mole"]


def test_no_bundle_is_lost_where_a_path_is_the_name_of_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder, name in (("mine", "x"), ("other", "x"), ("third", "mine")):
        write_tiny_bundle(tmp_path / folder, name=name, limits=[folder])
    found = load_named(["mine", "other", "third"])
    assert {title: one.manifest.limits for title, one in found.items()} == {
        folder: [folder] for folder in ("mine", "other", "third")
    }


def test_a_bundle_given_twice_is_noticed_however_it_is_spelt(bundles, tmp_path):
    write_tiny_bundle(tmp_path / "copy")
    for again in (f"{bundles['mole']}/../tiny", str(tmp_path / "copy")):
        with pytest.raises(DermaLensError, match="Bundles were given twice"):
            load_named([str(bundles["tiny"]), again])


def test_packaged_stands_for_the_bundle_of_the_package(bundles):
    pair = load_named(["packaged", str(bundles["tiny"])])
    assert next(iter(pair.values())).bundle.sha256 == load().bundle.sha256


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{tiny}", "--image", "a.png"], "One bundle was given"),
        (["{tiny}", "{tiny}", "--image", "a.png"], "Bundles were given twice"),
        (["{tiny}", "{mole}", "--image", "-"], "--image - was given"),
        (["{tiny}", "{mole}", "--image", "a.png", "--csv", "--json"], "choose one"),
        (["{tiny}", "nowhere", "--image", "a.png"], "nowhere does not exist; needed is a bundle folder"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(bundles, words, message):
    result = compare(*(word.format(**bundles) for word in words))
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_single_bad_image_prints_no_table(bundles, images):
    result = compare(bundles["tiny"], bundles["mole"], "--image", images / "bad.jpg")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {images / 'bad.jpg'}: The file is text")


def test_an_abstention_beside_an_answer_is_a_difference_in_the_decision_only(bundles, images):
    pair = load_named([str(bundles["tiny"]), str(bundles["mole"])])
    melanoma, even = compared(pair, [str(images / "mel.png"), str(images / "even.png")])
    mixed = Compared("a", {"tiny": melanoma.rows["tiny"], "mole": even.rows["mole"]})
    assert mixed.differ == ("decision",)


def test_no_bundle_is_loaded_for_one_only():
    with pytest.raises(DermaLensError, match="dermalens predict"):
        load_named(["packaged"])
