"""A bundle on disk: read with every hash checked, written all at once or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from dermalens.core.bundle import FORMAT_VERSION, MANIFEST_NAME, GraphFile, Manifest
from dermalens.core.errors import BundleError, name_some
from dermalens.core.files import sync_folder, write_whole
from dermalens.core.onnxfile import external_data


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle folder holds, after every check; nothing is read from the folder later."""

    manifest: Manifest
    graphs: Mapping[str, bytes] = field(repr=False)
    """ONNX files by name, each with the SHA-256 that the manifest gives."""
    sha256: str
    """SHA-256 of the bytes of bundle.json; as that names the hash of every graph, it stands for the whole bundle."""


def read_bundle(folder: Path) -> Bundle:
    """Read and check a bundle.

    Raises:
        BundleError: not a bundle, newer than this code, damaged, or with parts outside its folder.
    """
    if not folder.is_dir():
        given = "is a file" if folder.exists() else "does not exist"
        raise BundleError(f"{folder} {given}; needed is a bundle folder with {MANIFEST_NAME} and its ONNX graphs.")
    content = _read(folder, MANIFEST_NAME)
    manifest = parse_manifest(content, where=folder / MANIFEST_NAME)
    graphs = {part.file: _graph(folder, part) for part in manifest.graph_files}
    return Bundle(manifest, MappingProxyType(graphs), hashlib.sha256(content).hexdigest())


def parse_manifest(content: bytes, *, where: Path) -> Manifest:
    """The manifest in the bytes of a bundle.json.

    Raises:
        BundleError: not JSON, a newer format, or keys and values that are not a manifest (names up to five).
    """
    try:
        version = json.loads(content)["format_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        what = "has no format_version" if isinstance(error, KeyError) else f"is not a JSON object ({error})"
        raise BundleError(f"{where} {what}. Export the bundle again: dermalens export RUN") from error
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise BundleError(
            f"{where} was made by a newer DermaLens: format {version} given, {FORMAT_VERSION} known; "
            "upgrade: pip install -U dermalens"
        )
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise BundleError(f"{where}: {_problems(error)}. Export the bundle again: dermalens export RUN") from error


def _problems(error: ValidationError) -> str:
    return "; ".join(
        _problem(".".join(map(str, item["loc"])), item["type"], item["msg"]) for item in error.errors()[:5]
    )


def _problem(path: str, kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return f"unknown key {path}"
    if kind == "missing":
        return f"missing key {path}"
    return f"{path}: {message}" if path else message.removeprefix("Value error, ")


def _read(folder: Path, name: str) -> bytes:
    """The bytes of one file of the bundle, which must lie in its folder after all links are followed."""
    path = folder / name
    if not path.is_file():
        raise BundleError(f"{folder} has no {name}; needed is a complete bundle. Copy or export it again.")
    if path.resolve().parent != folder.resolve():
        raise BundleError(f"{path} is a link to {path.resolve()}, outside the bundle; copy the file into the folder.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}.") from error


def _graph(folder: Path, part: GraphFile) -> bytes:
    content = _read(folder, part.file)
    _check_graph(content, part, where=str(folder / part.file))
    return content


def _check_graph(content: bytes, part: GraphFile, *, where: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != part.sha256:
        raise BundleError(
            f"{where} is not the file that the bundle was made with: SHA-256 {found} found, {part.sha256} needed. "
            "Copy or export the bundle again."
        )
    try:
        outside = external_data(content)
    except BundleError as error:
        raise BundleError(f"{where} is {error}. Export the bundle again: dermalens export RUN") from error
    if outside:
        paths = name_some(path or "(no path)" for path in outside)
        raise BundleError(f"{where} wants data from other files, which is refused: {paths}. Save it as one ONNX file.")


def write_bundle(folder: Path, manifest: Manifest, graphs: Mapping[str, bytes]) -> Bundle:
    """Write a bundle: into a temporary folder beside `folder`, synced to disk, then renamed.

    An existing bundle at `folder` is replaced: it is moved aside first and deleted last, so that a crash between
    the two renames leaves both complete, under hidden names beside `folder`. What is written has the newest format,
    also where `manifest` came from an older bundle.

    Raises:
        BundleError: graphs that are not those of the manifest, a folder that holds anything but a bundle, or a disk
            that is full or read-only.
    """
    _check_complete(manifest, graphs)
    check_replaceable(folder)
    manifest = manifest.model_copy(update={"format_version": FORMAT_VERSION})
    content = (manifest.model_dump_json(indent=2) + "\n").encode()
    try:
        _write_atomically(folder.absolute(), {MANIFEST_NAME: content, **graphs})
    except OSError as error:
        raise BundleError(f"The bundle cannot be written to {folder}: {error.strerror or error}.") from error
    return Bundle(manifest, MappingProxyType(dict(graphs)), hashlib.sha256(content).hexdigest())


def _check_complete(manifest: Manifest, graphs: Mapping[str, bytes]) -> None:
    named = {part.file for part in manifest.graph_files}
    if named != set(graphs):
        raise BundleError(f"The manifest names {name_some(sorted(named))}; given are {name_some(sorted(graphs))}.")
    for part in manifest.graph_files:
        _check_graph(graphs[part.file], part, where=part.file)


def check_replaceable(folder: Path) -> None:
    """Only a missing folder, an empty one or a bundle may be replaced; nobody's notes are deleted.

    Raises:
        BundleError: the folder holds anything else; said before hours of work as well as before the writing.
    """
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise BundleError(f"{folder} is not a folder; name one that does not exist yet, or a bundle to replace.")
    names = sorted(entry.name for entry in folder.iterdir())
    is_bundle = MANIFEST_NAME in names
    foreign = [name for name in names if not (is_bundle and (name == MANIFEST_NAME or name.endswith(".onnx")))]
    if foreign:
        raise BundleError(f"{folder} holds what no bundle does: {name_some(foreign)}. Name another folder.")


def _write_atomically(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    new, old = temporary / "new", temporary / "old"
    try:
        new.mkdir()
        for name, content in files.items():
            write_whole(new / name, content)
        sync_folder(new)
        _swap(new, folder, old)
    finally:
        if folder.exists() or not old.exists():
            shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, folder: Path, old: Path) -> None:
    """Put `new` at `folder` and what was there at `old`; undone when the second rename fails."""
    replaces = folder.exists()
    if replaces:
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if replaces:
            old.rename(folder)
        raise
    sync_folder(folder.parent)
