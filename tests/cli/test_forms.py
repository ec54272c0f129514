"""Gate, outline and similar cases in the three forms of `dermalens predict`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from dermalens.cli.answers import NOT_DRAWN
from dermalens.cli.main import app
from dermalens.core.statements import NO_ANSWER
from dermalens.data.index import Row, write_index
from dermalens.predict.classifier import load
from tests.tiny_bundle import lesion, mole, page


@pytest.fixture
def equipped(equipped_folder: Path):
    """Run a command with the equipped bundle, in this process."""

    def run(*words: object):
        given = [*map(str, words), "--bundle", str(equipped_folder)]
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, given)

    return run


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, Path]:
    """A mole and a page of text."""
    mole().save(tmp_path / "mole.png")
    page().save(tmp_path / "page.png")
    return tmp_path / "mole.png", tmp_path / "page.png"


def test_json_with_all_parts_is_the_answer_of_the_python_api(equipped, equipped_folder, images, tmp_path):
    write_index([Row("a", str(images[0]), "mel", "a")], tmp_path / "index.csv")
    built = equipped("gallery", "build", tmp_path / "index.csv", "--out", tmp_path / "cases.npz")
    assert built.exit_code == 0, built.output
    parts = ("--outline", tmp_path / "drawn", "--mm-per-pixel", 0.05, "--gallery", tmp_path / "cases.npz")
    result = equipped("predict", "--json", *parts, images[0])
    options = {"outline": True, "millimetres_per_pixel": 0.05, "gallery": tmp_path / "cases.npz"}
    expected = load(equipped_folder).predict(images[0], **options).as_dict()
    assert json.loads(result.stdout) == expected | {"outline_picture": str(tmp_path / "drawn" / "mole_outline.png")}
    assert expected["similar_malignant_share"] == 1
    with Image.open(tmp_path / "drawn" / "mole_outline.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (64, 64))
    table = equipped("predict", *parts, images[0]).stdout
    for words in ("Asymmetry: 0 of 2 axes", "mm by the scale", "1 of the 1 most similar images are malignant"):
        assert words in table


def test_the_table_of_a_refused_picture_shows_no_class_unless_asked_anyway(equipped, images, tmp_path):
    parts = ("--heatmap", tmp_path / "maps", "--outline", tmp_path / "maps")
    silent = equipped("predict", *parts, images[1])
    assert silent.stdout.splitlines()[1].startswith("ABSTAIN")
    assert "does not look like" in silent.stdout
    assert "robabilit" not in silent.stdout
    assert list((tmp_path / "maps").iterdir()) == []
    shown = equipped("predict", "--anyway", *parts, images[1])
    assert (shown.exit_code, shown.stdout.splitlines()[1]) == (0, silent.stdout.splitlines()[1])
    for words in (f"Shown anyway, as asked. {NO_ANSWER}", "Malignant probability", "Most probable classes"):
        assert words in shown.stdout
    assert (tmp_path / "maps" / "page_heatmap.png").is_file()


def test_the_table_of_several_images_shows_a_refused_one_only_when_asked_anyway(equipped, images):
    silent, shown = equipped("predict", *images), equipped("predict", "--anyway", *images)
    assert "1 abstain" in silent.stdout
    assert "shown anyway" not in silent.stdout
    assert "no answer, shown anyway: " in shown.stdout


def test_what_was_asked_to_be_drawn_on_a_refused_picture_is_said_to_be_missing(equipped, images, tmp_path):
    _, page = images
    for asked in ("--heatmap", "--outline"):
        assert NOT_DRAWN.split(";")[0] in equipped("predict", asked, tmp_path / "drawn", page).stdout
        both = json.loads(equipped("predict", "--json", asked, tmp_path / "drawn", page).stdout)["notes"]
        assert (both[0], both[-1]) == (NOT_DRAWN, NO_ANSWER)
    assert NOT_DRAWN not in equipped("predict", "--json", "--anyway", "--heatmap", tmp_path / "drawn", page).stdout
    assert NOT_DRAWN not in equipped("predict", "--json", page).stdout


def test_notes_stand_in_the_table_of_several_images(command, tmp_path):
    frames = [mole(), mole().rotate(90)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    mole().save(tmp_path / "still.png")
    table = command(tmp_path).stdout
    assert "its first frame was used" in table


def test_csv_has_the_gate_after_its_earlier_columns(equipped, images):
    good, refused = csv.DictReader(io.StringIO(equipped("predict", "--csv", *images).stdout))
    assert list(good)[-6:] == [
        *["error", "lesion_image_score", "lesion_image_accepted", "outline_picture", "similar_malignant_share", "notes"]
    ]
    assert good["notes"] == ""
    assert refused["notes"] == NO_ANSWER
    assert (good["lesion_image_accepted"], refused["lesion_image_accepted"]) == ("yes", "no")
    assert float(refused["lesion_image_score"]) < 0.3 < float(good["lesion_image_score"])
    assert refused["decision"] == "abstain"


def test_without_an_outline_in_the_bundle_the_run_ends_before_it_starts(command, images, tmp_path):
    result = command("--json", "--outline", tmp_path / "drawn", images[0])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "has no outline graph" in result.stderr


def test_a_scale_without_an_outline_ends_the_run_before_it_starts(equipped, images):
    result = equipped("predict", "--json", "--mm-per-pixel", 0.05, images[0])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--outline DIR" in result.stderr


def test_what_is_not_a_gallery_ends_the_run_before_it_starts(equipped, images):
    result = equipped("predict", "--json", "--gallery", images[0], images[0])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not a gallery" in result.stderr


def test_an_outline_that_would_overwrite_an_image_ends_the_run_before_it_starts(equipped, images, tmp_path):
    lesion("nv").save(tmp_path / "mole_outline.png")
    result = equipped("predict", "--json", "--outline", tmp_path, images[0], tmp_path / "mole_outline.png")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Outlines would overwrite images that were given" in result.stderr


@pytest.mark.parametrize("words", [("gallery", "draw"), ("gallery", "build"), ("similar",), ("outline", "train")])
def test_every_command_has_a_help_page(words):
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0, result.output
    assert f"Usage: root {' '.join(words)}" in result.output or f"{words[-1]} [OPTIONS]" in result.output
