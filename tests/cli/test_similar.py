"""The two commands for similar cases, as a program of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from dermalens.cli.main import Commands
from dermalens.cli.similar import build, similar
from dermalens.data.index import Row, write_index
from tests.tiny_bundle import lesion, tiny_graph, write_tiny_bundle


@pytest.fixture
def program(bundle_folder: Path) -> Callable[..., Any]:
    """Run a command with the tiny bundle, in this process."""
    app = typer.Typer(cls=Commands, pretty_exceptions_enable=False)
    app.command("build")(build)
    app.command("similar")(similar)

    def run(*words: object, bundle: Path = bundle_folder, given: bytes | None = None) -> Any:
        command = [*map(str, words), "--bundle", str(bundle)]
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, command, input=given)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four naevi and four melanomas with an index, and an image to ask about."""
    rows = []
    for code in ("nv", "mel"):
        for number in range(4):
            path = tmp_path / f"{code}_{number}.png"
            lesion(code, (120 + 20 * number, 100)).save(path)
            rows.append(Row(path.stem, str(path), code, path.stem))
    write_index(rows, tmp_path / "index.csv")
    lesion("mel", (150, 150)).save(tmp_path / "asked.png")
    return tmp_path


def test_a_gallery_is_built_and_asked(program, folder: Path):
    built = program("build", folder / "index.csv", "--out", folder / "cases.npz")
    assert (built.exit_code, built.stdout) == (0, f"8 images (mel, nv) written to {folder / 'cases.npz'}\n")
    assert "holds their ids and labels" in built.stderr
    asked = program("similar", folder / "asked.png", "--gallery", folder / "cases.npz", "--count", 5, "--json")
    answer = json.loads(asked.stdout)
    assert [one["label"] for one in answer["similar"]] == ["mel"] * 4 + ["nv"]
    assert answer["malignant_share"] == pytest.approx(0.8)
    assert answer["limits"] == ["Not a medical device.", "Knows seven colours."]
    distances = [one["distance"] for one in answer["similar"]]
    assert distances == sorted(distances)


def test_the_answer_for_people_names_cases_and_limits(program, folder: Path):
    program("build", folder / "index.csv", "--out", folder / "cases.npz")
    lines = program("similar", folder / "asked.png", "--gallery", folder / "cases.npz", "--count", 5).stdout.split("\n")
    assert lines[0] == f"{folder / 'asked.png'}: 4 of the 5 most similar images are malignant"
    assert lines[1].endswith("mel (melanoma), malignant")
    assert lines[5].endswith("nv (melanocytic naevus)")
    assert "Not a medical device." in lines


def test_a_gallery_of_another_bundle_ends_with_2_and_one_line(program, folder: Path):
    other = write_tiny_bundle(folder / "other", {"model.onnx": tiny_graph(pool=4)})
    assert other.manifest.name == "tiny"
    program("build", folder / "index.csv", "--out", folder / "cases.npz", bundle=folder / "other")
    result = program("similar", folder / "asked.png", "--gallery", folder / "cases.npz")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: The gallery was built with another bundle than tiny 1.0")


def test_what_is_not_a_gallery_ends_with_2(program, folder: Path):
    result = program("similar", folder / "asked.png", "--gallery", folder / "index.csv")
    assert result.exit_code == 2
    assert "is not a gallery" in result.stderr


def test_standard_input_is_an_image(program, folder: Path):
    program("build", folder / "index.csv", "--out", folder / "cases.npz")
    picture = (folder / "asked.png").read_bytes()
    piped = json.loads(program("similar", "-", "--gallery", folder / "cases.npz", "--json", given=picture).stdout)
    named = json.loads(program("similar", folder / "asked.png", "--gallery", folder / "cases.npz", "--json").stdout)
    assert piped == named | {"image": "-"}
    empty = program("similar", "-", "--gallery", folder / "cases.npz", given=b"")
    assert (empty.exit_code, empty.stderr.count("\n")) == (2, 1)


def test_control_characters_in_a_file_name_are_written_as_escapes(program, folder: Path):
    program("build", folder / "index.csv", "--out", folder / "cases.npz")
    odd = (folder / "asked.png").rename(folder / "a\x1b[31m.png")
    shown = program("similar", odd, "--gallery", folder / "cases.npz").stdout
    assert "a\\x1b[31m.png: " in shown
    assert "\x1b" not in shown


def test_the_help_says_what_the_file_holds(program):
    assert "Privacy: the file holds the image ids and labels" in program("build", "--help").stdout


def test_a_picture_that_cannot_be_judged_has_no_similar_cases_unless_asked_for(program, folder: Path):
    program("build", folder / "index.csv", "--out", folder / "cases.npz")
    Image.new("RGB", (200, 200), "grey").save(folder / "grey.png")
    words = ("similar", folder / "grey.png", "--gallery", folder / "cases.npz")
    lines = program(*words).stdout.splitlines()
    assert lines[0].endswith("no similar cases, as this picture cannot be judged; --anyway shows them.")
    assert "even surface" in lines[1]
    answer = json.loads(program(*words, "--json").stdout)
    assert (answer["similar"], answer["malignant_share"]) == (None, None)
    assert "even surface" in answer["refused"][0]
    anyway = json.loads(program(*words, "--json", "--anyway").stdout)
    assert (len(anyway["similar"]), anyway["refused"]) == (8, [])
