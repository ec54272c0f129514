from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
from pathlib import Path
from shutil import copyfile

import pytest
import typer
from typer.testing import CliRunner

from dermalens import __version__
from dermalens.cli.main import Commands, app
from dermalens.core.errors import ImageError, StoppedError
from tests.tiny_bundle import lesion, write_tiny_bundle

ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
MOLE = str(Path(__file__).parents[2] / "docs" / "examples" / "drawn_mole.jpg")
HEAVY = "numpy onnxruntime PIL pydantic torch lightning sklearn matplotlib"


def python(*words, **options):
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, env=ENVIRONMENT, **options)


def ended_by(error):
    """What the shell sees of a command that raises `error`."""
    program = typer.Typer(cls=Commands, pretty_exceptions_enable=False)

    @program.command()
    def fail() -> None:
        raise error

    @program.command()
    def other() -> None: ...

    return CliRunner().invoke(program, ["fail"])


def test_our_error_is_one_line_on_standard_error_and_exit_code_2():
    result = ended_by(ImageError("It is\n  damaged."))
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", "error: It is damaged.\n")


def test_another_error_is_loud():
    result = ended_by(ZeroDivisionError("bug"))
    assert result.exit_code == 1
    assert isinstance(result.exception, ZeroDivisionError)


def test_an_interrupt_ends_with_130():
    assert ended_by(KeyboardInterrupt()).exit_code == 130
    stopped = ended_by(StoppedError("Training was stopped."))
    assert (stopped.exit_code, stopped.stderr) == (130, "error: Training was stopped.\n")


