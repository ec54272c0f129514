"""A compact copy of a data set: images reduced once, for fast training and for carrying to another machine."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from PIL import Image

from dermalens.core.errors import NO_ROOM, DataError, ImageError, name_some
from dermalens.core.files import claimed, write_whole
from dermalens.core.header import open_header
from dermalens.core.image import open_upright, read_file
from dermalens.data.check import Advance, nobody_watches
from dermalens.data.files import is_file, plain_name
from dermalens.data.index import MADE_TABLE, Row, note_file, write_index
from dermalens.data.leaks import check_no_leak
from dermalens.data.parallel import in_threads

SETTINGS_NAME: Final = "copy_settings.json"


@dataclass(frozen=True, slots=True)
class Reduction:
    """How the images are reduced; raises DataError for a side or a quality that makes no sense."""

    side_pixels: int = 256
    """Of the shorter side, at most."""
    quality: int = 90
    """Of the JPEG."""

    def __post_init__(self) -> None:
        if not 32 <= self.side_pixels <= 4096 or not 1 <= self.quality <= 100:
            raise DataError(
                f"Side {self.side_pixels} and quality {self.quality} given; needed are a side of 32 to 4096 pixels "
                "and a quality of 1 to 100."
            )


@dataclass(frozen=True, slots=True)
class Copy:
    """A finished copy: its index, how many images it has, how many of them were there before, and their bytes."""

    index: Path
    images: int
    already_there: int
    n_bytes: int


def copy_reduced(
    rows: Sequence[Row], index: Path, folder: Path, *, reduction: Reduction, advance: Advance = nobody_watches
) -> Copy:
    """Write the reduced images of `rows`, which were read from `index`, and their index.

    The copy's index has the name of `index` and all its columns, so that it takes the place of the original in a
    recipe; the note of a split and `made.csv` are copied with it. An interrupted copy goes on where it was. All
    that goes into one folder has one `reduction`.

    Raises:
        DataError: no rows, a lesion on two sides, another reduction than the folder has, images that cannot be read,
            a full disk, or a folder that cannot be written to or that another command writes to.
    """
    if not rows:
        raise DataError(f"{index} has no images to copy.")
    check_no_leak(rows)
    if (folder / index.name).resolve() == index.resolve():
        raise DataError(f"The copy would replace {index}. Choose another folder with --out.")
    targets = [folder / "images" / _file_name(row) for row in rows]
    _refuse_same_name(rows, targets)
    try:
        with _held(folder):
            _settle(folder, reduction)
            for place in {target.parent for target in targets}:
                place.mkdir(parents=True, exist_ok=True)
            already = _write_all(rows, targets, reduction=reduction, advance=advance)
            target = folder / index.name
            write_index((replace(row, path=str(file)) for row, file in zip(rows, targets, strict=True)), target)
            for beside, name in ((note_file(index), f"{index.stem}.json"), (index.with_name(MADE_TABLE), MADE_TABLE)):
                if beside.is_file():
                    write_whole(folder / name, beside.read_bytes())
    except OSError as error:
        is_full = error.errno in NO_ROOM
        cure = "Make room, then run the same again." if is_full else "Choose another folder with --out."
        raise DataError(f"Cannot write to {folder}: {error.strerror}. {cure}") from error
    return Copy(target, len(rows), already, sum(file.stat().st_size for file in targets))


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The folder, which is made, for this command alone: two would write the same temporary files."""
    folder.mkdir(parents=True, exist_ok=True)
    with claimed(folder) as is_ours:
        if not is_ours:
            raise DataError(f"{folder} is being written by another command. Wait for it or choose another --out.")
        yield


def _settle(folder: Path, reduction: Reduction) -> None:
    """Note the reduction of a new folder, or refuse to mix two in one."""
    asked = json.dumps(asdict(reduction)) + "\n"
    settings = folder / SETTINGS_NAME
    if settings.is_file() and settings.read_text(encoding="utf-8") != asked:
        there = settings.read_text(encoding="utf-8").strip()
        raise DataError(
            f"{folder} has a copy with {there}; asked is {asked.strip()}. Choose another folder with --out."
        )
    write_whole(settings, asked.encode())


def _file_name(row: Row) -> Path:
    """Named by its origin too: two data sets may call their source and their images alike."""
    origin = hashlib.sha256(os.fsencode(row.path)).hexdigest()[:8]
    return Path(plain_name(row.source or "images"), f"{plain_name(row.image_id)}-{origin}.jpg")


def _refuse_same_name(rows: Sequence[Row], targets: Sequence[Path]) -> None:
    seen: set[str] = set()
    again = [row.image_id for row, file in zip(rows, targets, strict=True) if _seen(str(file).lower(), seen)]
    if again:
        raise DataError(f"{len(again)} image id(s) stand more than once: {name_some(again)}. Keep one row of each.")


def _seen(name: str, seen: set[str]) -> bool:
    before = name in seen
    seen.add(name)
    return before


def _write_all(rows: Sequence[Row], targets: Sequence[Path], *, reduction: Reduction, advance: Advance) -> int:
    """Write what is not there yet; returns how many files were."""

    def write(pair: tuple[Row, Path]) -> str | None:
        row, target = pair
        try:
            _write(Path(row.path), target, reduction)
        except ImageError as error:
            return f"{row.image_id} ({str(error).partition(';')[0]})"
        return None

    missing = [pair for pair in zip(rows, targets, strict=True) if not _is_there(Path(pair[0].path), pair[1])]
    already = len(rows) - len(missing)
    advance(already)
    failed = [problem for problem in in_threads(write, missing, advance) if problem]
    if failed:
        raise DataError(f"{len(failed)} image(s) cannot be copied: {name_some(failed)}. Mend or leave out these rows.")
    return already


def _is_there(source: Path, target: Path) -> bool:
    """A file without content is what a power cut leaves; one of another time is of an original that was changed."""
    if not is_file(target) or not is_file(source):
        return False
    found = target.stat()
    return found.st_size > 0 and int(found.st_mtime) == int(source.stat().st_mtime)


def _write(source: Path, target: Path, reduction: Reduction) -> None:
    """A copy has the time of its original, as far as the file system keeps it."""
    write_whole(target, reduced_bytes(read_file(source), reduction))
    os.utime(target, (source.stat().st_atime, int(source.stat().st_mtime)))


def reduced_bytes(data: bytes, reduction: Reduction) -> bytes:
    """An image file as a JPEG, upright, in sRGB; never enlarged, and never larger and worse than what was given.

    Raises:
        ImageError: `data` is not a picture within the limits.
    """
    picture = open_upright(data, wanted_side_pixels=reduction.side_pixels)
    factor = reduction.side_pixels / min(picture.size)
    if factor < 1:
        size = (round(picture.width * factor), round(picture.height * factor))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=reduction.quality, optimize=True)
    encoded = buffer.getvalue()
    return data if len(data) <= len(encoded) and _fits(data, reduction.side_pixels) else encoded


def _fits(data: bytes, side: int) -> bool:
    """Whether the file may stay as it is: a small sRGB JPEG without EXIF, which could turn it or name a patient."""
    header = open_header(data)
    is_plain = header.format == "JPEG" and header.mode == "RGB" and "icc_profile" not in header.info
    return is_plain and min(header.size) <= side and not header.getexif()
