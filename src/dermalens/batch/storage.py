"""Files here and in buckets: one line for what fsspec and its storage packages have to say."""

from __future__ import annotations

import os
import sys
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from dermalens.batch.errors import BatchError
from dermalens.core.errors import ImageError
from dermalens.core.files import is_pipe
from dermalens.core.header import MAX_BYTES, check_bytes
from dermalens.core.image import read_file
from dermalens.predict.sources import refuse_folder

_FOREIGN_FAILURES: Final = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("gcsfs.retry", "HttpError"),
    ("azure.core.exceptions", "AzureError"),
    ("aiohttp", "ClientError"),
    ("paramiko", "SSHException"),
)
"""Errors of the storage packages that are no OSError, such as missing credentials; by module and name."""

_DAMAGED: Final = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError)
"""What an archive raises that is cut off, damaged or packed in an unknown way."""

ARCHIVES: Final = {"zip": (0, b"PK\x03\x04"), "tar": (257, b"ustar")}
"""fsspec's scheme for an archive, which it wants behind two colons, and what stands where in it."""

STORAGE_ADVICE: Final = "Check the access to the storage."
"""What the error of an image ends with that the storage does not give; any other is due to its name or its bytes."""

_CHAINS: Final = frozenset("blockcache cached dir filecache libarchive reference simplecache tar zip".split())
"""Schemes of what lies in other storage, which their URLs name behind two colons; elsewhere `::` is part of a name."""

_ONE_AT_A_TIME: Final = threading.Lock()
"""An archive is opened once for all its images, and read by one thread at a time."""


def is_url(text: str) -> bool:
    """Whether it is for fsspec.

    >>> is_url("s3://bucket/a.jpg"), is_url("images/a.jpg")
    (True, False)
    """
    return "://" in text


def split_chain(url: str) -> tuple[str, str, str]:
    """What is before the two colons of a chain, these, and the storage behind them; all of what is no chain.

    >>> split_chain("zip://in::s3://b/a.zip"), split_chain("s3://b/left::right.jpg")
    (('zip://in', '::', 's3://b/a.zip'), ('s3://b/left::right.jpg', '', ''))
    """
    head, chained, inside = url.partition("::")
    scheme, mark, _ = head.partition("://")
    return (head, chained, inside) if not mark or scheme in _CHAINS else (url, "", "")


def storage_failures() -> tuple[type[BaseException], ...]:
    """What a file system raises when it cannot do something; of the packages that are loaded, none is imported."""
    return (OSError, ValueError, *_DAMAGED, *_foreign_failures())


def _foreign_failures() -> tuple[type[BaseException], ...]:
    loaded = [getattr(sys.modules.get(module), name, None) for module, name in _FOREIGN_FAILURES]
    return tuple(kind for kind in loaded if kind is not None)


def _reading_failures() -> tuple[type[BaseException], ...]:
    return (RuntimeError, *storage_failures())  # the first of an archive with a password


def reason_of(error: BaseException) -> str:
    """What went wrong, in one line of at most 300 characters."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(said).split())[:300].rstrip(".")


def open_filesystem(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it.

    Raises:
        BatchError: an unknown scheme, a storage package that is not installed, or storage that cannot be had.
    """
    scheme = url.partition("://")[0]
    try:
        filesystem, path = _resolved(url)
    except ImportError as error:
        package = getattr(error.__cause__ or error, "name", None) or "its storage package"
        raise BatchError(f"{scheme}:// needs a package that is not installed: pip install {package}") from error
    except storage_failures() as error:
        if "Protocol not known" in str(error):
            raise BatchError(
                f"{scheme}:// is no storage that fsspec knows ({url}); known are file://, s3://, gs:// and others."
            ) from error
        if scheme in ARCHIVES and "::" not in url:
            archive = url.partition("://")[2]
            raise BatchError(f"{url} names no archive. Name what is in it: {scheme}://::{archive}") from error
        raise BatchError(f"{url} cannot be opened: {reason_of(error)}.") from error
    except (AttributeError, TypeError) as error:  # fsspec leaves out what it was not given
        raise BatchError(
            f"{url} cannot be opened: {scheme}:// needs more than this URL says ({reason_of(error)})."
        ) from error
    return filesystem, str(path)


def _resolved(url: str) -> tuple[Any, Any]:
    """As fsspec does it, which takes every `::` for a chain."""
    from fsspec import get_filesystem_class
    from fsspec.core import url_to_fs

    if "::" not in url or split_chain(url)[1]:
        filesystem, path = url_to_fs(url)
        return filesystem, path
    kind = get_filesystem_class(url.partition("://")[0])
    return kind(**kind._get_kwargs_from_urls(url)), kind._strip_protocol(url)