@pytest.mark.parametrize("form", [[], ["--csv"], ["--json"]])
def test_a_full_disk_behind_the_output_is_one_line(form):
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "dermalens", "predict", MOLE, *form]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "error: The output cannot be written: No space left on device."
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["predict", "--help"], []])
def test_a_full_disk_behind_a_help_page_is_one_line(words):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "dermalens", *words]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: The output cannot be written: No space left on device.\n"


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["predict", "--help"], []])
def test_a_reader_of_a_help_page_that_is_gone_ends_the_command_quietly(words):
    end, output = os.pipe()
    os.close(end)
    command = [sys.executable, "-m", "dermalens", *words]
    done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False)
    os.close(output)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_closed_output_takes_no_version_and_is_no_error():
    done = subprocess.run(
        ["sh", "-c", '"$0" -m dermalens --version >&-', sys.executable], capture_output=True, env=ENVIRONMENT
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_control_characters_in_an_error_are_written_as_escapes():
    assert ended_by(ImageError("a\x1b[31m\x9b.jpg: damaged.")).stderr == "error: a\\x1b[31m\\x9b.jpg: damaged.\n"


def test_a_name_that_the_output_cannot_show_ends_no_run(tmp_path):
    for name in ("a", "снимок", "é", "z"):
        copyfile(MOLE, tmp_path / f"{name}.jpg")
    poor = ENVIRONMENT | {"PYTHONIOENCODING": "ascii"}
    words = [sys.executable, "-m", "dermalens", "predict", str(tmp_path)]
    table = subprocess.run(words, capture_output=True, env=poor, check=True).stdout.decode("ascii")
    assert "4 images: " in table
    for form in ("--json", "--csv"):
        found = subprocess.run([*words, form], capture_output=True, env=poor, check=True).stdout.decode("utf-8")
        assert "снимок.jpg" in found
        assert "z.jpg" in found


@pytest.mark.skipif(os.name == "nt", reason="no such shell there")
@pytest.mark.parametrize("form", ["", "--csv", "--json"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_output_ends_no_command(form, closed, tmp_path):
    command = f"'{sys.executable}' -m dermalens predict {form} --heatmap maps '{MOLE}' nothing.jpg {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=ENVIRONMENT, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert ("error: 1 of 2 images" in done.stderr) == (closed == ">&-")
    assert ("reassure" in done.stdout) == (closed == "2>&-")
    assert [file.name for file in (tmp_path / "maps").iterdir()] == ["drawn_mole_heatmap.png"]


def test_the_version_is_shown():
    assert CliRunner().invoke(app, ["--version"]).stdout == f"dermalens {__version__}\n"


def test_no_command_shows_the_help():
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [])
    assert "predict" in result.output
    assert "not a medical device" in result.output


@pytest.mark.parametrize("arguments", [["nonsense"], ["predict"], ["predict", "--nonsense", "a.jpg"]])
def test_a_wrong_command_line_exits_with_2(arguments):
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_help_loads_no_heavy_package():
    code = f"""
import sys
from dermalens.cli.main import main
try:
    sys.argv = ["dermalens", "--help"]
    main()
finally:
    print([name for name in "{HEAVY}".split() if name in sys.modules])
"""
    done = python("-c", code)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(("module", "is_quick"), [("json", True), ("torch", False)])
def test_leaving_looks_for_no_cycles_among_what_was_imported_but_where_pytorch_is(module, is_quick):
    code = f"""
import atexit, gc, sys, types
atexit.register(lambda: print(gc.get_freeze_count()))
from dermalens.cli.main import main
sys.modules["{module}"] = types.ModuleType("{module}")
sys.argv = ["dermalens", "--version"]
main()
"""
    assert (int(python("-c", code).stdout.splitlines()[-1]) > 1000) == is_quick


@pytest.mark.parametrize("number", [errno.ENAMETOOLONG, errno.EACCES, errno.ELOOP])
def test_a_path_that_the_system_does_not_follow_is_one_line(number):
    result = ended_by(OSError(number, os.strerror(number), b"/far/a\nb.csv"))
    assert result.exit_code == 2
    assert result.stderr == f"error: /far/a\\x0ab.csv: {os.strerror(number)}. Check the path.\n"


@pytest.mark.parametrize("words", ["data index", "data audit", "card", "evaluate packaged", "predict m.jpg --bundle"])
def test_a_name_that_is_too_long_is_one_line(words):
    result = CliRunner().invoke(app, [*words.split(), "n" * 300])
    assert result.exit_code == 2
    assert result.stderr.endswith(": File name too long. Check the path.\n")


def test_predict_says_on_its_help_page_that_it_is_no_medical_device():
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["predict", "--help"])
    assert "not a medical device" in result.output


def test_what_pillow_says_of_odd_metadata_does_not_stand_beside_our_error(tmp_path):
    """The JPEG has an EXIF block that is cut off (a warning); the TIFF nine samples a pixel (a log entry of Pillow)."""
    write_tiny_bundle(tmp_path / "bundle")
    lesion("nv").save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01")
    tags = {256: 100, 257: 80, 258: 8, 259: 1, 262: 2, 273: 200, 277: 9, 278: 80, 279: 24000}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    (tmp_path / "b.tif").write_bytes(b"II*\0\x08\0\0\0\x09\0" + entries + b"\0" * 24100)
    images = [str(tmp_path / name) for name in ("a.jpg", "b.tif")]
    done = python("-m", "dermalens", "predict", "--json", "--bundle", str(tmp_path / "bundle"), *images)
    assert (done.returncode, done.stdout.count("\n")) == (2, 2)
    assert done.stderr.splitlines()[-1].startswith("error: 1 of 2 images")
    assert "Corrupt EXIF" not in done.stderr
    assert "samples per pixel than" not in done.stderr


def test_python_m_dermalens_is_dermalens():
    assert python("-m", "dermalens", "--version").stdout == f"dermalens {__version__}\n"


def test_a_reader_that_goes_away_ends_the_command_quietly():
    code = """
import os, sys, typer
from dermalens.cli.main import Commands
program = typer.Typer(cls=Commands, pretty_exceptions_enable=False)
@program.command()
def talk() -> None:
    while True:
        sys.stdout.write("line\\n" * 1000)
@program.command()
def other() -> None: ...
sys.argv = ["program", "talk"]
program()
"""
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        complaint = process.stderr.read()
    assert (process.returncode, complaint) == (141, b"")
