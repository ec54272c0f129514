from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from dermalens.cli.answers import Answered, Failed, Request, answers
from dermalens.predict.classifier import load
from tests.tiny_bundle import lesion

CODES = ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]


def save(path, code="nv"):
    path.parent.mkdir(parents=True, exist_ok=True)
    lesion(code).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Three good images, one bad, and what is no image."""
    save(tmp_path / "in" / "b.png", "mel")
    save(tmp_path / "in" / "a.PNG", "nv")
    save(tmp_path / "in" / "deep" / "c.bmp", "df")
    (tmp_path / "in" / "bad.jpg").write_text("text named jpg")
    (tmp_path / "in" / "notes.txt").write_text("no image")
    (tmp_path / "in" / "._a.png").write_text("macOS leaves these")
    return tmp_path / "in"


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_json_is_the_answer_of_the_python_api(command, tmp_path, bundle_folder):
    path = save(tmp_path / "a.png")
    result = command("--json", path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert lines(result) == [load(bundle_folder).predict(path).as_dict()]


def test_standard_input_is_an_image(command, tmp_path):
    path = save(tmp_path / "a.png")
    result = command("--json", "-", given=path.read_bytes())
    assert lines(result)[0] == lines(command("--json", path))[0] | {"image": "-"}


def test_a_folder_is_searched_in_order_and_one_bad_image_does_not_end_the_run(command, folder):
    result = command("--json", folder)
    rows = lines(result)
    assert result.exit_code == 2
    assert [os.path.relpath(row["image"], folder) for row in rows] == ["a.PNG", "b.png", "bad.jpg", "deep/c.bmp"]
    assert [row.get("diagnosis") for row in rows] == ["nv", "mel", None, "df"]
    assert list(rows[2]) == ["image", "error"]
    assert rows[2]["error"].startswith("The file is text")
    assert result.stderr == f"error: 1 of 4 images have no answer, their rows say why: {folder / 'bad.jpg'}\n"


def test_csv_has_one_flat_row_an_image(command, folder):
    result = command("--csv", folder)
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert result.exit_code == 2
    assert list(rows[0]) == [
        *["image", "diagnosis", *CODES, "malignant_probability", "decision"],
        *["operating_point", "bundle_sha256", "heatmap", "reasons", "recommendation", "error"],
        *["lesion_image_score", "lesion_image_accepted", "outline_picture", "similar_malignant_share", "notes"],
    ]
    assert [row["diagnosis"] for row in rows] == ["nv", "mel", "", "df"]
    assert [bool(row["error"]) for row in rows] == [False, False, True, False]
    assert sum(float(rows[0][code]) for code in CODES) == pytest.approx(1, abs=1e-5)


def test_a_csv_row_carries_its_reasons_and_the_limits_stand_once_beside_it(command, tmp_path):
    Image.new("RGB", (100, 100), (60, 60, 70)).save(tmp_path / "blank.png")
    result = command("--csv", tmp_path / "blank.png", save(tmp_path / "a.png", "mel"))
    blank, melanoma = csv.DictReader(io.StringIO(result.stdout))
    assert blank["decision"] == "abstain"
    assert "without detail" in blank["reasons"]
    assert "another picture" in blank["recommendation"]
    assert "at or above the threshold" in melanoma["reasons"]
    assert "most probable class is mel" in melanoma["reasons"]
    assert result.stderr == "Limits: Not a medical device. Knows seven colours.\n"


def test_the_table_puts_the_decision_first_and_always_says_what_it_is_not(command, tmp_path):
    result = command(save(tmp_path / "a.png", "mel"))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].startswith("REFER")
    for part in (
        "Malignant probability 1.00",
        "a dangerous skin cancer",
        "at or above the threshold 0.10",
        "Next step",
    ):
        assert part in result.stdout
    assert "Not a medical device." in result.stdout


def test_the_table_of_a_blank_picture_shows_no_class(command, tmp_path):
    Image.new("RGB", (100, 100), (60, 60, 70)).save(tmp_path / "blank.png")
    result = command(tmp_path / "blank.png")
    assert result.stdout.splitlines()[1].startswith("ABSTAIN")
    assert "melanoma" not in result.stdout


def test_the_table_of_several_images_has_a_row_each_and_a_summary(command, folder):
    result = command(folder)
    assert result.exit_code == 2
    assert "4 images: 1 refer, 2 reassure, 1 error" in result.stdout
    assert "bad.jpg" in result.stdout
    assert "Not a medical device." in result.stdout


def test_a_single_bad_image_is_one_line(command, folder):
    result = command(folder / "bad.jpg")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_a_missing_image_is_a_row_with_its_error(command, tmp_path, form):
    result = command(form, tmp_path / "none.jpg")
    assert result.exit_code == 2
    assert "none.jpg" in result.stdout
    assert "none.jpg" in result.stderr


def test_a_folder_without_images_is_an_error(command, tmp_path):
    result = command(tmp_path)
    assert result.exit_code == 2
    assert "is a folder without images" in result.stderr


PASSED_OVER = "passed over, as {} in none of .bmp .gif .jpeg .jpg .png .tif .tiff .webp: {}\n"


def test_a_folder_that_is_linked_into_a_folder_is_classified(command, folder, tmp_path):
    (tmp_path / "above").mkdir()
    (tmp_path / "above" / "link").symlink_to(folder)
    rows = lines(command("--json", tmp_path / "above"))
    assert [os.path.relpath(row["image"], tmp_path) for row in rows][-1] == "above/link/deep/c.bmp"
    assert len(rows) == 4


def test_files_of_a_folder_that_may_be_pictures_are_named_when_they_are_passed_over(command, tmp_path):
    save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "deep").mkdir()
    for name in ("1.heic", "2.dcm", "3.AVIF", "4.pdf", "5\x1b.jp2", "deep/6.HEIC"):
        (tmp_path / "in" / name).write_bytes(b"picture")
    for name in (".hidden.heic", "notes.txt", "labels.CSV", "answer.json", "Thumbs.db"):
        (tmp_path / "in" / name).write_bytes(b"beside")
    for form in ([], ["--json"]):
        result = command(tmp_path / "in", *form)
        assert result.exit_code == 0
        names = "1.heic, 2.dcm, 3.AVIF, 4.pdf, 5\\x1b.jp2 and 1 more"
        assert result.stderr == "6 files were " + PASSED_OVER.format("their names end", names)


def test_a_folder_of_a_format_that_is_not_read_says_so(command, tmp_path):
    (tmp_path / "a.heic").write_bytes(b"picture")
    result = command(tmp_path)
    assert result.exit_code == 2
    assert result.stderr.startswith("1 file was " + PASSED_OVER.format("its name ends", "a.heic") + "error: ")


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_a_name_that_is_too_long_is_one_row_with_an_error(command, tmp_path, form):
    result = command(form, "x" * 5000 + ".jpg", save(tmp_path / "a.png"))
    assert result.exit_code == 2
    assert "File name too long" in result.stdout
    assert "a.png,nv," in result.stdout or '"diagnosis": "nv"' in result.stdout


def test_a_closed_folder_is_a_row_with_an_error(command, folder):
    (folder / "deep").chmod(0)
    if os.access(folder / "deep", os.R_OK):
        pytest.skip("no folder is closed to this user")
    closed, inside = lines(command("--json", folder / "deep", folder / "deep" / "c.bmp"))
    rows = {row["image"]: row for row in lines(command("--json", folder))}
    (folder / "deep").chmod(0o700)
    assert "cannot be listed: Permission denied" in closed["error"]
    assert "cannot be read: Permission denied" in inside["error"]
    assert "cannot be listed" in rows[str(folder / "deep")]["error"]


def test_a_closed_standard_input_is_one_row_with_an_error(bundle_folder, monkeypatch):
    """As of `dermalens predict - <&-`."""
    monkeypatch.setattr(sys, "stdin", None)
    (row,) = answers(load(bundle_folder), Request(["-"], operating_point=None, heatmap_folder=None))
    assert row == Failed("-", "Standard input is closed. Needed is an image file: pipe one in or name it.")


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_an_empty_path_is_said_to_be_one(command, form):
    result = command("", *form)
    assert (result.exit_code, result.stderr) == (2, "error: An empty path was given; name an image.\n")


def test_an_empty_standard_input_is_an_error(command):
    result = command("-", given=b"")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")


def test_json_and_csv_exclude_each_other(command, tmp_path):
    result = command("--json", "--csv", save(tmp_path / "a.png"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: --json and --csv were both given; choose one.\n"


def test_an_unknown_operating_point_ends_the_run_before_it_starts(command, tmp_path):
    result = command("--json", "--operating-point", "best", save(tmp_path / "a.png"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "sensitivity_90, sensitivity_95" in result.stderr


def test_a_prevalence_that_cannot_be_used_ends_the_run_before_it_starts(command, tmp_path):
    result = command("--csv", "--prevalence", "0.00001", save(tmp_path / "a.png"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: A prevalence of 1e-05 cannot be used; needed is 0.0001 to 0.9999.\n"


def test_standard_input_is_given_once(command, tmp_path):
    result = command("--json", "-", save(tmp_path / "a.png"), "-", given=b"")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: - was given 2 times; standard input can be read once. Give it once.\n"


def test_another_operating_point_is_used(command, tmp_path):
    result = command("--json", "--operating-point", "sensitivity_90", save(tmp_path / "a.png"))
    assert lines(result)[0]["operating_point"]["name"] == "sensitivity_90"


def test_a_bad_bundle_ends_the_run(command, tmp_path):
    result = command("--bundle", tmp_path, save(tmp_path / "a.png"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "has no bundle.json" in result.stderr


def test_heat_maps_of_the_same_name_do_not_overwrite_each_other(command, tmp_path):
    images = [save(tmp_path / place, "df") for place in ("x/a.png", "y/a.png", "y/A.bmp", "a-2.png")]
    result = command("--json", "--heatmap", tmp_path / "maps", *images)
    files = [row["heatmap"] for row in lines(result)]
    assert [Path(file).name.removesuffix("_heatmap.png") for file in files] == ["a", "a-2", "A-3", "a-2-2"]
    for file in files:
        with Image.open(file) as picture:
            assert (picture.format, picture.size) == ("PNG", (64, 64))


def test_the_heat_map_of_standard_input_has_a_name(command, tmp_path):
    image = save(tmp_path / "a.png").read_bytes()
    command("--heatmap", tmp_path / "maps", "-", given=image)
    assert [file.name for file in (tmp_path / "maps").iterdir()] == ["stdin_heatmap.png"]


def test_a_heat_map_beside_its_image_leaves_the_image_alone(command, tmp_path):
    image = save(tmp_path / "h.png")
    before = image.read_bytes()
    row = lines(command("--json", "--heatmap", tmp_path, image))[0]
    assert row["heatmap"] == str(tmp_path / "h_heatmap.png")
    assert image.read_bytes() == before


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_a_heat_map_that_would_overwrite_an_image_ends_the_run_before_it_starts(command, tmp_path, form):
    maps = tmp_path / "maps"
    images = [save(tmp_path / "h.png"), save(maps / "H_heatmap.png")]
    (tmp_path / "link").symlink_to(maps, target_is_directory=True)
    result = command(form, "--heatmap", tmp_path / "link", *images)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"would overwrite images that were given: {tmp_path / 'link' / 'h_heatmap.png'}" in result.stderr
    assert [file.name for file in maps.iterdir()] == ["H_heatmap.png"]


def test_the_rows_do_not_keep_what_has_been_written(bundle_folder, tmp_path):
    request = Request([str(save(tmp_path / "a.png"))], operating_point=None, heatmap_folder=tmp_path / "maps")
    (row,) = answers(load(bundle_folder), request)
    assert isinstance(row, Answered)
    assert row.prediction.explanation is None
    assert (tmp_path / "maps" / "a_heatmap.png").is_file()


@pytest.mark.parametrize("option", ["--heatmap", "--outline"])
@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_a_folder_for_pictures_that_cannot_be_made_ends_the_run_before_it_starts(
    command, tmp_path, equipped_folder, form, option
):
    image = save(tmp_path / "a.png")
    for folder, reason in ((image, "File exists"), (image / "maps", "Not a directory")):
        result = command("--bundle", equipped_folder, form, option, folder, image)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"cannot be written to {folder}: {reason}. Name another folder." in result.stderr
    assert image.read_bytes() == save(tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("form", ["--json", "--csv", None])
def test_a_heat_map_that_cannot_be_written_is_a_row_and_all_others_are_answered(command, tmp_path, form):
    images = [save(tmp_path / f"{name}.png") for name in "abc"]
    (tmp_path / "maps" / "b_heatmap.png").mkdir(parents=True)
    result = command(*([form] if form else []), "--heatmap", tmp_path / "maps", *images)
    assert result.exit_code == 2
    assert "b_heatmap.png cannot be written: Is a directory." in " ".join(result.stdout.split())
    assert "error: 1 of 3 images have no answer" in result.stderr
    assert sorted(file.name for file in (tmp_path / "maps").iterdir() if file.is_file()) == [
        "a_heatmap.png",
        "c_heatmap.png",
    ]


def test_heat_maps_of_long_names_are_written_under_shorter_ones_that_differ(command, tmp_path):
    images = [save(tmp_path / place / ("ä" * 125 + end)) for place in ("x", "y") for end in ("b.png", "c.png")]
    result = command("--json", "--heatmap", tmp_path / "maps", *images)
    names = [Path(row["heatmap"]).name for row in lines(result)]
    assert result.exit_code == 0
    assert sorted(file.name for file in (tmp_path / "maps").iterdir()) == sorted(set(names))
    assert names == [
        "ä" * length + f"{end}_heatmap.png"
        for length, end in zip((121, 120, 120, 120), ("", "-2", "-3", "-4"), strict=True)
    ]


@pytest.mark.skipif(os.name == "nt", reason="file names are Unicode there")
def test_a_file_name_that_is_not_unicode_is_written_as_an_escape(command, tmp_path):
    path = save(tmp_path / "a.png").rename(tmp_path / os.fsdecode(b"\xff.png"))
    row = lines(command("--json", path))[0]
    assert row["image"].endswith("\\xff.png")
    assert row["diagnosis"] == "nv"


@pytest.mark.skipif(os.name == "nt", reason="such names are refused there")
def test_control_characters_in_a_file_name_are_escapes_in_the_table_and_kept_in_json(command, tmp_path):
    (tmp_path / "in").mkdir()
    save(tmp_path / "in" / "a\x1b[31m.png")
    (tmp_path / "in" / "b\nc\x9b.jpg").write_text("text named jpg")
    shown = command(tmp_path / "in", "--heatmap", tmp_path / "maps")
    assert "a\\x1b[31m.png" in shown.stdout
    assert "b\\x0ac\\x9b.jpg" in shown.stdout
    alone = command(tmp_path / "in" / "a\x1b[31m.png", "--heatmap", tmp_path / "maps")
    assert "a\\x1b[31m_heatmap.png" in alone.stdout
    failed = command(tmp_path / "in" / "b\nc\x9b.jpg")
    assert [letter for letter in shown.output + alone.output + failed.output if letter in "\x1b\x9b"] == []
    names = [Path(row["image"]).name for row in lines(command("--json", tmp_path / "in"))]
    assert names == ["a\x1b[31m.png", "b\nc\x9b.jpg"]


def test_brackets_in_a_file_name_are_shown_as_they_are(command, tmp_path):
    assert "[red]x.png" in command(save(tmp_path / "[red]x.png")).stdout


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals there")
def test_the_progress_bar_does_not_take_the_results_to_the_terminal(folder, bundle_folder):
    """Standard error is a terminal, standard output a file: `dermalens predict --json folder > answers`."""
    terminal, end = os.openpty()
    words = [sys.executable, "-m", "dermalens", "predict", "--json", "--bundle", str(bundle_folder), str(folder)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=end, text=True, env=environment)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    os.close(end)
    assert [json.loads(line).get("diagnosis") for line in done.stdout.splitlines()] == ["nv", "mel", None, "df"]
    assert "Classifying" in shown
    assert "1 of 4 images" in shown
