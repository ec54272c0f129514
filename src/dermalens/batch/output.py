"""Where the shards go: a folder here, or one in a bucket. A file appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from dermalens.batch.errors import BatchError
from dermalens.batch.storage import is_url, open_filesystem, reason_of, storage_failures
from dermalens.core.files import has_locks, is_held_by_another, write_whole

LOCK: Final = "run.lock"
PUT_IS_ATOMIC: Final = frozenset("s3 s3a gs gcs abfs abfss az adl oci oss memory".split())
"""Object stores: an object is there once it is complete. Elsewhere a file is renamed when it is."""


class Output(Protocol):
    """A folder with files by name; names may have one `/`."""

    @property
    def name(self) -> str:
        """As it was given."""

    def names(self, folder: str = "") -> set[str]:
        """The files and folders directly in it or in a folder of it; none where that does not exist."""

    def read(self, name: str) -> bytes:
        """A file."""

    def write(self, name: str, content: bytes) -> None:
        """A file, whole or not at all.

        Raises:
            BatchError: the disk is full, or nothing may be written there.
        """

    def remove(self, name: str) -> None:
        """A file that is there.

        Raises:
            BatchError: nothing may be removed there.
        """


def open_output(text: str) -> Output:
    """The output that is meant; nothing is made yet.

    Raises:
        BatchError: it is empty or a file, or its storage is unknown.
    """
    if not text:
        raise BatchError("The name of the output is empty; name a folder for the shards.")
    if text.startswith(("file://", "local://")):
        text = open_filesystem(text)[1]
    if is_url(text):
        filesystem, path = open_filesystem(text)
        with _using(text, "opened"):
            if filesystem.isfile(path):
                raise BatchError(f"{text} is a file; name a folder for the shards.")
        return BucketFolder(text, filesystem, path.rstrip("/"))
    if os.path.lexists(text) and not Path(text).is_dir():
        raise BatchError(f"{text} is a file; name a folder for the shards.")
    return LocalFolder(text)


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder on this machine."""

    name: str

    def names(self, folder: str = "") -> set[str]:
        with _using(self.name, "read"):
            place = Path(self.name, folder)
            return {entry.name for entry in os.scandir(place)} if place.is_dir() else set()

    def read(self, name: str) -> bytes:
        with _using(f"{self.name}/{name}", "read"):
            return Path(self.name, name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        with _using(f"{self.name}/{name}", "written"):
            file = Path(self.name, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, content)

    def remove(self, name: str) -> None:
        with _using(f"{self.name}/{name}", "removed"):
            Path(self.name, name).unlink()

    def append(self, name: str, content: bytes) -> None:
        """Add to a file; for what may be lost with the power.

        Raises:
            BatchError: the disk is full, or nothing may be written there.
        """
        with _using(f"{self.name}/{name}", "written"), Path(self.name, name).open("ab") as stream:
            stream.write(content)


@dataclass(frozen=True, slots=True)
class BucketFolder:
    """A folder in any storage of fsspec."""

    name: str
    filesystem: Any
    path: str

    def names(self, folder: str = "") -> set[str]:
        place = f"{self.path}/{folder}".rstrip("/")
        with _using(self.name, "read"):
            try:
                self.filesystem.invalidate_cache(place)
                found = [str(one).strip("/") for one in self.filesystem.ls(place, detail=False)]
            except FileNotFoundError:
                return set()
            own = place.strip("/")  # the empty object that a console marks a folder with
            return {one.rpartition("/")[2] for one in found if one != own}

    def read(self, name: str) -> bytes:
        with _using(f"{self.name}/{name}", "read"):
            return bytes(self.filesystem.cat_file(f"{self.path}/{name}"))

    def write(self, name: str, content: bytes) -> None:
        target = f"{self.path}/{name}"
        with _using(f"{self.name}/{name}", "written"):
            if self.name.partition("://")[0] in PUT_IS_ATOMIC:
                self.filesystem.pipe_file(target, content)  # no makedirs, which would make a bucket of a mistyped name
                return
            self.filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
            self.filesystem.pipe_file(f"{target}.tmp", content)
            if self.filesystem.exists(target):  # a list or the timings; some storage renames to no name that is taken
                self.filesystem.rm_file(target)
            self.filesystem.mv(f"{target}.tmp", target)

    def remove(self, name: str) -> None:
        with _using(f"{self.name}/{name}", "removed"):
            self.filesystem.rm_file(f"{self.path}/{name}")


@contextmanager
def held(output: Output) -> Iterator[None]:
    """Keeps a second run out of a folder on this machine, where two would write the same temporary files.

    Windows and some network storage have no such lock; there nothing is held.

    Raises:
        BatchError: another run is at work there.
    """
    if not has_locks() or not isinstance(output, LocalFolder):
        yield
        return
    folder, before = Path(output.name), output.names()
    with _using(f"{output.name}/{LOCK}", "written"):
        made = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    if is_held_by_another(handle):
        os.close(handle)
        raise BatchError(f"Another run writes to {output.name}; wait for it or name another folder.")
    try:
        yield
    finally:
        if output.names() - before == {LOCK}:  # the run could not begin: leave nothing
            (folder / LOCK).unlink()
            with suppress(OSError):  # another program has put something there meanwhile
                for place in made:
                    place.rmdir()
        os.close(handle)


@contextmanager
def _using(what: str, verb: str) -> Iterator[None]:
    try:
        yield
    except storage_failures() as error:
        after = " What is finished stays; the same command goes on from there." if verb == "written" else ""
        raise BatchError(f"{what} cannot be {verb}: {reason_of(error)}.{after}") from error