def url_maker(url: str) -> Callable[[str], str]:
    """What makes URLs of the paths at or below that of this URL.

    Raises:
        BatchError: none could be read again: the storage has more to it than a path.
    """
    filesystem, root = open_filesystem(url)
    head, chained, inside = split_chain(url)
    before = head.rstrip("/").removesuffix(root.rstrip("/")) if root.strip("/") else head
    below = f"{root.rstrip('/')}/a.jpg" if root else "a.jpg"
    for make in (filesystem.unstrip_protocol, lambda path: f"{before}{path}{chained}{inside}"):
        if _leads_to(make(below), filesystem, below):
            return make
    raise BatchError(f"{url} can be listed, but its images have no URLs of their own. Give a list of URLs.")


def _leads_to(url: str, filesystem: Any, path: str) -> bool:
    try:
        found, its_path = open_filesystem(url)
    except BatchError:
        return False
    return bool(found == filesystem) and its_path.lstrip("/") == path.lstrip("/")


def located(key: str, base: str) -> str:
    """Where an image lies: relative names of a list belong to the folder of the list.

    >>> located("a.jpg", "s3://bucket/lists"), located("/data/a.jpg", "/lists")
    ('s3://bucket/lists/a.jpg', '/data/a.jpg')
    >>> located("a.jpg", "zip://lists::s3://bucket/a.zip"), located("a.jpg", "memory://")
    ('zip://lists/a.jpg::s3://bucket/a.zip', 'memory://a.jpg')
    >>> located("/data/a.jpg", "file:///lists"), located("/mnt/a.jpg", "s3://bucket/lists")
    ('/data/a.jpg', '/mnt/a.jpg')
    """
    if is_url(key) or not base or os.path.isabs(key):  # noqa: PTH117  (as below)
        return key
    if not is_url(base):
        return os.path.join(base, key)  # noqa: PTH118  (bytes that are no UTF-8 stay)
    folder, chained, inside = split_chain(base)
    return f"{folder}{'' if folder.endswith('/') else '/'}{key}{chained}{inside}"


def read_image(key: str, base: str = "") -> bytes:
    """The bytes of an image, here or in a bucket; one above the limit of 64 MiB is refused.

    Raises:
        ImageError: it is missing, cannot be read, or is too large.
    """
    place = located(key, base)
    if not is_url(place):
        refuse_folder(place)
        _refuse_pipe(place)
        return read_file(Path(place))
    try:
        data = _read_url(place)
    except BatchError as error:
        said = f"{str(error).rstrip('.')}. {STORAGE_ADVICE}" if _is_storage_at_fault(error.__cause__) else str(error)
        raise ImageError(said) from error
    except _reading_failures() as error:
        what = "there is none of this name" if isinstance(error, FileNotFoundError) else reason_of(error)
        advice = STORAGE_ADVICE if _is_storage_at_fault(error) else "Check its name and the access to the storage."
        raise ImageError(f"{key} cannot be read: {what}. {advice}") from error
    check_bytes(len(data))
    return data


def _is_storage_at_fault(error: BaseException | None) -> bool:
    """Whether there is no access, no connection or no package for it; a name or bytes may be at fault otherwise."""
    of_names = (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError)
    return isinstance(error, (OSError, ImportError, *_foreign_failures())) and not isinstance(error, of_names)


def _refuse_pipe(place: str) -> None:
    """Nobody may ever write to a pipe among the images; what is missing is for the one who opens it."""
    if is_pipe(place):
        raise ImageError(f"{place} is no regular file but a pipe, a socket or a device. Save the image as a file.")


def _read_url(url: str) -> bytes:
    from fsspec.implementations.local import LocalFileSystem

    scheme, _, rest = url.partition("://")
    inside, chained, archive = rest.partition("::")
    if scheme not in ARCHIVES or not chained:
        filesystem, path = open_filesystem(url)
        if isinstance(filesystem, LocalFileSystem):
            _refuse_pipe(path)
        return bytes(filesystem.cat_file(path, end=MAX_BYTES + 1))
    link, further, _ = archive.partition("::")
    if further and "://" not in link and link not in _CHAINS:
        raise BatchError(f"{url} has no URL of its own, as its name in the archive has two colons in it. Unpack it.")
    with _ONE_AT_A_TIME:
        return bytes(_archive(f"{scheme}://::{archive}").cat_file(inside, end=MAX_BYTES + 1))


@lru_cache(maxsize=4)
def _archive(url: str) -> Any:
    """An archive with the list of what is in it, which takes longer to read than an image."""
    return open_filesystem(url)[0]
