"""A bucket whose images cannot be read: a shard of which nothing was read does not count as finished."""

from __future__ import annotations

import sys
import types

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from dermalens.batch.errors import BatchError
from tests.batch.drawn import rows_of, score, shards

DENIED = PermissionError(13, "Permission denied")
READ = MemoryFileSystem.cat_file


@pytest.fixture
def bucket(images):
    """Twelve images, which are three shards."""
    filesystem = fsspec.filesystem("memory")
    for path in sorted(images.glob("0*.png"))[:12]:
        filesystem.pipe_file(f"/data/{path.name}", path.read_bytes())
    yield "memory://data"
    filesystem.rm("/", recursive=True)


def give_no(monkeypatch, error, *names):
    """The images of these names, or all from the second shard on, raise the error when they are read."""

    def read(self, path, *rest, **options):
        if path.endswith(names) if names else path > "/data/006.png":
            raise error
        return READ(self, path, *rest, **options)

    monkeypatch.setattr(MemoryFileSystem, "cat_file", read)


def client_error(monkeypatch):
    """As botocore raises it: no OSError."""
    module = types.ModuleType("botocore.exceptions")
    module.ClientError = type("ClientError", (Exception,), {})
    monkeypatch.setitem(sys.modules, "botocore.exceptions", module)
    return module.ClientError("AccessDenied")


@pytest.mark.parametrize("error", [DENIED, ConnectionResetError("reset"), TimeoutError(), "botocore"], ids=repr)
def test_storage_that_gives_nothing_of_a_shard_ends_the_run_before_it_and_the_same_command_goes_on(
    bundle, bucket, tmp_path, monkeypatch, error
):
    score(bundle, bucket, tmp_path / "whole")
    give_no(monkeypatch, client_error(monkeypatch) if error == "botocore" else error)
    with pytest.raises(BatchError, match=r"Stopped before part-00001.parquet: .* none of its images, 5 in") as raised:
        score(bundle, bucket, tmp_path / "out")
    assert "memory:///data/007.png cannot be read: " in str(raised.value)
    assert "Check the access to the storage. Finished shards stay in " in str(raised.value)
    assert [path.name for path in (tmp_path / "out").glob("part-*")] == ["part-00000.parquet"]
    monkeypatch.undo()
    score(bundle, bucket, tmp_path / "out")
    assert shards(tmp_path / "out") == shards(tmp_path / "whole")


def test_a_shard_of_which_some_images_were_read_is_written(bundle, bucket, tmp_path, monkeypatch):
    give_no(monkeypatch, DENIED, "1.png", "2.png", "3.png")
    run = score(bundle, bucket, tmp_path / "out")
    errors = [row["error"] for row in rows_of(tmp_path / "out") if row["error"]]
    assert set(errors) == {"cannot be read: Permission denied. Check the access to the storage."}
    assert (run.tally.images, run.tally.errors) == (12, len(errors))


def test_bad_images_and_names_of_none_do_not_end_a_run(bundle, bucket, tmp_path):
    filesystem = fsspec.filesystem("memory")
    for number in range(5):
        filesystem.pipe_file(f"/data/00{number}.jpg", b"no image")
    (tmp_path / "list.txt").write_text("".join(f"{bucket}/00{n}.jpg\n{bucket}/none{n}.jpg\n" for n in range(5)))
    run = score(bundle, tmp_path / "list.txt", tmp_path / "out")
    assert (run.tally.images, run.tally.errors) == (10, 10)


class Away(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """As sftp and hdfs, which connect before they are asked for anything."""

    protocol = "away"

    def __init__(self, *given, **options):
        raise ConnectionRefusedError(111, "Connection refused")


@pytest.mark.parametrize(
    ("url", "words"), [("away://a.jpg", "cannot be opened: Connection refused"), ("s3://b/a.jpg", "pip install s3fs")]
)
def test_storage_that_cannot_be_opened_ends_the_run(bundle, tmp_path, monkeypatch, url, words):
    fsspec.register_implementation("away", Away, clobber=True)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    (tmp_path / "list.txt").write_text(f"{url}\n")
    with pytest.raises(BatchError, match=rf"Stopped before .*{words}\. Check the access to the storage\. Finished"):
        score(bundle, tmp_path / "list.txt", tmp_path / "out")
