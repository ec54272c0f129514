"""What is to be scored: the images of a folder, a glob, a list file or a bucket, found one after the other."""

from __future__ import annotations

import csv
import glob
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, Literal

from dermalens.batch.errors import BatchError
from dermalens.batch.storage import (
    ARCHIVES,
    is_url,
    open_filesystem,
    reason_of,
    split_chain,
    storage_failures,
    url_maker,
)
from dermalens.batch.walk import EVERYTHING, Entry, cut, matching, scanned
from dermalens.core.files import IMAGE_SUFFIXES, is_image

NEEDED: Final = (
    "Needed is a folder or a glob of images, a CSV or text list of their paths, or the URL of one, such as s3://b/p"
)
COLUMN: Final = "path"
"""Of a table, where none is named."""
LONGEST_LINE: Final = 8192
"""Characters of a text list: twice what a path may have. A binary file may be one line of any length."""
BLOCK_BYTES: Final = 1 << 20
WEB_PAGE: Final = (b"<!doctype html", b"<html")


@dataclass(frozen=True, slots=True)
class Source:
    """A source that exists; its images are not yet looked for."""

    name: str
    """Absolute path or URL."""
    kind: Literal["folder", "glob", "list"]
    column: str | None = None
    """Of a CSV or TSV list."""
    sha256: str | None = None
    """Of a list file."""

    @property
    def base(self) -> str:
        """The folder that relative names in a list belong to; empty for what is no list."""
        if self.kind != "list":
            return ""
        if not is_url(self.name):
            return os.path.dirname(self.name)  # noqa: PTH120  (bytes that are no UTF-8 stay)
        head, chained, inside = split_chain(self.identity)
        scheme, _, path = head.partition("://")
        return f"{scheme}://{path.rpartition('/')[0]}{chained}{inside}"

    @property
    def identity(self) -> str:
        """The name by which a run knows it again.

        Without the signature of a signed URL, which is a secret, and without slashes at the end of that of a folder.
        """
        if self.kind == "list" and self.name.startswith(("http://", "https://")):
            return self.name.partition("?")[0]
        if self.kind == "folder" and is_url(self.name) and not split_chain(self.name)[1]:
            scheme, mark, path = self.name.partition("://")
            return f"{scheme}{mark}{path.rstrip('/') or path}"
        return self.name


def find_source(text: str, *, column: str | None = None) -> Source:
    """What the words of the command line mean; a list is a table where a column is named or its name ends in `.csv`.

    Raises:
        BatchError: there is nothing of that name, it is an image, a pipe, a web page or an archive, or cannot be read.
    """
    if not text:
        raise BatchError(f"The name of the source is empty. {NEEDED}.")
    name = text if is_url(text) else _absolute(text)
    kind = _kind(text, name)
    if kind != "list":
        return Source(name, kind)
    if is_image(Path(name).name):
        advice = "" if is_url(text) else f": dermalens predict {text}"
        raise BatchError(f"{text} is one image{advice}. {NEEDED}.")
    return Source(name, "list", column or (COLUMN if _ending(name) == "csv" else None), _sha256(text, name))


def images_of(source: Source) -> Iterator[str]:
    """The keys of its images, in any order, some perhaps twice.

    Raises:
        BatchError: the storage or the list cannot be read, or the list has no such column.
    """
    with _reading(source.name):
        if source.kind == "list":
            yield from _listed(source)
        elif is_url(source.name):
            yield from _in_bucket(source)
        else:
            root, parts = cut(source.name, os.sep) if source.kind == "glob" else (source.name, EVERYTHING)
            closed: list[str] = []
            yield from matching(root, parts, scanned, closed)
            yield from closed  # each a row with its error


def no_images(source: Source) -> BatchError:
    """The error for a source without images."""
    what = "names no image" if source.kind == "list" else f"has no images ({' '.join(IMAGE_SUFFIXES)})"
    return BatchError(f"{source.name} {what}. {NEEDED}.")


def _absolute(text: str) -> str:
    """The absolute path; in that of a glob the wildcards in the name of the folder that one is in are none."""
    if glob.has_magic(text) and not os.path.exists(text):  # noqa: PTH110  (no error for a name that is too long)
        text = os.path.join(glob.escape(os.getcwd()), text)  # noqa: PTH109, PTH118  (keeps undecodable bytes)
    return os.path.abspath(text)  # noqa: PTH100


def _kind(text: str, name: str) -> Literal["folder", "glob", "list"]:
    if is_url(name):
        filesystem, path = open_filesystem(name)
        with _reading(name):
            if glob.has_magic(path) and not filesystem.exists(path):
                return "glob"
            return "list" if filesystem.isfile(path) else "folder"
    if os.path.isdir(name):  # noqa: PTH112  (no error for a name that is too long)
        return "folder"
    if os.path.exists(name):  # noqa: PTH110
        return "list"
    if glob.has_magic(name):
        return "glob"
    raise BatchError(f"{text} does not exist. {NEEDED}.")


