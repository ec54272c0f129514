"""What a source means, and one line for each that cannot be read."""

from __future__ import annotations

import errno
import os
import sys
import tarfile
import tempfile
import tracemalloc
import types
import zipfile
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from dermalens.batch.errors import BatchError
from dermalens.batch.keys import in_order
from dermalens.batch.listing import Source, find_source, images_of
from dermalens.batch.output import open_output
from dermalens.batch.storage import open_filesystem, read_image
from dermalens.core.errors import ImageError
from tests.tiny_bundle import lesion


def found(text, **options):
    return sorted(images_of(find_source(str(text), **options)))


@pytest.fixture
def bucket():
    """In the memory of this process."""
    filesystem = fsspec.filesystem("memory")
    for name in ("/b/one.jpg", "/b/deep/two.PNG", "/b/.hidden/three.jpg", "/b/._four.jpg", "/b/list.txt"):
        filesystem.pipe_file(name, b"one.jpg\ndeep/two.PNG\n" if name.endswith("txt") else name.encode())
    yield "memory://b"
    filesystem.rm("/b", recursive=True)


def test_a_folder_is_all_images_below_it(images):
    names = found(images)
    assert len(names) == 37
    assert str(images / "deep" / "000.png") in names
    assert not any(name.endswith(("txt", "._000.png")) for name in names)


def test_a_glob_is_the_images_that_match_it(images):
    assert found(f"{images}/00*") == [str(images / f"00{n}.png") for n in (1, 2, 3, 4, 6, 7, 8, 9)]
    assert len(found(f"{images}/**/*")) == 37


@pytest.mark.parametrize("before", ["", "file://"])
def test_a_folder_with_the_name_of_a_glob_is_a_folder(tmp_path, before):
    (tmp_path / "few [1]").mkdir()
    lesion("nv").save(tmp_path / "few [1]" / "a.png")
    assert found(f"{before}{tmp_path}/few [1]") == [f"{before}{tmp_path}/few [1]/a.png"]


@pytest.mark.parametrize("pattern", ["*.png", "**/*.png", "sub/../*.png"])
def test_the_folder_that_one_is_in_is_a_name_and_no_pattern(tmp_path, monkeypatch, pattern):
    for name in ("study[1]", "study1"):
        (tmp_path / name / "sub").mkdir(parents=True)
        lesion("nv").save(tmp_path / name / f"{name}.png")
    monkeypatch.chdir(tmp_path / "study[1]")
    assert found(pattern) == [str(tmp_path / "study[1]" / "study[1].png")]


def test_hidden_images_are_found_by_a_glob_that_says_the_dot(tmp_path):
    for name in (".a.png", "._b.png", "c.png"):
        lesion("nv").save(tmp_path / name)
    assert found(f"{tmp_path}/.*.png") == [str(tmp_path / "._b.png"), str(tmp_path / ".a.png")]
    assert found(f"{tmp_path}/*.png") == [str(tmp_path / "c.png")]


@pytest.fixture
def linked(tmp_path):
    """A folder with a link to itself, one to another folder, and a hidden folder."""
    for place in ("in", "in/a", "in/a/b", "in/.hidden", "other"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "x.jpg").touch()
    (tmp_path / "in" / "loop").symlink_to(".")
    (tmp_path / "in" / "away").symlink_to(tmp_path / "other")
    (tmp_path / "in" / "circle.jpg").symlink_to("circle.jpg")
    return tmp_path / "in"


@pytest.mark.parametrize("before", ["", "file://"])
@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("", ["a/b/x.jpg", "a/x.jpg", "circle.jpg", "x.jpg"]),
        ("**", ["a/b/x.jpg", "a/x.jpg", "circle.jpg", "x.jpg"]),
        ("**/*", ["a/b/x.jpg", "a/x.jpg", "circle.jpg", "x.jpg"]),
        ("**/x.*", ["a/b/x.jpg", "a/x.jpg", "x.jpg"]),
        ("**/b/**", ["a/b/x.jpg"]),
        ("*/x.jpg", ["a/x.jpg", "away/x.jpg", "loop/x.jpg"]),
        ("[ab]/?/*", ["a/b/x.jpg"]),
        (".h*/*", [".hidden/x.jpg"]),
    ],
)
def test_each_image_counts_once_whatever_links_there_are_and_hidden_ones_do_not(linked, before, pattern, names):
    found_ = [path.removeprefix(f"{before}{linked}/") for path in images_of(find_source(f"{before}{linked}/{pattern}"))]
    assert sorted(found_) == names


