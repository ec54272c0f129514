"""`dermalens batch` as it is typed: killed, interrupted, on a full disk."""

from __future__ import annotations

import json
import os
import pty
import random
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import fsspec
import psutil
import pytest
from typer.testing import CliRunner

from dermalens.batch.output import LocalFolder
from dermalens.batch.run import Wanted, prepare
from dermalens.cli.batch import _finished, _pace
from dermalens.cli.main import app
from tests.batch.drawn import draw, shards
from tests.tiny_bundle import write_equipped_bundle

LIMITS = "Limits: Not a medical device. Knows seven colours.\n"


CROWD = 1000


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with `bundle` and `images`."""
    folder = tmp_path_factory.mktemp("batch")
    write_equipped_bundle(folder / "bundle")
    draw(folder / "images")
    return folder


@pytest.fixture(scope="module")
def crowd(place, tmp_path_factory):
    """As `place`, with so many images that a run does not end before it is interrupted, however busy the machine is."""
    folder = tmp_path_factory.mktemp("crowd")
    (folder / "bundle").symlink_to(place / "bundle")
    (folder / "images").mkdir()
    image = min((place / "images").rglob("*.jpg"))
    for number in range(CROWD):
        os.link(image, folder / "images" / f"{number:04}.jpg")
    return folder


def words(place, out, *more):
    source = ["batch", str(place / "images"), str(out), "--bundle", str(place / "bundle")]
    return [*source, "--shard-size", "5", "--workers", "1", *map(str, more)]


def typed(place, out, *more):
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, words(place, out, *more))


def started(place, out, *more, **options):
    command = [sys.executable, "-m", "dermalens", *words(place, out, *more)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def count(out):
    return len(list(out.glob("part-*.parquet")))


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture(scope="module")
def whole(place):
    """What a run that nothing came between says; its output is `whole`."""
    return typed(place, place / "whole", "--workers", 0)


def test_a_summary_stands_on_standard_output_and_errors_make_two(whole, place):
    assert whole.exit_code == 2
    first, second = whole.stdout.splitlines()
    counts = "6 abstain, 10 reassure, 20 refer, 1 with an error"
    assert first == f"37 images in 8 shards in {place / 'whole'}: {counts}"
    assert second.startswith("37 of them now, in ")
    error = f"error: 1 of 37 images have an error, their rows say why: {place / 'images' / 'bad.jpg'}\n"
    assert whole.stderr == LIMITS + error


def test_a_run_without_errors_ends_with_zero(place, tmp_path):
    result = typed(place, tmp_path / "out", "--workers", 0, "--format", "csv", "--prevalence", 0.1)
    assert "cannot be shifted" in result.stderr
    (tmp_path / "list.csv").write_text(f"image\n{place}/images/001.png\n")
    given = ["batch", str(tmp_path / "list.csv"), str(tmp_path / "out"), "--bundle", str(place / "bundle")]
    result = CliRunner().invoke(app, [*given, "--workers", "0", "--list-column", "image", "--format", "csv"])
    assert (result.exit_code, result.stderr) == (0, LIMITS)


def test_a_finished_run_has_nothing_to_do(whole, place):
    before = shards(place / "whole")
    result = typed(place, place / "whole")
    assert result.exit_code == 2
    assert "All of them were there already" in result.stdout
    assert shards(place / "whole") == before


def test_a_run_killed_at_any_moment_goes_on_and_ends_with_the_same_bytes(place, tmp_path):
    one_by_one, out = ("--shard-size", 1, "--workers", 0), tmp_path / "out"
    typed(place, tmp_path / "whole", *one_by_one)
    moments, finished = random.Random(6), [0]
    for _ in range(4):
        process = started(place, out, *one_by_one)
        # The first is killed soon after its lists are there, the others soon after a shard that is new.
        wait_for(lambda: (out / "manifest.json").exists() if len(finished) == 1 else count(out) > finished[-1])
        time.sleep(moments.uniform(0, 0.04))
        process.kill()
        process.communicate()
        finished.append(count(out))
        assert finished[-1] >= finished[-2]
        if finished[-1] == 37:
            break
    assert any(0 < shards_ < 37 for shards_ in finished)
    done = started(place, out, *one_by_one)
    assert done.communicate(timeout=60)[1].startswith(LIMITS)
    assert done.returncode == 2
    assert shards(out) == shards(tmp_path / "whole")


def test_names_that_are_longer_than_any_pipe_takes_do_not_stop_a_worker(place, tmp_path):
    names = [f"{number}{'x' * 100_000}.jpg" for number in range(64)]
    (tmp_path / "list.csv").write_text("\n".join(["path", *names]) + "\n")
    command = ["batch", str(tmp_path / "list.csv"), str(tmp_path / "out"), "--bundle", str(place / "bundle")]
    command = [sys.executable, "-m", "dermalens", *command, "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("64 images in 1 shard in ")
    assert "64 with an error" in done.stdout


@pytest.mark.parametrize(
    ("given", "raised", "code"), [("new", KeyboardInterrupt, 130), ("new", SystemExit, 143), ("begun", SystemExit, 143)]
)
def test_an_end_before_the_first_shard_is_one_line(place, tmp_path, monkeypatch, given, raised, code):
    def ended(*_):
        raise raised

    if given == "begun":
        prepare(Wanted(str(place / "images"), str(place / "bundle"), shard_size=5), LocalFolder(str(tmp_path / "out")))
    monkeypatch.setattr("dermalens.batch.run.prepare", ended)
    result = typed(place, tmp_path / "out")
    after = {
        "new": "the first shard; the same command begins again.",
        "begun": "a new shard; the same command goes on.",
    }
    assert (result.exit_code, result.stderr) == (code, f"Interrupted before {after[given]}\n")


@pytest.mark.parametrize(("out", "said"), [("new", "Looking for images in"), ("whole", "Reading what is finished in")])
def test_a_person_is_told_what_is_done_before_the_first_shard(whole, place, tmp_path, out, said):
    output = place / "whole" if out == "whole" else tmp_path / "out"
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "dermalens", *words(place, output, "--workers", 0)]
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        first = terminal.read(4096)
        process.kill()
        process.communicate()
    assert first.decode().startswith(f"{said} {output if out == 'whole' else place / 'images'}")


def test_a_run_killed_between_two_shards_keeps_the_first(whole, place, tmp_path):
    out = tmp_path / "out"
    process = started(place, out)
    wait_for((out / "part-00000.parquet").exists)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    assert psutil.wait_procs(children, timeout=10)[1] == []
    first = (out / "part-00000.parquet").stat().st_mtime_ns
    assert started(place, out).communicate(timeout=60)[0].startswith("37 images in 8 shards")
    assert (out / "part-00000.parquet").stat().st_mtime_ns == first
    assert shards(out) == shards(place / "whole")


def test_control_c_is_one_line_that_says_how_to_go_on(crowd, tmp_path):
    out = tmp_path / "out"
    # A shell that starts the suite in the background hands down that Ctrl-C is ignored.
    heeds = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = started(crowd, out, "--shard-size", "1", start_new_session=True, preexec_fn=heeds)
    wait_for((out / "part-00000.parquet").exists)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert said.removeprefix(LIMITS).startswith("Interrupted. ")
    assert said.endswith(f" of {CROWD} shards are finished in {out}. The same command goes on from there.\n")
    assert said.count("\n") == 2


def test_a_termination_ends_as_control_c_does(crowd, tmp_path):
    out = tmp_path / "out"
    process = started(crowd, out, "--shard-size", "1")
    wait_for((out / "part-00000.parquet").exists)
    children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert process.returncode == 143, said
    assert said.removeprefix(LIMITS).startswith("Interrupted. ")
    assert said.count("\n") == 2
    assert psutil.wait_procs(children, timeout=10)[1] == []
    done = sorted(path.name for path in out.glob("part-*"))
    timed = [json.loads(line)["shard"] for line in (out / "timings.jsonl").read_text().splitlines()]
    assert set(done) - set(timed) <= {done[-1]}
    assert done[0] in timed


def test_the_output_is_listed_once_to_say_how_much_is_finished(place, tmp_path, monkeypatch):
    listed = []

    class Listed(LocalFolder):
        def names(self, *folder):
            listed.append(self)
            return super().names(*folder)

    wanted = Wanted(str(place / "images"), str(place / "bundle"), shard_size=1)
    run = prepare(wanted, Listed(str(tmp_path / "out")))
    listed.clear()
    assert _finished(run) == f"0 of 37 shards are finished in {tmp_path / 'out'}."
    assert len(listed) == 1


@pytest.mark.parametrize(
    ("done", "left", "seconds", "said"),
    [(0, 60, 3.0, ""), (16, 44, 0.0, ""), (16, 44, 4.0, "4.0 images/s, 0:00:11 left")],
)
def test_rate_and_time_left_are_of_this_run(done, left, seconds, said):
    assert _pace(done, left, seconds) == said


def test_a_full_disk_is_one_line_and_finished_shards_stay(place, tmp_path):
    folder = tmp_path / "in"
    for number in range(3):
        name = "short" if number < 2 else "very-long-" * 20
        (folder / f"{number}-{name}").mkdir(parents=True)
        for image in range(10):
            (folder / f"{number}-{name}" / f"{image}.png").write_bytes((place / "images" / "001.png").read_bytes())

    def run(limit=None):
        given = ["batch", str(folder), str(tmp_path / "out"), "--bundle", str(place / "bundle"), "--format", "csv"]
        return subprocess.run(
            [sys.executable, "-m", "dermalens", *given, "--shard-size", "10", "--workers", "1"],
            capture_output=True,
            text=True,
            timeout=60,
            preexec_fn=limit,
        )

    done = run(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4800, 4800)))
    assert done.returncode == 2
    assert "part-00002.csv cannot be written: File too large. What is finished stays; the same" in done.stderr
    assert done.stderr.count("\n") == 2
    assert sorted(path.name for path in (tmp_path / "out").glob("part-*")) == ["part-00000.csv", "part-00001.csv"]
    assert run().returncode == 0
    assert len(list((tmp_path / "out").glob("part-*"))) == 3


def test_what_cannot_begin_is_one_line(place, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for given, said in {
        (tmp_path / "empty", tmp_path / "out"): "has no images",
        (tmp_path / "none", tmp_path / "out"): "none does not exist. Needed is a folder or a glob",
        (place / "images", tmp_path / "file"): "is a file; name a folder for the shards",
        ("quux://b", tmp_path / "out"): "quux:// is no storage that fsspec knows",
        (place / "images", "quux://b"): "quux:// is no storage that fsspec knows",
        ("memory://b", tmp_path / "out"): "only this process can see; add --workers 0",
        (place / "images", "memory://b"): "ends with this process; name a folder or a bucket",
        (place / "images", tmp_path / "out", "--gpus", "1"): "add --engine ray",
        (place / "images", tmp_path / "out", "--max-errors", "x"): "--max-errors x given; needed is a number",
        (place / "images", tmp_path / "out", "--prevalence", "7"): "7",
    }.items():
        result = CliRunner().invoke(app, ["batch", *map(str, given), "--bundle", str(place / "bundle")])
        assert result.exit_code == 2
        assert result.stderr.startswith("error: ")
        assert said in result.stderr
        assert result.stderr.count("\n") == 1
        assert not (tmp_path / "out").exists()


def test_a_bucket_may_be_the_source(place, tmp_path):
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe_file("/data/a.png", (place / "images" / "001.png").read_bytes())
    try:
        given = ["batch", "memory://data", str(tmp_path / "out"), "--bundle", str(place / "bundle"), "--workers", "0"]
        result = CliRunner().invoke(app, given)
        assert result.exit_code == 0
        assert (tmp_path / "out" / "part-00000.parquet").exists()
    finally:
        filesystem.rm("/", recursive=True)


def test_without_its_packages_the_line_to_type_is_given(monkeypatch, place, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = typed(place, tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr == "error: dermalens batch needs an optional part: pip install 'dermalens[batch]'\n"


@pytest.mark.parametrize("folder", ["n" * 120, "plain"])
def test_neither_files_in_the_current_folder_nor_a_long_temporary_one_disturb_the_workers(place, tmp_path, folder):
    """The server that forks them has a socket in the temporary folder, and imports."""
    here, temporary = tmp_path / "here", tmp_path / folder
    here.mkdir()
    temporary.mkdir()
    for name in ("random", "logging", "json", "numpy", "PIL", "email"):
        (here / f"{name}.py").write_text("raise SystemExit('imported from the current folder')")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(Path(sys.executable).with_name("dermalens")), *words(place, tmp_path / "out")]
    done = subprocess.run(
        command, cwd=here, env=environment | {"TMPDIR": str(temporary)}, capture_output=True, text=True, check=False
    )
    assert "images in 8 shards" in done.stdout, done.stderr
    assert "current folder" not in done.stderr
