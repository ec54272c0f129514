"""The classifier: a loaded bundle that answers for images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from dermalens.core.bundle import Manifest, OperatingPoint
from dermalens.core.bundlefile import Bundle, read_bundle
from dermalens.core.decision import calibrate
from dermalens.core.errors import BundleError, DermaLensError
from dermalens.core.image import Decoded
from dermalens.core.prevalence import check_prevalence
from dermalens.predict.ensemble import run_members
from dermalens.predict.explain import explain
from dermalens.predict.prediction import Prediction, Seen, answer
from dermalens.predict.quality import assess
from dermalens.predict.session import Outputs, Session, Squares, open_session
from dermalens.predict.sources import Source, name_of, read_source
from dermalens.transforms.clean import check_cleaning
from dermalens.transforms.preprocess import preprocess

DEFAULT_BUNDLE: Final = Path(__file__).resolve().parents[1] / "bundles" / "default"
"""The bundle that comes with the package."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller wants of one image."""

    point: OperatingPoint
    prevalence: float | None = None
    heatmap: bool = False


@dataclass(frozen=True, slots=True)
class Classifier:
    """A bundle and a session for each of its members, in order. It may be used from several threads at once."""

    bundle: Bundle
    sessions: tuple[Session, ...]

    @property
    def manifest(self) -> Manifest:
        """What bundle.json says."""
        return self.bundle.manifest

    def predict(
        self,
        image: Source,
        *,
        operating_point: str | None = None,
        prevalence: float | None = None,
        heatmap: bool = False,
        name: str | None = None,
    ) -> Prediction:
        """The answer for one image: a path, the bytes of an image file, a PIL image or an array [height, width, 3].

        `operating_point` is a name of the bundle's, its default otherwise; `prevalence` the malignant share among the
        lesions that are seen, 0 to 1, to which probabilities and threshold are shifted; `heatmap` adds `explanation`;
        `name` is what the answer calls the image when it has no path.

        Raises:
            ImageError: the picture cannot be used.
            DermaLensError: the bundle has no operating point of that name, or the prevalence cannot be used.
        """
        point = self.operating_point(operating_point)
        if prevalence is not None:
            check_prevalence(prevalence)
        decoded = read_source(image, wanted_side_pixels=self.manifest.preprocess.side_pixels)
        return self._answer(decoded, name or name_of(image), Asked(point, prevalence, heatmap=heatmap))

    def _answer(self, decoded: Decoded, name: str, asked: Asked) -> Prediction:
        square = preprocess(decoded.picture, self.manifest.preprocess)
        outputs = self.run(square[None])
        seen = Seen(name, assess(square, decoded.original_size), decoded.notes)
        probabilities = calibrate(outputs.logits[0], self.manifest.calibration)
        prediction = answer(probabilities, seen, self.bundle, asked.point, asked.prevalence)
        if not asked.heatmap:
            return prediction
        code = prediction.diagnosis
        explanation = explain(outputs.heatmaps[0, self.manifest.classes.index(code)], square, code=code)
        return replace(prediction, explanation=explanation)

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
    if bundle is None and not DEFAULT_BUNDLE.is_dir():
        raise BundleError("This installation has no packaged bundle; name one: --bundle PATH, or load(PATH).")
    loaded = read_bundle(DEFAULT_BUNDLE if bundle is None else Path(bundle))
    check_cleaning(loaded.manifest.preprocess.clean)
    return Classifier(loaded, open_sessions(loaded, threads=threads))


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
