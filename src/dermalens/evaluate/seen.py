"""Whether a bundle may have learned from the images that it is judged on, as far as the bundle can tell.

A bundle names its split by hash and its data sets by name; it holds no list of lesions. So three cases can be told
apart: its own split, where the part says it; other images of a data set that it learned from, which may be the very
ones; and images of other sources, which are new to it if their index names the source rightly.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dermalens.core.bundle import Manifest, held_out_fold
from dermalens.core.errors import DataError, name_some
from dermalens.data.index import Row, read_index
from dermalens.data.split import split_sha256
from dermalens.evaluate.report_names import as_given

_CURIOUS = (
    "Figures on images that a model has learned from say nothing of new ones; --allow-seen shows them all the same."
)

_USED_FOR = {
    "train": "the bundle learned from them",
    "val": "its best epoch, calibration and thresholds were chosen on them",
    "all": "the bundle learned from most of them",
}

_USED_WITH_FOLD = "it learned from all of them but its fold, on which its best epoch and thresholds were chosen"

_ISIC_NUMBER = re.compile(r"ISIC_(\d{7})")
_OF_HAM10000 = range(24306, 34321)
"""The numbers of its images, which other releases of ISIC have under the same ids."""


def check_unseen(
    manifest: Manifest, index: Path, rows: Sequence[Row], *, part: str = "test", allow_seen: bool = False
) -> str:
    """What is known of the images: a sentence for the report.

    Raises:
        DataError: the bundle learned from them, or from other images of their data set and they may be the same;
            not with `allow_seen`.
    """
    is_seen, known = _known(manifest, index, rows, part)
    if is_seen and not allow_seen:
        learned = [row for row in rows if row.part != "test"] or rows  # another split's test part may be seen as well
        lesions = name_some(list(dict.fromkeys(row.lesion_id for row in learned)))
        raise DataError(f"{known} Lesions: {lesions}. {_CURIOUS}")
    return f"{known} The figures say nothing of new images (--allow-seen)." if is_seen else known


def _known(manifest: Manifest, index: Path, rows: Sequence[Row], part: str) -> tuple[bool, str]:
    """Whether the images count as seen, and why."""
    own = manifest.provenance.split_sha256
    if split_sha256(read_index(index)) == own:
        if part == "test":
            return False, "The test part of the split that the bundle was trained on (same hash)."
        use = _USED_FOR[part] if held_out_fold(manifest) is None else _USED_WITH_FOLD
        return True, f"These {len(rows)} images are the part {part} of the bundle's own split: {use}."
    learned = _learned_from(manifest, rows)
    if learned:
        return True, (
            f"{sum(learned.values())} of {len(rows)} images are of data that the bundle learned from "
            f"({name_some(sorted(learned))}), and {as_given(Path(index.name))} is not its split ({own[:12]}): which of "
            "them it has seen cannot be told. Its own split with --part test holds images that it has not."
        )
    return False, (
        "Not the split that the bundle was trained on. No image names a data set that it learned from; a bundle holds "
        "no list of lesions, so that more cannot be checked."
    )


def _learned_from(manifest: Manifest, rows: Sequence[Row]) -> Counter[str]:
    """Images of each data set that is among the data of the bundle, whose lines begin with the name of the set."""
    names = {line.partition(":")[0] for line in manifest.provenance.data}
    if "ISIC2018" in names:
        names.add("HAM10000")
    return Counter(name for name in map(_data_set, rows) if name in names)


def _data_set(row: Row) -> str:
    """Where an image comes from: HAM10000 by its number, whatever its index calls the source."""
    number = _ISIC_NUMBER.match(row.image_id)
    return "HAM10000" if number and int(number[1]) in _OF_HAM10000 else row.source
