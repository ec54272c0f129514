"""The pictures behind a gate, kind by kind: what it is fitted on, and what it has never seen and is judged on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from dermalens.core.errors import DataError, ImageError, name_some
from dermalens.core.image import open_upright, read_file
from dermalens.core.spec import PreprocessSpec
from dermalens.data.index import Row
from dermalens.data.split import Split
from dermalens.export.not_lesions import (
    DRAWN,
    crop,
    drawn,
    greyed,
    in_colours_of,
    is_for_fitting,
    photographs,
)
from dermalens.export.not_lesions_skin import bare_skin
from dermalens.export.other_cameras import other_camera
from dermalens.transforms.preprocess import SquarePixels, preprocess
from dermalens.transforms.rows import read_square

Pictures = Iterator[SquarePixels]

UNSEEN: Final = frozenset({"eye_ground", "fabric", "food", "hand", "road_map", "ultrasound"})
"""Drawn kinds that the gate is never fitted on: how it does on them says how it does on what nobody thought of."""

HELD_OUT: Final = 100_000
"""First number of the drawings that judge; those below it are for fitting."""

EVERY_CAMERA: Final = 4
"""Each fourth lesion image is shown as another camera would."""

LESIONS: Final = "lesions"
"""The kind that is to be accepted."""
BARE_SKIN: Final = "bare_skin"
DRAWN_SEEN: Final = "drawn"
DRAWN_UNSEEN: Final = "drawn_unseen"
OWN_KINDS: Final = frozenset({LESIONS, BARE_SKIN, DRAWN_SEEN, DRAWN_UNSEEN})
"""Kinds that are no folder of photographs."""


@dataclass(frozen=True, slots=True)
class Counts:
    """At most so many pictures of each."""

    lesions: int = 2500
    extra: int = 1000
    drawings: int = 40
    """Of each kind."""
    skin: int = 1200
    """Images that skin is looked for in."""


@dataclass(frozen=True, slots=True)
class GateData:
    """Where the pictures come from."""

    split: Split
    photos: Path
    """A folder of folders of pictures that show no lesion, one a kind."""
    masks: Path
    """Outlines, `IMAGE_ID_segmentation.png`, of the split's images."""
    extra: tuple[Row, ...] = ()
    """Lesion images of other sources."""
    counts: Counts = Counts()
    fold: int | None = None
    """The fold that was held out of the training of the bundle; None for the val part."""

    def rows(self, part: str) -> Sequence[Row]:
        """Images of a part as the bundle knew them: `train` it has learned, `val` and `test` it has not."""
        if self.fold is None or part not in ("train", "val"):
            return self.split.part(part)
        judged = self.split.held_out(self.fold)
        if part == "val":
            return judged
        apart = {row.image_id for row in judged}
        return [row for row in (*self.split.part("train"), *self.split.part("val")) if row.image_id not in apart]


def lesions_for_fitting(data: GateData, spec: PreprocessSpec) -> Pictures:
    """Lesion images of the train part and of other sources, each fourth as another camera would show it."""
    rows = [*spread(data.rows("train"), data.counts.lesions), *spread(data.extra, data.counts.extra)]
    for number, row in enumerate(rows):
        square = read_square(row, spec)
        yield other_camera(square, number) if number % EVERY_CAMERA == 0 else square


def others_for_fitting(data: GateData, spec: PreprocessSpec) -> Pictures:
    """Drawings, photographs with what is made of them, and skin of the train part: none shows a lesion.

    Raises:
        DataError: a folder without pictures.
    """
    for kind in sorted(set(DRAWN) - UNSEEN):
        for number in range(data.counts.drawings):
            yield drawn(kind, number, spec.side_pixels)
    lesions = data.rows("train")
    for files in photo_kinds(data.photos).values():
        for number, file in enumerate(file for file in files if is_for_fitting(file.name)):
            yield from photo_and_derived(_opened(file, spec), lesions[number % len(lesions)], spec, seed=number)
    yield from skin_of(data.rows("train"), data, spec)


