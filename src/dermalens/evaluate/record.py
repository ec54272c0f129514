"""Figures written into a bundle: those of the test part of the very split that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dermalens.core.bundle import Measured
from dermalens.core.bundlefile import Bundle, write_bundle
from dermalens.core.errors import DataError
from dermalens.data.index import PARTS, Row
from dermalens.data.leaks import check_no_leak
from dermalens.data.split import Split, read_rows, read_split


def rows_of(index: Path, part: str) -> list[Row]:
    """The rows of one part of a split, or all of an index.

    Raises:
        DataError: an unknown part, one without images, or a lesion on two sides.
    """
    if part not in (*PARTS, "all"):
        raise DataError(f"--part {part} is unknown; choose {', '.join(PARTS)} or all.")
    if part == "all":
        rows = read_rows(index)
        check_no_leak(rows)  # `read_split` does so itself
    else:
        rows = read_split(index).part(part)
    if not rows:
        raise DataError(f"{index} has no images in the part {part}.")
    return rows


def record_figures(folder: Path, bundle: Bundle, figures: Mapping[str, Measured], split: Path) -> Bundle:
    """Write the bundle anew with `figures`; it keeps its graphs, and its SHA-256 changes.

    Raises:
        DataError: as `read_own_split`.
    """
    read_own_split(bundle, split)
    return write_bundle(folder, bundle.manifest.model_copy(update={"metrics": dict(figures)}), bundle.graphs)


UNRECORDED: Final = "its test part may have been trained on, so the figures are not recorded."


def read_own_split(bundle: Bundle, split: Path, *, because: str = UNRECORDED) -> Split:
    """Read the split of the bundle; another one is refused.

    Raises:
        DataError: `split` is not the split that the bundle was trained on; `because` says what follows from that.
    """
    found = read_split(split)
    needed, given = bundle.manifest.provenance.split_sha256, found.sha256
    if needed != given:
        raise DataError(
            f"{split} is not the split that the bundle was trained on ({given[:12]} given, {needed[:12]} needed): "
            f"{because}"
        )
    return found