def _sha256(text: str, name: str) -> str:
    """Of a list.

    Raises:
        BatchError: it is a pipe, a web page or an archive, or cannot be read.
    """
    if not is_url(name) and not os.path.isfile(name):  # noqa: PTH113  (as above)
        raise BatchError(f"{text} is no file; a list is read more than once. Save it as a file and name that.")
    sha256 = hashlib.sha256()
    with _reading(name), _opened(name, "rb") as stream:
        blocks = iter(partial(stream.read, BLOCK_BYTES), b"")
        first = next(blocks, b"")
        if first.lstrip().lower().startswith(WEB_PAGE):
            raise BatchError(f"{text} is a web page, no list of paths. {NEEDED}.")
        for scheme, (start, mark) in ARCHIVES.items():
            if first[start:].startswith(mark):
                raise BatchError(f"{text} is an archive, no list of paths. Name what is in it: {scheme}://::{name}")
        for block in chain([first], blocks):
            sha256.update(block)
    return sha256.hexdigest()


def _in_bucket(source: Source) -> Iterator[str]:
    """Listed folder by folder; a listing is not kept, as that of ten million objects would fill the memory."""
    from fsspec.implementations.local import LocalFileSystem

    filesystem, path = open_filesystem(source.name)
    if (kept := getattr(filesystem, "dircache", None)) is not None:
        kept.use_listings_cache = False
    to_url = url_maker(source.name)
    root, parts = cut(path) if source.kind == "glob" else (path, EVERYTHING)

    def entries(folder: str) -> Iterator[Entry]:
        is_root = folder == root
        gone = () if is_root else (FileNotFoundError,)  # meanwhile, or a folder that was never more than its mark
        with _reading(source.name if is_root else to_url(folder)), suppress(*gone):
            yield from scanned(folder) if isinstance(filesystem, LocalFileSystem) else _objects(filesystem, folder)

    yield from map(to_url, matching(root, parts, entries))


def _objects(filesystem: Any, folder: str) -> Iterator[Entry]:
    for info in filesystem.ls(folder, detail=True):
        path = info["name"].rstrip("/")
        if path != folder.rstrip("/"):  # the object that marks an empty folder
            yield Entry(path, path.rpartition("/")[2], info["type"] == "directory")


def _listed(source: Source) -> Iterator[str]:
    with _opened(source.name, "r", encoding="utf-8-sig", newline="") as stream:
        if source.column is None:
            yield from (line.strip() for line in _lines(stream, source.name) if line.strip())
            return
        delimiter = "\t" if _ending(source.name) == "tsv" else ","
        rows = csv.DictReader(stream, delimiter=delimiter, strict=True)  # or an open quote swallows all rows after it
        if source.column not in (rows.fieldnames or ()):
            raise _no_column(source, rows.fieldnames or (), delimiter)
        yield from (name for row in rows if (name := row[source.column] or "").strip())


def _lines(stream: IO[str], name: str) -> Iterator[str]:
    for number, line in enumerate(iter(partial(stream.readline, LONGEST_LINE + 2), ""), start=1):
        if len(line.rstrip("\r\n")) > LONGEST_LINE:
            raise BatchError(
                f"{name} is no list of paths: line {number:,} has more than {LONGEST_LINE:,} characters. {NEEDED}."
            )
        yield line


def _no_column(source: Source, names: Sequence[str], delimiter: str) -> BatchError:
    known = ", ".join(f'"{name}"' for name in names) or "none"
    other = len(names) == 1 and delimiter == "," and (";" in names[0] or "\t" in names[0])
    advice = (
        "Columns are separated by commas (in a list that ends in .tsv by tabs): save it so"
        if other
        else ("Name the one with the paths: --list-column")
    )
    return BatchError(f'{source.name} has no column "{source.column}"; it has {known}. {advice}.')


def _ending(name: str) -> str:
    """Of the name of a file, or of a URL without what is chained to it or asked of it.

    >>> _ending("/data/List.CSV"), _ending("https://host/list.tsv?signature=a.b")
    ('csv', 'tsv')
    """
    path = re.split(r"[?#]", split_chain(name)[0])[0] if is_url(name) else name
    return path.rpartition(".")[2].lower()


@contextmanager
def _opened(name: str, mode: str, **options: str) -> Iterator[IO[Any]]:
    if not is_url(name):
        with Path(name).open(mode, **options) as stream:  # type: ignore[call-overload]
            yield stream
        return
    filesystem, path = open_filesystem(name)  # held while its file is open: an archive closes with it
    with filesystem.open(path, mode, **options) as stream:
        yield stream


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Around all that touches a source.

    Raises:
        BatchError: it cannot be read; the message is one line.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise BatchError(f"{name} does not exist. {NEEDED}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise BatchError(f"{name} is no list of paths in UTF-8 ({reason_of(error)}). {NEEDED}.") from error
    except storage_failures() as error:
        raise BatchError(f"{name} cannot be read: {reason_of(error)}. Check its name and your access to it.") from error