def photo_and_derived(picture: Image.Image, lesion: Row, spec: PreprocessSpec, *, seed: int) -> Pictures:
    """A photograph, a part of it, a grey or two-coloured one, and one in the colours of a lesion image."""
    random = np.random.default_rng(seed)
    yield preprocess(picture, spec)
    other = Image.fromarray(read_square(lesion, spec))
    for changed in (crop(picture, random), greyed(picture, random), in_colours_of(picture, other)):
        yield preprocess(changed, spec)


def held_out(data: GateData, spec: PreprocessSpec, *, part: str = "val") -> Mapping[str, Pictures]:
    """Pictures that no gate is fitted on, by kind: `lesions` and `bare_skin` of a part of the split, drawings of the
    kinds that were fitted (`drawn`) and of those that were not (`drawn_unseen`), and each folder of photographs.
    """
    photos = {
        kind: [file for file in files if not is_for_fitting(file.name)]
        for kind, files in photo_kinds(data.photos).items()
    }
    return {
        LESIONS: (read_square(row, spec) for row in data.rows(part)),
        **{kind: (preprocess(_opened(file, spec), spec) for file in files) for kind, files in photos.items()},
        BARE_SKIN: skin_of(data.rows(part), data, spec),
        DRAWN_SEEN: _drawings(set(DRAWN) - UNSEEN, data, spec),
        DRAWN_UNSEEN: _drawings(set(UNSEEN), data, spec),
    }


def most_pictures(data: GateData) -> int:
    """How many pictures a fit looks at, if every image has room for bare skin."""
    train, val = (len(data.rows(part)) for part in ("train", "val"))
    counts, files = data.counts, [file.name for files in photo_kinds(data.photos).values() for file in files]
    fitting = sum(is_for_fitting(name) for name in files)
    lesions = min(counts.lesions, train) + min(counts.extra, len(data.extra)) + val
    drawings = counts.drawings * (2 * len(DRAWN) - len(UNSEEN))
    return lesions + drawings + 3 * fitting + len(files) + sum(min(counts.skin, part) for part in (train, val))


def photo_kinds(folder: Path) -> dict[str, list[Path]]:
    """The pictures of each folder in `folder`, by its name.

    Raises:
        DataError: there is none, or the name of one is that of another kind.
    """
    folders = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    names = [kind_of(path) for path in folders]
    taken = [path.name for path, name in zip(folders, names, strict=True) if name in OWN_KINDS or names.count(name) > 1]
    if taken:
        raise DataError(
            f"Folder(s) of {folder} have the name of another kind of pictures: {name_some(taken)}. Rename them; - and "
            f"_ are one, and {', '.join(sorted(OWN_KINDS))} are not from photographs."
        )
    kinds = {kind_of(path): photographs(path) for path in folders}
    found = {kind: files for kind, files in kinds.items() if files}
    if not found:
        raise DataError(f"{folder} holds no folder with pictures; needed is one for each kind.")
    return found


def kind_of(folder: Path) -> str:
    """The kind that a folder of photographs holds, as figures name it."""
    return folder.name.replace("-", "_")


def skin_of(rows: Sequence[Row], data: GateData, spec: PreprocessSpec) -> Pictures:
    """Skin without a lesion, cut from `counts.skin` images; those without room for it give none."""
    for row in spread(rows, data.counts.skin):
        square = bare_skin(row, data.masks, spec)
        if square is not None:
            yield square


def spread(rows: Sequence[Row], count: int) -> list[Row]:
    """At most `count` of the rows, spread evenly over them."""
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)
    return [rows[place] for place in places]


def _drawings(kinds: set[str], data: GateData, spec: PreprocessSpec) -> Pictures:
    for kind in sorted(kinds):
        for number in range(HELD_OUT, HELD_OUT + data.counts.drawings):
            yield drawn(kind, number, spec.side_pixels)


def _opened(file: Path, spec: PreprocessSpec) -> Image.Image:
    try:
        return open_upright(read_file(file), wanted_side_pixels=spec.side_pixels)
    except ImageError as error:
        raise DataError(f"{file} cannot be used for the gate: {error}") from error
