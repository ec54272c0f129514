"""The classifier: a loaded bundle that answers for images."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from dermalens.core.bundle import Manifest, OperatingPoint
from dermalens.core.bundlefile import Bundle, read_bundle
from dermalens.core.decision import Logits, calibrate
from dermalens.core.errors import BundleError, DermaLensError
from dermalens.core.image import Decoded
from dermalens.core.square import Square, place_of
from dermalens.predict.abcd import measure
from dermalens.predict.drawing import NO_OUTLINE, Drawing, placed
from dermalens.predict.ensemble import run_members
from dermalens.predict.explain import explain
from dermalens.predict.gate import LesionGate, open_gate
from dermalens.predict.outline import Outline, OutlineSession, find_outline, open_outline
from dermalens.predict.prediction import Prediction, Seen, answer
from dermalens.predict.prevalence import check_stated
from dermalens.predict.quality import assess
from dermalens.predict.session import Outputs, Session, Squares, open_session
from dermalens.predict.similar import CaseGallery
from dermalens.predict.similar_file import read_gallery
from dermalens.predict.sources import Source, name_of, read_source
from dermalens.transforms.clean import check_cleaning, clean
from dermalens.transforms.preprocess import SquarePixels, cut

DEFAULT_BUNDLE: Final = Path(__file__).resolve().parents[1] / "bundles" / "default"
"""The bundle that comes with the package."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller wants of one image."""

    point: OperatingPoint
    prevalence: float | None = None
    heatmap: bool = False
    outline: bool = False
    millimetres_per_pixel: float | None = None
    """Of the original picture, on the skin."""
    gallery: CaseGallery | None = None
    anyway: bool = False
    """Show all that was asked for even where the decision is to abstain."""
    square: Square | None = None
    """What the model is to see of the picture; its centre square otherwise."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """A bundle and a session for each of its members, in order. It may be used from several threads at once."""

    bundle: Bundle
    sessions: tuple[Session, ...]
    gate: LesionGate | None = None
    """None where the bundle has none."""
    outline: OutlineSession | None = None
    """None where the bundle has none."""

    @property
    def manifest(self) -> Manifest:
        """What bundle.json says."""
        return self.bundle.manifest

    def predict(  # noqa: PLR0913  (each is by keyword, and says what the answer is to hold)
        self,
        image: Source,
        *,
        operating_point: str | None = None,
        prevalence: float | None = None,
        heatmap: bool = False,
        outline: bool = False,
        millimetres_per_pixel: float | None = None,
        gallery: str | Path | CaseGallery | None = None,
        anyway: bool = False,
        square: Square | None = None,
        name: str | None = None,
    ) -> Prediction:
        """The answer for one image: a path, the bytes of an image file, a PIL image or an array [height, width, 3].

        `operating_point` is a name of the bundle's, its default otherwise; `prevalence` the malignant share among the
        lesions that are seen, 0 to 1, to which probabilities and threshold are shifted; `heatmap` adds `explanation`;
        `outline` adds `outline`, `abcd` and `drawing`, with millimetres when the original picture's
        `millimetres_per_pixel` are given; `gallery`, a file or what `read_gallery` makes of it (once for many images),
        adds `similar`. An answer that abstains has none of these four unless `anyway`, and abstains all the same;
        `square` is what the model sees of the upright picture, its centre otherwise; `name` names what has no path.

        Raises:
            ImageError: the picture cannot be used, or the square does not lie within it.
            DermaLensError: the bundle has no operating point of that name, no outline or another gallery, or the
                prevalence, the scale or the gallery cannot be used.
        """
        asked = Asked(
            self.operating_point(operating_point),
            prevalence,
            heatmap=heatmap,
            outline=outline,
            millimetres_per_pixel=millimetres_per_pixel,
            gallery=read_gallery(Path(gallery)) if isinstance(gallery, (str, Path)) else gallery,
            anyway=anyway,
            square=square,
        )
        self.check(asked)
        return self.answer(self.read(image, asked), name or name_of(image), asked)

    def read(self, image: Source, asked: Asked) -> Decoded:
        """The picture, decoded no larger than what was asked needs; the first half of `predict`.

        Raises:
            ImageError: the picture cannot be used.
        """
        side = asked.square.side if asked.square else None
        return read_source(image, wanted_side_pixels=self.manifest.preprocess.side_pixels, square_side=side)

    def check(self, asked: Asked) -> None:
        """Refuse what no image could be answered with.

        Raises:
            DermaLensError: a prevalence or scale that is no such number, a scale without an outline, an outline of a
                bundle without one, or a gallery of another bundle.
        """
        if asked.prevalence is not None:
            check_stated(asked.prevalence)
        if asked.outline and self.outline is None:
            raise DermaLensError(
                f"The bundle {self.manifest.name} {self.manifest.version} has no outline graph: it cannot draw "
                "outlines or measure lesions. Leave the outline out, or use a bundle with one."
            )
        if asked.millimetres_per_pixel is not None:
            _check_scale(asked.millimetres_per_pixel, has_outline=asked.outline)
        if asked.gallery is not None:
            asked.gallery.check_made_with(self.manifest)

    def answer(self, decoded: Decoded, name: str, asked: Asked) -> Prediction:
        """The answer for a picture that `read` has decoded, once `check` has passed; the second half of `predict`.

        Raises:
            ImageError: the square does not lie within the picture.
        """
        place = place_of(asked.square, decoded.original_size)
        box = decoded.scaled(place) if asked.square else None
        photograph = cut(decoded.picture, self.manifest.preprocess, box=box)
        square = clean(photograph, self.manifest.preprocess.clean)
        outputs = self.run(square[None])
        lesion_image = self.gate.judge(outputs.embedding)[0] if self.gate else None
        quality = assess(photograph, (round(place.side), round(place.side)))
        seen = Seen(name, quality, decoded.notes, lesion_image, asked.square)
        prediction = replace(self.decided(outputs.logits[0], seen, asked), embedding=outputs.embedding[0])
        if prediction.decision == "abstain":
            if not asked.anyway:
                return prediction
            prediction = replace(prediction, is_shown_anyway=True)
        if asked.heatmap:
            code = prediction.diagnosis
            explanation = explain(outputs.heatmaps[0, self.manifest.classes.index(code)], square, code=code)
            prediction = replace(prediction, explanation=explanation)
        if asked.gallery is not None:
            prediction = replace(prediction, similar=tuple(asked.gallery.nearest(outputs.embedding[0])))
        if asked.outline:
            prediction = self._outlined(prediction, photograph, place, asked.millimetres_per_pixel)
        return prediction

    def decided(self, logits: Logits, seen: Seen, asked: Asked) -> Prediction:
        """The answer that follows from the logits [K] of one image and what else is known of it."""
        probabilities = calibrate(logits, self.manifest.calibration)
        return answer(probabilities, seen, self.bundle, asked.point, asked.prevalence)

    def _outlined(
        self, prediction: Prediction, square: SquarePixels, place: Square, millimetres_per_pixel: float | None
    ) -> Prediction:
        """The answer with outline and measures; with a note where there is no outline to be found."""
        found = self.find_outline(square)
        if found is None:
            return replace(prediction, notes=(*prediction.notes, NO_OUTLINE))
        scale_mm = None if millimetres_per_pixel is None else millimetres_per_pixel * place.side
        measures = measure(square, found, scale_mm=scale_mm)
        return replace(prediction, outline=placed(found, place), drawing=Drawing(found, square), abcd=measures)

    def find_outline(self, square: SquarePixels) -> Outline | None:
        """The lesion of a square [S, S, 3]; None where none is found, or the bundle has no outline graph."""
        part = self.manifest.outline
        if self.outline is None or part is None:
            return None
        belonging = self.outline.run(square[None])[0]
        return find_outline(belonging, side_pixels=len(square), threshold=part.threshold)

    def run(self, squares: Squares) -> Outputs:
        """Logits before calibration, embedding and heat maps of squares [N, S, S, 3], of all members and views."""
        return run_members(self.sessions, squares, self.manifest.views, self.manifest.combiner)

    def operating_point(self, name: str | None = None) -> OperatingPoint:
        """The operating point called `name`, or the bundle's default.

        Raises:
            DermaLensError: there is none of that name; the message lists those that there are.
        """
        wanted = name or self.manifest.default_operating_point
        points = {point.name: point for point in self.manifest.operating_points}
        if wanted not in points:
            raise DermaLensError(f"No operating point {wanted!r} in this bundle; it has {', '.join(points)}.")
        return points[wanted]


def load(bundle: str | Path | None = None, *, threads: int = 1) -> Classifier:
    """Load a bundle folder, or the one that comes with the package; `threads` is for one image at a time.

    Raises:
        BundleError: the folder is not a complete, undamaged bundle that this version can read.
        MissingExtraError: a cleaning step of the bundle needs OpenCV, which is not installed.
    """
    return open_classifier(checked(bundle), threads=threads)


def checked(bundle: str | Path | None = None) -> Bundle:
    """The bundle of a folder, or the one that comes with the package, before any graph of it is opened.

    Raises:
        BundleError: the folder is not a complete, undamaged bundle that this version can read.
        MissingExtraError: a cleaning step of the bundle needs OpenCV, which is not installed.
    """
    if bundle == "":  # which as a path would be the folder one is in
        raise BundleError("An empty path was given; name a bundle folder, or leave it out.")
    if bundle is None and not DEFAULT_BUNDLE.is_dir():
        raise BundleError("This installation has no packaged bundle; name one: --bundle PATH, or load(PATH).")
    loaded = read_bundle(DEFAULT_BUNDLE if bundle is None else Path(bundle))
    check_cleaning(loaded.manifest.preprocess.clean)
    return loaded


def open_classifier(bundle: Bundle, *, threads: int = 1) -> Classifier:
    """A classifier with every graph of a bundle: the members, and gate and outline where there are any.

    Raises:
        BundleError: a graph cannot be loaded or does not fit the manifest.
    """
    gate, outline = bundle.manifest.gate, bundle.manifest.outline
    return Classifier(
        bundle,
        open_sessions(bundle, threads=threads),
        open_gate(bundle.graphs[gate.file], name=gate.file, threshold=gate.threshold) if gate else None,
        open_outline(bundle.graphs[outline.file], name=outline.file, threads=threads) if outline else None,
    )


def open_sessions(bundle: Bundle, *, threads: int = 1) -> tuple[Session, ...]:
    """A session for each member of a bundle.

    Raises:
        BundleError: a graph cannot be loaded or does not fit the manifest.
    """
    return tuple(_open(bundle, member.file, threads) for member in bundle.manifest.members)


def _open(bundle: Bundle, file: str, threads: int) -> Session:
    manifest = bundle.manifest
    classes, side = len(manifest.classes), manifest.preprocess.side_pixels
    return open_session(bundle.graphs[file], name=file, classes=classes, side_pixels=side, threads=threads)


def _check_scale(millimetres_per_pixel: float, *, has_outline: bool) -> None:
    if not (math.isfinite(millimetres_per_pixel) and millimetres_per_pixel > 0):
        raise DermaLensError(
            f"{millimetres_per_pixel:g} millimetres a pixel given; needed is the length of a pixel of the original "
            "picture on the skin, more than 0. Leave it out where it is not known."
        )
    if not has_outline:
        raise DermaLensError(
            "Millimetres a pixel were given without an outline, which alone they are for. Ask for the outline as well: "
            "--outline DIR, or outline=True."
        )