@pytest.mark.parametrize("pattern", ["", "/**/*.jpg", "/*/*.jpg"])
def test_a_prefix_of_a_bucket_that_cannot_be_listed_ends_the_search_with_its_name(bucket, monkeypatch, pattern):
    listed = type(open_filesystem(bucket)[0]).ls

    def refuse(self, path, *given, **options):
        if path == "/b/deep":
            raise PermissionError("Access Denied")
        return listed(self, path, *given, **options)

    monkeypatch.setattr(type(open_filesystem(bucket)[0]), "ls", refuse)
    with pytest.raises(BatchError, match="memory:///b/deep cannot be read: Access Denied"):
        found(bucket + pattern)


@pytest.mark.parametrize("pattern", ["", "/**/*.jpg", "/*/*.jpg"])
def test_a_folder_here_that_cannot_be_listed_stands_for_itself(tmp_path, monkeypatch, pattern):
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refuse(path):
        if os.fspath(path) == str(tmp_path / "closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert found(f"{tmp_path}{pattern}") == [str(tmp_path / "closed")]


class OnHost(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Its paths do not say on which host they are, as those of FTP and HDFS."""

    protocol = "onhost"

    def __init__(self, host=None, **options):
        super().__init__(host=host, **options)

    @staticmethod
    def _get_kwargs_from_urls(path):
        return {"host": path.removeprefix("onhost://").partition("/")[0]} if "://" in path else {}

    @classmethod
    def _strip_protocol(cls, path):
        path = path.removeprefix("onhost://").partition("/")[2] if "://" in path else path
        return f"/{path.strip('/')}" if path.strip("/") else ""


@pytest.mark.parametrize("source", ["onhost://h/b", "onhost://h/b/", "onhost://h/b/*"])
def test_the_url_of_an_image_names_the_host(bucket, source):
    fsspec.register_implementation("onhost", OnHost, clobber=True)
    assert "onhost://h/b/one.jpg" in found(source)
    assert read_image("onhost://h/b/one.jpg") == b"/b/one.jpg"


@pytest.mark.parametrize("source", ["zip://in::{}", "zip://::{}", "zip://in/*::{}", "zip://**/*.png::file://{}"])
def test_the_url_of_an_image_in_an_archive_names_the_archive(tmp_path, source):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("in/a.png", b"a")
    inside = source.partition("::")[2].format(tmp_path / "a.zip")
    assert found(source.format(tmp_path / "a.zip")) == [f"zip://in/a.png::{inside}"]
    assert read_image(f"zip://in/a.png::{inside}") == b"a"


def test_a_storage_whose_images_have_no_urls_is_one_line(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(BatchError, match=r"simplecache::.* have no URLs of their own\. Give a list of URLs"):
        found(f"simplecache::file://{tmp_path}")


def test_a_text_list_is_one_path_a_line_as_it_is_written(tmp_path):
    (tmp_path / "list.txt").write_text("\ufeffb.jpg\n\n  /c/a.png  \ns3://b/d.jpg\n")
    assert found(tmp_path / "list.txt") == ["/c/a.png", "b.jpg", "s3://b/d.jpg"]
    assert find_source(str(tmp_path / "list.txt")).base == str(tmp_path)


def test_a_name_in_a_csv_list_keeps_its_spaces(tmp_path):
    (tmp_path / "list.csv").write_text('path,note\n" a.jpg",x\n  ,y\n')
    assert found(tmp_path / "list.csv") == [" a.jpg"]


def test_a_list_that_is_a_pipe_is_refused_before_it_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BatchError, match=r"pipe is no file; a list is read more than once\. Save it as a file"):
        find_source(str(tmp_path / "pipe"))


def test_a_csv_list_has_a_column(tmp_path):
    (tmp_path / "list.csv").write_text('id,image,"note"\n1,a.jpg,"x, y"\n2,,\n')
    assert found(tmp_path / "list.csv", column="image") == ["a.jpg"]
    known = r'it has "id", "image", "note"\. .*--list-column'
    with pytest.raises(BatchError, match=f'list.csv has no column "path"; {known}'):
        found(tmp_path / "list.csv")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("id, path", 'has no column "path"; it has "id", " path". Name the one with the paths: --list-column.'),
        ("id;path", 'it has "id;path". Columns are separated by commas'),
        ("id\tpath", 'it has "id\tpath". Columns are separated by commas (in a list that ends in .tsv by tabs)'),
    ],
)
def test_a_column_that_is_missing_by_a_space_or_a_separator_is_seen_in_the_message(tmp_path, header, words):
    (tmp_path / "h.csv").write_text(f"{header}\n1,a.jpg\n")
    with pytest.raises(BatchError) as raised:
        found(tmp_path / "h.csv")
    assert words in str(raised.value)


@pytest.mark.parametrize(("name", "separator"), [("list.txt", ","), ("list", ","), ("list.tsv", "\t"), ("l.csv", ",")])
def test_a_column_that_is_named_makes_any_list_a_table(tmp_path, name, separator):
    (tmp_path / name).write_text(f"id{separator}image\n1{separator}a.jpg\n")
    source = find_source(str(tmp_path / name), column="image")
    assert source.column == "image"
    assert list(images_of(source)) == ["a.jpg"]


def test_without_a_column_only_a_csv_is_a_table(tmp_path):
    for name, column in {"a.csv": "path", "b.CSV": "path", "c.txt": None, "d.tsv": None}.items():
        (tmp_path / name).write_text("path\na.jpg\n")
        assert find_source(str(tmp_path / name)).column == column


def test_a_line_that_is_longer_than_any_path_is_no_list(tmp_path):
    (tmp_path / "list.txt").write_text("a" * 8192 + "\r\n" + "b.jpg\n")
    assert found(tmp_path / "list.txt") == ["a" * 8192, "b.jpg"]
    (tmp_path / "list.txt").write_text("a.jpg\n" + "b" * 8193 + "\n")
    with pytest.raises(BatchError, match="is no list of paths: line 2 has more than 8,192 characters"):
        found(tmp_path / "list.txt")


@pytest.mark.parametrize("before", ["", "file://"])
def test_a_pipe_among_the_images_is_an_error_and_is_not_waited_for(tmp_path, before):
    os.mkfifo(tmp_path / "a.jpg")
    assert found(f"{before}{tmp_path}") == [f"{before}{tmp_path}/a.jpg"]
    with pytest.raises(ImageError, match=r"a\.jpg is no regular file but a pipe, .* Save the image as a file"):
        read_image(f"{before}{tmp_path}/a.jpg")


@pytest.mark.parametrize(
    "url", ["dir://x/a.jpg", "reference://x", "github://x", "generic://a.jpg", "jupyter://x", "dbfs://x"]
)
def test_a_url_that_says_too_little_for_its_storage_is_an_error_of_its_image(url):
    scheme = url.partition("://")[0]
    with pytest.raises(
        ImageError, match=f"{url} cannot be opened: {scheme}:// needs more than this URL says"
    ) as raised:
        read_image(url)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("memory://b/", "memory://b"),
        ("memory://b/deep//", "memory://b/deep"),
        ("memory://b", "memory://b"),
        ("memory:///", "memory:///"),
        ("file:///", "file:///"),
    ],
)
def test_a_slash_at_the_end_of_a_url_makes_no_other_run(bucket, text, identity):
    assert find_source(text).identity == identity


def test_two_colons_in_the_name_of_an_image_are_part_of_the_name(bucket):
    filesystem = fsspec.filesystem("memory")
    for name in ("/b/left::right.jpg", "/b/a::b/one.jpg", "/b/a::b/list.txt"):
        filesystem.pipe_file(name, b"one.jpg\n" if name.endswith("txt") else name.encode())
    assert read_image("memory:///b/left::right.jpg") == b"/b/left::right.jpg"
    assert {"memory:///b/left::right.jpg", "memory:///b/a::b/one.jpg"} < set(found(bucket))
    assert found("memory:///b/a::b") == ["memory:///b/a::b/one.jpg"]
    listed = find_source("memory:///b/a::b/list.txt")
    assert [read_image(key, listed.base) for key in images_of(listed)] == [b"/b/a::b/one.jpg"]


def test_a_bucket_is_a_folder_a_glob_or_a_list(bucket):
    assert found(bucket) == ["memory:///b/deep/two.PNG", "memory:///b/one.jpg"]
    assert found(f"{bucket}/*") == ["memory:///b/one.jpg"]
    assert found(f"{bucket}/list.txt") == ["deep/two.PNG", "one.jpg"]
    assert read_image("deep/two.PNG", find_source(f"{bucket}/list.txt").base) == b"/b/deep/two.PNG"
    assert read_image("memory:///b/one.jpg") == b"/b/one.jpg"


def test_what_is_missing_or_no_list_is_one_line(tmp_path):
    lesion("nv").save(tmp_path / "a.png")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "index").write_text("\n<!DOCTYPE HTML>\n<title>Index of /few</title>")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.png")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "a.png")
    for text, words in {
        f"{tmp_path}/none": "none does not exist",
        f"{tmp_path}/a.png": "is one image: dermalens predict",
        f"{tmp_path}/bytes.txt": "is no list of paths in UTF-8",
        f"{tmp_path}/index": "index is a web page, no list of paths",
        f"{tmp_path}/a.zip": f"is an archive, no list of paths. Name what is in it: zip://::{tmp_path}/a.zip",
        f"{tmp_path}/a.tar": f"is an archive, no list of paths. Name what is in it: tar://::{tmp_path}/a.tar",
        f"zip://{tmp_path}/a.zip": f"names no archive. Name what is in it: zip://::{tmp_path}/a.zip",
        "": "The name of the source is empty",
        "memory://nowhere": "memory://nowhere does not exist",
        "quux://b/c": "quux:// is no storage that fsspec knows",
    }.items():
        with pytest.raises(BatchError, match=words) as raised:
            found(text)
        assert "\n" not in str(raised.value)


def test_a_missing_storage_package_is_the_line_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(BatchError, match="s3:// needs a package that is not installed: pip install s3fs"):
        find_source("s3://bucket/folder")
    with pytest.raises(ImageError, match="pip install s3fs"):
        read_image("s3://bucket/folder/a.jpg")


def test_a_bucket_that_may_not_be_read_is_one_line(monkeypatch):
    class NoCredentialsError(Exception):
        pass

    def refuse(*_, **__):
        raise NoCredentialsError("Unable to locate\ncredentials")

    monkeypatch.setitem(sys.modules, "botocore.exceptions", types.SimpleNamespace(BotoCoreError=NoCredentialsError))
    monkeypatch.setattr(type(open_filesystem("memory://b")[0]), "isfile", refuse)
    with pytest.raises(BatchError, match=r"memory://b cannot be read: Unable to locate credentials\."):
        find_source("memory://b")


def test_an_image_that_is_not_in_the_bucket_says_so(bucket):
    with pytest.raises(ImageError, match="cannot be read: there is none of this name"):
        read_image("memory:///b/five.jpg")


@pytest.mark.parametrize("at_once", [2, 5, 100])
def test_keys_are_sorted_each_once_whether_they_fit_into_memory_or_not(at_once):
    keys = ["b", "a\n", "c", "a", "b", "m\udcff", "é", "a"]
    assert list(in_order(iter(keys), at_once=at_once)) == ["a", "a\n", "b", "c", "m\udcff", "é"]


def test_a_full_temporary_folder_is_one_line_that_names_it(monkeypatch, tmp_path):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(BatchError, match=f"temporary folder {tmp_path}: No space left on device\\. .*TMPDIR="):
        list(in_order("abcde", at_once=2))


def test_sorting_takes_no_more_memory_for_more_keys():
    def peak_bytes(count):
        tracemalloc.start()
        try:
            assert (
                sum(1 for _ in in_order((f"s3://b/{n * 7919 % count:08}.jpg" for n in range(count)), at_once=500))
                == count
            )
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak_bytes(20_000) < 2 * peak_bytes(4_000)


def test_a_quote_that_is_not_closed_does_not_swallow_the_rows_after_it(tmp_path):
    (tmp_path / "list.csv").write_text('path,label\na.jpg,nv\n"b.jpg,nv\nc.jpg,nv\n', encoding="utf-8")
    with pytest.raises(BatchError, match="is no list of paths in UTF-8"):
        found(tmp_path / "list.csv")


@pytest.mark.parametrize(
    ("name", "base", "identity"),
    [
        ("/list.csv", "/", "/list.csv"),
        ("/data/list.csv", "/data", "/data/list.csv"),
        ("memory://list.csv", "memory://", "memory://list.csv"),
        ("s3://b/lists/a.txt", "s3://b/lists", "s3://b/lists/a.txt"),
        ("https://h/b/a.csv?X-Signature=secret", "https://h/b", "https://h/b/a.csv"),
        ("zip://lists/a.csv::/x/l.zip", "zip://lists::/x/l.zip", "zip://lists/a.csv::/x/l.zip"),
    ],
)
def test_relative_names_belong_to_the_folder_of_their_list(name, base, identity):
    source = Source(name, "list")
    assert (source.base, source.identity) == (base, identity)


def test_a_table_behind_a_signed_address_is_a_table(bucket, monkeypatch):
    table = b"path,label\na.jpg,nv\n"
    monkeypatch.setattr("dermalens.batch.listing.open_filesystem", lambda _: (fsspec.filesystem("memory"), "/b/t"))
    fsspec.filesystem("memory").pipe_file("/b/t", table)
    source = find_source("https://host/b/list.csv?X-Signature=secret&expires=1")
    assert source.column == "path"
    assert list(images_of(source)) == ["a.jpg"]


@pytest.fixture
def archive(tmp_path):
    """Two images and a list of them, which is in the same folder of the archive."""
    lesion("nv").save(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        file.write(tmp_path / "a.png", "in/a.png")
        file.write(tmp_path / "a.png", "in/b.png")
        file.writestr("in/list.csv", "path\na.png\nb.png\n")
    return tmp_path / "all.zip"


def test_two_colons_in_a_name_in_an_archive_are_an_error_of_that_image(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("in/left::right.png", b"")
    (key,) = found(f"zip://in::{tmp_path}/a.zip")
    with pytest.raises(ImageError, match="as its name in the archive has two colons in it"):
        read_image(key)


def test_an_archive_in_an_archive_is_read(archive):
    with zipfile.ZipFile(archive.with_name("outer.zip"), "w") as file:
        file.write(archive, "all.zip")
    url = f"zip://in/a.png::zip://all.zip::{archive.with_name('outer.zip')}"
    assert read_image(url) == archive.with_name("a.png").read_bytes()


def test_a_list_in_an_archive_names_what_lies_beside_it(archive):
    source = find_source(f"zip://in/list.csv::{archive}")
    assert list(images_of(source)) == ["a.png", "b.png"]
    assert read_image("b.png", source.base) == (archive.parent / "a.png").read_bytes()


def test_an_archive_is_opened_once_for_all_its_images(archive, monkeypatch):
    opened = []
    of_python = zipfile.ZipFile._RealGetContents
    monkeypatch.setattr(zipfile.ZipFile, "_RealGetContents", lambda self: (opened.append(1), of_python(self))[1])
    for name in ("a", "b", "a", "b"):
        assert read_image(f"zip://in/{name}.png::{archive}")
    assert len(opened) <= 1


def test_a_damaged_archive_is_one_line_and_a_damaged_image_in_it_a_row(archive):
    whole = archive.read_bytes()
    place = whole.index(b"\x89PNG") + 200
    archive.with_name("crc.zip").write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    with pytest.raises(ImageError, match="cannot be read: .*CRC"):
        read_image(f"zip://in/a.png::{archive.with_name('crc.zip')}")
    archive.with_name("cut.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BatchError, match="cannot be opened: File is not a zip file"):
        find_source(f"zip://in::{archive.with_name('cut.zip')}")
    archive.with_name("no.tar").write_bytes(b"no archive" * 100)
    with pytest.raises(BatchError, match="cannot be opened"):
        find_source(f"tar://in::{archive.with_name('no.tar')}")


class OldFileSystem(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """As that of sftp: it takes no options that it does not know, neither to be made nor to list."""

    protocol = "old"

    def __init__(self) -> None:
        super().__init__()

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("old://", "memory://")))

    def ls(self, path: str, detail: bool = True) -> list[object]:
        return list(super().ls(path, detail=detail))


def test_a_storage_that_takes_no_foreign_options_is_listed_and_written_to(bucket):
    fsspec.register_implementation("old", OldFileSystem, clobber=True)
    output = open_output("old://b/out")
    output.write("manifest.json", b"{}")
    assert output.names() == {"manifest.json"}
    assert [key.rpartition("/")[2] for key in found("old://b/*.jpg")] == ["one.jpg"]


def test_no_bucket_is_made_of_a_mistyped_name(monkeypatch):
    monkeypatch.setattr(MemoryFileSystem, "makedirs", lambda *_, **__: pytest.fail("a folder was made"))
    output = open_output("memory://b2/out")
    output.write("keys/part-00000.jsonl", b"")
    assert output.names() == {"keys"}
