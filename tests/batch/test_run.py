"""A run: its shards, its columns, its errors, and what may not go on from where."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import shutil
import warnings
from functools import partial
from multiprocessing import forkserver

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from dermalens.batch import workers
from dermalens.batch.errors import BatchError
from dermalens.batch.manifest import keys_of
from dermalens.batch.output import LocalFolder, held, open_output
from dermalens.batch.run import allowed_errors, finish
from dermalens.batch.scorer import Scorer
from dermalens.batch.spark import make_predict_fn, spark_columns
from dermalens.batch.workers import score_locally
from dermalens.core.bundle import Calibration
from dermalens.core.errors import BundleError, DermaLensError, ImageError
from tests.batch.drawn import (
    COUNT,
    DiesAlways,
    DiesAnewWhileItLoads,
    DiesAtOnce,
    DiesOnce,
    FailsAtOne,
    KillsItsServer,
    LacksAPackage,
    ready,
    rows_of,
    score,
    shards,
)
from tests.tiny_bundle import lesion, tiny_graph, write_tiny_bundle


@pytest.fixture(scope="module")
def whole(bundle, images, tmp_path_factory):
    """The output of a run that nothing came between."""
    out = tmp_path_factory.mktemp("whole") / "out"
    score(bundle, images, out)
    return out


def test_every_row_is_the_answer_of_the_python_api(whole, classifier):
    rows = rows_of(whole)
    assert len(rows) == COUNT
    assert [row["path"] for row in rows] == sorted(row["path"] for row in rows)
    for row in rows:
        if not row["error"]:
            expected = classifier.predict(row["path"])
            assert {code: row[code] for code in expected.probabilities} == expected.probabilities
            assert row["malignant_probability"] == expected.malignant_probability
            assert row["decision"] == expected.decision
            assert row["quality"] == " ".join(expected.quality.findings)
            assert row["lesion_image"] == expected.lesion_image.score
            assert row["bundle_sha256"] == classifier.bundle.sha256
    assert {row["decision"] for row in rows} == {"refer", "reassure", "abstain", None}


def test_an_image_that_cannot_be_used_is_a_row_with_its_error(whole, images, classifier):
    (row,) = [row for row in rows_of(whole) if row["error"]]
    with pytest.raises(ImageError) as raised:
        classifier.predict(images / "bad.jpg")
    assert row["path"] == str(images / "bad.jpg")
    assert row["error"] == str(raised.value).removeprefix(f"{row['path']}: ")
    assert row["sha256"] == hashlib.sha256(b"text named jpg").hexdigest()
    assert {row[name] for name in ("nv", "malignant_probability", "decision", "quality", "lesion_image")} == {None}


def test_the_schema_is_the_same_in_every_shard(whole):
    schemas = {pq.read_schema(path).to_string() for path in whole.glob("part-*.parquet")}
    assert len(schemas) == 1
    limits = json.loads(pq.read_schema(whole / "part-00000.parquet").metadata[b"limits"])
    assert "Not a medical device." in limits


def test_workers_in_processes_give_the_same_bytes(whole, bundle, images, tmp_path):
    run = score(bundle, images, tmp_path / "out", workers=2)
    assert shards(tmp_path / "out") == shards(whole)
    assert run.tally.images == COUNT
    assert (run.tally.errors, run.tally.failed) == (1, [str(images / "bad.jpg")])


def test_an_ended_run_scores_only_what_is_missing(whole, bundle, images, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    (out / "part-00003.parquet").unlink()
    (out / "part-00006.parquet.tmp").write_text("half a shard")
    run = ready(bundle, images, out)
    assert run.unfinished == (3,)
    assert run.tally.images == COUNT - 5
    score(bundle, images, out)
    (out / "part-00006.parquet.tmp").unlink()
    assert shards(out) == shards(whole)


def test_images_that_came_later_belong_to_another_run(bundle, images, tmp_path):
    folder = shutil.copytree(images, tmp_path / "in")
    score(bundle, folder, tmp_path / "out")
    lesion("nv").save(folder / "0000.png")
    assert ready(bundle, folder, tmp_path / "out").unfinished == ()


def test_csv_has_the_same_rows(whole, bundle, images, tmp_path):
    run = score(bundle, images, tmp_path / "out", format="csv", shard_size=100)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "part-00000.csv").read_text())))
    expected = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows_of(whole)]
    assert rows == expected
    assert ready(bundle, images, tmp_path / "out", format="csv", shard_size=100).tally == run.tally


def test_a_bundle_of_two_classes_has_two_columns(images, tmp_path):
    calibration = Calibration(method="none", scale=[1.0] * 2, shift=[0.0] * 2, n=0)
    graphs = {"model.onnx": tiny_graph(classes=2)}
    changes = {"classes": ["benign", "malignant"], "malignant": ["malignant"], "calibration": calibration}
    write_tiny_bundle(tmp_path / "two", graphs, **changes)
    score(str(tmp_path / "two"), images, tmp_path / "out", shard_size=100)
    row = rows_of(tmp_path / "out")[0]
    assert list(row)[3:6] == ["benign", "malignant", "malignant_probability"]
    assert row["malignant"] == row["malignant_probability"]
    assert row["lesion_image"] is None


def test_relative_names_in_a_list_stay_as_they_are_written(bundle, images, tmp_path):
    folder = shutil.copytree(images, tmp_path / "in")
    (folder / "list.csv").write_text("path\n001.png\ndeep/000.png\nnone.png\n")
    score(bundle, folder / "list.csv", tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert [row["path"] for row in rows] == ["001.png", "deep/000.png", "none.png"]
    assert [bool(row["error"]) for row in rows] == [False, False, True]
    assert rows[2]["error"].startswith("cannot be read: No such file")


def test_names_with_line_breaks_and_bytes_that_are_no_text_are_scored(bundle, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a\nb.png", "m\udcffle.png", "=1+1.png"):
        lesion("nv").save(folder / name)
    score(bundle, folder, tmp_path / "out", workers=1)
    rows = rows_of(tmp_path / "out")
    assert [(row["path"], row["error"]) for row in rows] == [
        (f"{folder}/=1+1.png", None),
        (f"{folder}/a\nb.png", None),
        (f"{folder}/m\\xffle.png", None),
    ]


def test_a_csv_reader_finds_names_with_any_line_break(bundle, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    names = ["a\rb.png", "c\nd.png", "e\r\nf.png", 'g"h,i.png']
    for name in names:
        lesion("nv").save(folder / name)
    run = score(bundle, folder, tmp_path / "out", format="csv")
    content = (tmp_path / "out" / "part-00000.csv").read_bytes().decode()
    assert [row["path"] for row in csv.DictReader(io.StringIO(content, newline=""))] == [f"{folder}/{n}" for n in names]
    assert content.replace("\r\nf", "").count("\r\n") == 0
    assert ready(bundle, folder, tmp_path / "out", format="csv").tally == run.tally


def test_a_pipe_among_the_images_is_a_row_with_its_error(bundle, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    lesion("nv").save(folder / "a.png")
    os.mkfifo(folder / "b.png")
    score(bundle, folder, tmp_path / "out", workers=1)
    errors = [row["error"] for row in rows_of(tmp_path / "out")]
    assert errors == [None, "is no regular file but a pipe, a socket or a device. Save the image as a file."]


def test_a_url_of_a_list_that_says_too_little_is_a_row_with_its_error(bundle, images, tmp_path):
    (tmp_path / "list.txt").write_text(f"{images}/001.png\ngithub://x\ndir://x/a.jpg\n")
    score(bundle, tmp_path / "list.txt", tmp_path / "out")
    errors = {row["path"]: row["error"] for row in rows_of(tmp_path / "out")}
    assert errors.pop(f"{images}/001.png") is None
    assert sorted(errors) == ["dir://x/a.jpg", "github://x"]
    assert all("needs more than this URL says" in error for error in errors.values())


def test_a_source_whose_name_is_no_text_is_scored_and_goes_on(bundle, images, tmp_path):
    folder = shutil.copytree(images / "deep", tmp_path / "in\udcff")
    score(bundle, folder, tmp_path / "out")
    assert ready(bundle, folder, tmp_path / "out").manifest.source == f"{tmp_path}/in\\xff"


@pytest.mark.parametrize("form", ["parquet", "csv"])
@pytest.mark.parametrize("kept", [0, 0.5, 0.9999])
def test_a_shard_that_is_damaged_is_named_and_made_anew_when_deleted(bundle, images, tmp_path, form, kept):
    score(bundle, images / "deep", tmp_path / "out", format=form)
    shard = tmp_path / "out" / f"part-00001.{form}"
    whole = shard.read_bytes()
    shard.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(BatchError, match=rf"part-00001.{form} is damaged .*delete it and the same command makes it"):
        ready(bundle, images / "deep", tmp_path / "out", format=form)
    shard.unlink()
    score(bundle, images / "deep", tmp_path / "out", format=form)
    assert shard.read_bytes() == whole


def test_a_bucket_goes_into_a_bucket(whole, bundle, images):
    filesystem = fsspec.filesystem("memory")
    try:
        for path in images.rglob("*.png"):
            filesystem.pipe_file(f"/data/{path.name}", path.read_bytes())
        score(bundle, "memory://data", "memory://scores/out")
        again = ready(bundle, "memory://data", "memory://scores/out")
        assert (again.unfinished, again.tally.images, again.tally.errors) == ((), COUNT - 1, 0)
        names = {name.rpartition("/")[2] for name in filesystem.ls("/scores/out", detail=False)}
        assert names == {"keys", "manifest.json", "timings.jsonl", *(f"part-{n:05}.parquet" for n in range(8))}
        content = pq.read_table("/scores/out/part-00000.parquet", filesystem=filesystem).to_pylist()
        assert content[0]["path"] == "memory:///data/000.png"
    finally:
        filesystem.rm("/", recursive=True)


def test_a_bucket_is_read_by_several_processes(whole, bundle, images, tmp_path):
    score(bundle, images.as_uri(), tmp_path / "out", workers=1)
    here, there = rows_of(whole), rows_of(tmp_path / "out")
    assert [row["path"] for row in there] == [f"file://{row['path']}" for row in here]
    assert [row | {"path": ""} for row in there] == [row | {"path": ""} for row in here]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shard_size": 6}, "shard size 5, now 6"),
        ({"format": "csv"}, "format parquet, now csv"),
        ({"operating_point": "sensitivity_90"}, "operating point sensitivity_95, now sensitivity_90"),
    ],
)
def test_other_options_are_refused(whole, bundle, images, change, words):
    with pytest.raises(BatchError, match=f"belongs to another run, begun with {words}\\. Give the same to go on"):
        ready(bundle, images, whole, **change)


def test_another_source_and_another_bundle_are_refused(whole, bundle, images, tmp_path):
    with pytest.raises(BatchError, match=f"begun with source {images}, now {images}/deep"):
        ready(bundle, images / "deep", whole)
    write_tiny_bundle(tmp_path / "other")
    with pytest.raises(BatchError, match="begun with bundle sha256 "):
        ready(str(tmp_path / "other"), images, whole)


def test_a_list_that_has_changed_is_another_source(bundle, images, tmp_path):
    file = tmp_path / "list.txt"
    file.write_text(f"{images}/001.png\n")
    score(bundle, file, tmp_path / "out")
    file.write_text(f"{images}/002.png\n")
    with pytest.raises(BatchError, match="begun with list sha256"):
        ready(bundle, file, tmp_path / "out")


def test_lists_that_were_changed_by_hand_are_refused(whole, bundle, images, tmp_path):
    out = shutil.copytree(whole, tmp_path / "out")
    (out / "keys" / "part-00001.jsonl").write_text('"x.png"\n')
    with pytest.raises(BatchError, match="are not those of its manifest.json"):
        ready(bundle, images, out)


def test_a_source_without_images_makes_no_output(bundle, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BatchError, match=r"empty has no images \(.bmp .*Needed is a folder"):
        ready(bundle, tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_or_holds_other_files_is_refused(bundle, images, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(BatchError, match="is a file; name a folder for the shards"):
        ready(bundle, images, tmp_path / "file")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    with pytest.raises(BatchError, match="holds what no batch run wrote: chapter.tex"):
        ready(bundle, images, tmp_path / "thesis")


def test_an_output_without_a_name_is_refused():
    with pytest.raises(BatchError, match="name of the output is empty"):
        open_output("")


@pytest.mark.parametrize("scheme", ["file", "local"])
def test_the_url_of_a_folder_here_is_that_folder(tmp_path, scheme):
    assert open_output(f"{scheme}://{tmp_path}/out") == LocalFolder(f"{tmp_path}/out")


def test_two_runs_that_began_in_one_bucket_at_the_same_time_do_not_mix(bundle, images):
    filesystem = fsspec.filesystem("memory")
    try:
        run = ready(bundle, str(images), "memory://scores/both")
        filesystem.pipe_file("/scores/both/keys/part-00000.jsonl", b'"/somewhere/else.jpg"\n')  # the other run's
        with pytest.raises(
            BatchError, match="part-00000.jsonl has changed: another run writes to memory://scores/both"
        ):
            finish(run, partial(score_locally, workers=0))
        assert not [name for name in filesystem.ls("/scores/both", detail=False) if name.endswith(".parquet")]
    finally:
        filesystem.rm("/", recursive=True)


def test_two_runs_do_not_write_to_one_folder(tmp_path):
    output = open_output(str(tmp_path / "out"))
    with held(output), pytest.raises(BatchError, match="Another run writes to"), held(output):
        pass
    with held(output):
        pass


def test_a_folder_without_locks_is_used_without(monkeypatch, tmp_path):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    output = open_output(str(tmp_path / "out"))
    with held(output):
        output.write("a", b"")
    assert output.names() == {"a", "run.lock"}


def test_a_run_that_cannot_begin_leaves_a_folder_as_it_was(images, tmp_path):
    folder = shutil.copytree(images, tmp_path / "in")
    for place in (folder, tmp_path / "new"):
        with pytest.raises(BatchError), held(open_output(str(place))):
            raise BatchError("cannot begin")
    assert not (folder / "run.lock").exists()
    assert not (tmp_path / "new").exists()


def test_a_run_that_cannot_begin_leaves_none_of_the_folders_that_it_made(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(BatchError), held(open_output(str(tmp_path / "a" / "b" / "c"))):
        raise BatchError("cannot begin")
    assert list(tmp_path.rglob("*")) == [tmp_path / "a"]


def test_too_many_errors_stop_a_run_and_finished_shards_stay(bundle, images, tmp_path):
    folder = shutil.copytree(images, tmp_path / "in")
    for number in range(20):
        (folder / f"zz{number}.png").write_text("no image")
    for most in ("3", "0.06"):
        with pytest.raises(BatchError, match=r"Stopped: \d+ images .* allows 3: .*bad.jpg, .*zz0.png"):
            score(bundle, folder, tmp_path / most, max_errors=most, shard_size=5)
        finished = sorted(path.name for path in (tmp_path / most).glob("part-*"))
        assert 5 <= len(finished) <= 8
    score(bundle, folder, tmp_path / "3", max_errors="30")
    assert len(rows_of(tmp_path / "3")) == COUNT + 20


def interrupted(keys, work):
    """An engine that is ended after three pieces."""
    for number, rows in enumerate(score_locally(keys, work, workers=0)):
        if number == 3:
            raise KeyboardInterrupt
        yield rows


@pytest.mark.parametrize("out", ["{}/out", "file://{}/out", "memory://timed"])
def test_the_seconds_of_every_finished_shard_are_kept_when_a_run_is_interrupted(bundle, images, tmp_path, out):
    run = ready(bundle, images, out.format(tmp_path))
    try:
        with pytest.raises(KeyboardInterrupt):
            finish(run, interrupted)
        score(bundle, images, out.format(tmp_path))
        lines = [json.loads(line) for line in run.output.read("timings.jsonl").splitlines()]
    finally:
        fsspec.filesystem("memory").rm("/", recursive=True)
    assert [line["shard"] for line in lines] == [f"part-{number:05}.parquet" for number in range(8)]


class RenamesToFreeNames(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """As smb and hdfs: a rename does not replace. Its folders are listed with the object that marks them."""

    protocol = "free"

    @classmethod
    def _strip_protocol(cls, path):
        return str(super()._strip_protocol(path.replace("free://", "memory://")))

    def mv(self, path1, path2, **options):
        if self.exists(path2):
            raise FileExistsError(errno.EEXIST, "File exists", path2)
        super().mv(path1, path2, **options)

    def ls(self, path, detail=True, **options):
        mark = {"name": f"{path}/", "size": 0, "type": "file"}
        return [mark if detail else mark["name"], *super().ls(path, detail=detail, **options)]


@pytest.fixture
def storage():
    """One whose renames do not replace, and whose folders have marks."""
    fsspec.register_implementation("free", RenamesToFreeNames, clobber=True)
    filesystem = RenamesToFreeNames()
    filesystem.makedirs("/scores/out")
    yield filesystem
    fsspec.filesystem("memory").rm("/", recursive=True)


def test_storage_that_renames_to_free_names_only_takes_a_run_that_goes_on(whole, bundle, images, storage):
    storage.pipe_file("/scores/out/keys/part-00000.jsonl", b"of a run that was killed while it looked for images")
    with pytest.raises(KeyboardInterrupt):
        finish(ready(bundle, images, "free://scores/out"), interrupted)
    assert storage.exists("/scores/out/timings.jsonl")
    score(bundle, images, "free://scores/out")
    storage.rm_file("/scores/out/part-00002.parquet")
    score(bundle, images, "free://scores/out")
    for number in range(8):
        name = f"part-{number:05}.parquet"
        assert storage.cat_file(f"/scores/out/{name}") == (whole / name).read_bytes()


def test_the_mark_of_an_empty_folder_is_no_file_in_it(storage):
    output = open_output("free://scores/out/")
    assert output.names() == set()
    output.write("keys/part-00000.jsonl", b"")
    assert (output.names(), output.names("keys")) == ({"keys"}, {"part-00000.jsonl"})


@pytest.mark.parametrize("out", ["{}/out", "memory://older"])
def test_lists_of_a_run_that_was_ended_while_it_looked_for_images_go(bundle, images, tmp_path, out):
    output = open_output(out.format(tmp_path))
    try:
        for number in range(6, 12):
            output.write(f"keys/part-{number:05}.jsonl", b'"older.png"\n')
        ready(bundle, images, output.name)
        assert output.names("keys") == {f"part-{number:05}.jsonl" for number in range(8)}
        assert b"older" not in output.read("keys/part-00006.jsonl")
    finally:
        fsspec.filesystem("memory").rm("/", recursive=True)


@pytest.mark.parametrize("text", ["-1", "1.5", "many", "nan"])
def test_what_is_no_number_of_errors_is_refused(text):
    with pytest.raises(BatchError, match="needed is a number of images, or a share of them"):
        allowed_errors(text, 100)


def test_a_worker_that_was_killed_costs_nothing(whole, bundle, images, tmp_path):
    score(bundle, images, tmp_path / "out", workers=2, scorer=DiesOnce)
    assert shards(tmp_path / "out") == shards(whole)


def test_a_server_that_was_killed_costs_nothing(whole, bundle, images, tmp_path):
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    for out in (tmp_path / "out", tmp_path / "another"):
        score(str(folder), images, out, workers=2, scorer=KillsItsServer)
        assert shards(out) == shards(whole)
    assert len(list(folder.glob("killed-*"))) == 2  # each run had one of its own


def test_an_image_that_kills_every_worker_is_a_row_with_an_error(whole, bundle, images, tmp_path):
    run = score(bundle, images, tmp_path / "out", workers=1, scorer=DiesAlways)
    rows, expected = rows_of(tmp_path / "out"), rows_of(whole)
    (bad,) = [index for index, row in enumerate(rows) if row != expected[index]]
    assert rows[bad]["path"].endswith("007.png")
    assert rows[bad]["error"].startswith("The worker process was killed (signal 9) at this image, twice; it may need")
    assert run.tally.errors == 2


def test_an_image_at_which_a_worker_raises_is_a_row_with_its_exit_code(whole, bundle, images, tmp_path):
    run = score(bundle, images, tmp_path / "out", workers=1, scorer=FailsAtOne)
    (row,) = [row for row in rows_of(tmp_path / "out") if row["path"].endswith("007.png")]
    assert row["error"].startswith("The worker process ended (exit code 1) at this image, twice. To see what it says")
    assert run.tally.errors == 2


def test_workers_that_raise_while_they_load_end_the_run_and_memory_is_not_blamed(bundle, images, tmp_path):
    with pytest.raises(BatchError, match=r"ended \(exit code 1\) while it loaded the bundle\. What it said") as raised:
        score(bundle, images, tmp_path / "out", workers=1, scorer=LacksAPackage)
    assert "memory" not in str(raised.value)


def test_there_are_no_more_workers_than_chunks(bundle, images, tmp_path, monkeypatch):
    begun, start = [], workers.start_worker
    monkeypatch.setattr(workers, "start_worker", lambda work, **how: begun.append(work) or start(work, **how))
    run = score(bundle, f"{images}/00*", tmp_path / "out", workers=3)
    assert (run.tally.images, len(begun)) == (8, 1)


def test_workers_that_cannot_load_the_bundle_end_the_run(bundle, images, tmp_path):
    with pytest.raises(BatchError, match=r"was killed \(signal 9\) while it loaded the bundle; .* --workers 1"):
        score(bundle, images, tmp_path / "out", workers=1, scorer=DiesAtOnce)


def test_an_image_is_not_blamed_for_a_worker_that_cannot_load_the_bundle_again(bundle, images, tmp_path):
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    with pytest.raises(BatchError, match=r"was killed \(signal 9\) while it loaded the bundle; .* --workers 1"):
        score(str(folder), f"{images}/00*", tmp_path / "out", workers=1, scorer=DiesAnewWhileItLoads)


def test_a_bundle_that_changes_under_a_run_ends_it(bundle, images, tmp_path):
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    run = ready(str(folder), images, tmp_path / "out")
    shutil.rmtree(folder)
    write_tiny_bundle(folder)
    with pytest.raises(DermaLensError, match="The bundle has changed: SHA-256"):
        run.work.scorer(run.work.bundle, run.work.options)


def test_an_unknown_operating_point_is_refused_before_anything_is_written(bundle, images, tmp_path):
    with pytest.raises(DermaLensError, match="No operating point 'best'"):
        ready(bundle, images, tmp_path / "out", operating_point="best")
    assert not (tmp_path / "out").exists()


def test_pillow_is_silent_about_damaged_metadata(bundle, tmp_path):
    lesion("nv").save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = Scorer(bundle)({"path": np.array([str(tmp_path / "a.jpg")], dtype=object)})
    assert rows["error"].tolist() == [""]


def test_the_function_for_spark_makes_columns_of_paths(whole, bundle, images, classifier):
    run = ready(bundle, images, whole)
    columns = make_predict_fn(bundle)(np.array(keys_of(run.output, 0, run.digests[0]), dtype=object))
    expected = pq.read_table(whole / "part-00000.parquet").to_pydict()
    assert list(columns) == [name for name, _ in spark_columns(classifier.manifest.classes)]
    assert columns["path"].tolist() == expected["path"]
    assert columns["nv"].tolist() == expected["nv"]


def test_a_bundle_with_a_graph_that_cannot_be_opened_leaves_no_output(images, tmp_path):
    write_tiny_bundle(tmp_path / "broken", {"model.onnx": tiny_graph().replace(b"Cast", b"Cost")})
    with pytest.raises(BundleError, match=r"model\.onnx is not a graph that ONNX Runtime can load"):
        score(str(tmp_path / "broken"), images, tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("error", [OSError("AF_UNIX path too long"), EOFError()])
def test_workers_are_spawned_where_there_is_no_server_to_fork_them(whole, bundle, images, tmp_path, monkeypatch, error):
    def refuse():
        raise error

    monkeypatch.setattr(forkserver, "ensure_running", refuse)
    monkeypatch.setattr(forkserver, "connect_to_new_process", lambda fds: refuse())
    monkeypatch.setattr(forkserver._forkserver, "connect_to_new_process", lambda fds: refuse())
    score(bundle, images, tmp_path / "out", workers=2)
    assert shards(tmp_path / "out") == shards(whole)


def test_a_run_may_have_just_so_many_errors_as_are_allowed_and_none_more(bundle, images, tmp_path):
    folder = shutil.copytree(images, tmp_path / "in")
    (folder / "zz.png").write_text("no image")
    score(bundle, folder, tmp_path / "out")
    errors = sum(bool(row["error"]) for row in rows_of(tmp_path / "out"))
    assert errors > 1
    score(bundle, folder, tmp_path / "just", max_errors=str(errors))
    with pytest.raises(BatchError, match=f"Stopped: {errors} images"):
        score(bundle, folder, tmp_path / "less", max_errors=str(errors - 1))


def test_errors_of_finished_shards_count_before_another_one_is_written(bundle, images, tmp_path):
    folder, out = shutil.copytree(images, tmp_path / "in"), tmp_path / "out"
    for number in range(3):
        (folder / f"00{number}.png").write_text("no image")
    with pytest.raises(KeyboardInterrupt):
        finish(ready(bundle, folder, str(out)), interrupted)
    finished = sorted(path.name for path in out.glob("part-*"))
    with pytest.raises(BatchError, match="Stopped: 3 images"):
        score(bundle, folder, out, max_errors="2")
    assert sorted(path.name for path in out.glob("part-*")) == finished != []


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_shard_with_fewer_rows_than_it_should_have_is_damaged(bundle, images, tmp_path, form):
    score(bundle, images, tmp_path / "out", format=form)
    short, whole = tmp_path / "out" / f"part-00007.{form}", tmp_path / "out" / f"part-00001.{form}"
    whole.write_bytes(short.read_bytes())
    with pytest.raises(BatchError, match=rf"part-00001.{form} is damaged"):
        score(bundle, images, tmp_path / "out", format=form)
