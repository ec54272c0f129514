"""`dermalens equip`: what validation images say of a finished bundle, its calibration anew, a gate, and an outline."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermalens.cli.calibrating import PRIOR_CORRECTION, CalibrationMethod, Penalty, checked_version, chosen_fitting

if TYPE_CHECKING:
    from dermalens.core.bundle import Gate, Manifest, Outline
    from dermalens.core.bundlefile import Bundle as Loaded
    from dermalens.export.equip import Recalibration

Calibration = Annotated[
    CalibrationMethod | None,
    typer.Option(help="Fit calibration and operating points anew too, on the validation part; --version goes with it."),
]
PriorCorrection = Annotated[
    float | None, typer.Option(min=0, max=1, help=f"For --calibration. {PRIOR_CORRECTION} 0 if not given.")
]
Version = Annotated[
    str | None, typer.Option(callback=checked_version, help="For --calibration: that of the bundle from then on.")
]
Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Bundle folder; its bundle.json is written anew.")]
SplitFile = Annotated[Path | None, typer.Option(metavar="CSV", help="The split that the bundle was trained on.")]
Coverage = Annotated[
    float | None,
    typer.Option(help="Of the prediction sets: 0.9 for nine images of ten. Left out, it stays (0.9 without any)."),
]
Photos = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Fit a gate: pictures that show no lesion, in one folder for each kind."),
]
Masks = Annotated[
    Path | None, typer.Option(metavar="DIR", help="For the gate: outlines IMAGE_ID_segmentation.png of the split.")
]
Extra = Annotated[
    Path | None, typer.Option(metavar="INDEX", help="For the gate: lesion images of other sources to accept.")
]
OutlineRun = Annotated[
    Path | None, typer.Option(metavar="RUN", help="Copy the outline that dermalens outline export wrote there.")
]


def equip(  # noqa: PLR0913  (each is an option of the command)
    bundle: Bundle,
    split: SplitFile = None,
    coverage: Coverage = None,
    gate_photos: Photos = None,
    masks: Masks = None,
    extra: Extra = None,
    outline: OutlineRun = None,
    calibration: Calibration = None,
    prior_correction: PriorCorrection = None,
    calibration_penalty: Penalty = None,
    version: Version = None,
) -> None:
    """Add prediction sets with the prevalence assumed, a gate or an outline to a bundle; the rest stays as it is.

    With --split and no gate: prediction sets and prevalence. The gate needs --split, --gate-photos and --masks. A new
    calibration needs --split and --version; figures of the test part are those of the old one, and leave the bundle.
    """
    from dermalens.core.bundlefile import check_replaceable, read_bundle

    recalibration = _recalibration(split, calibration, prior_correction, calibration_penalty, version)
    _check(split, gate_photos, masks, extra, outline, coverage)
    check_replaceable(bundle)
    loaded, parts = read_bundle(bundle), list[tuple["Gate | Outline", bytes]]()
    _check_new(version, loaded)
    if split and masks and gate_photos:
        parts.append(_fitted_gate(loaded, split, gate_photos, masks=masks, extra=extra))
    if outline:
        parts.append(_copied_outline(outline))
    fits_sets = split if coverage is not None or recalibration or not gate_photos else None
    written = _written(bundle, loaded, fits_sets, coverage, recalibration, parts)
    if recalibration:
        _show_calibration(bundle, written.manifest, split)
    if fits_sets:
        _show_sets(bundle, written.manifest)
    _show_parts(bundle, parts)


def _written(  # noqa: PLR0913  (what the bundle gets)
    bundle: Path,
    loaded: Loaded,
    split: Path | None,
    coverage: float | None,
    recalibration: Recalibration | None,
    parts: Sequence[tuple[Gate | Outline, bytes]],
) -> Loaded:
    from dermalens.cli.extras import needing
    from dermalens.cli.progress import counting

    with needing("eval", "Fitting prediction sets"):
        from dermalens.export.equip import COVERAGE, equip
    own = loaded.manifest.conformal.coverage if loaded.manifest.conformal else COVERAGE
    with counting(_images(loaded, split), "Classifying") as advance:
        return equip(
            *(bundle, loaded, split),
            coverage=own if coverage is None else coverage,
            recalibration=recalibration,
            parts=parts,
            advance=advance,
        )


def _recalibration(
    split: Path | None,
    method: CalibrationMethod | None,
    correction: float | None,
    penalty: float | None,
    version: str | None,
) -> Recalibration | None:
    from dermalens.cli.extras import needing
    from dermalens.core.errors import DataError

    if method is None:
        given = {"--prior-correction": correction, "--calibration-penalty": penalty, "--version": version}
        alone = [option for option, value in given.items() if value is not None]
        if alone:
            raise DataError(f"{' and '.join(alone)} given; what is to be fitted? Give --calibration METHOD as well.")
        return None
    if split is None or version is None:
        raise DataError("--calibration needs --split CSV and a new --version: answers differ from those before.")
    with needing("eval", "Calibrating"):
        from dermalens.export.equip import Recalibration
    return Recalibration(chosen_fitting(method, correction or 0.0, penalty), version)


def _images(loaded: Loaded, split: Path | None) -> int:
    """How many a bundle is calibrated on; without a split none."""
    from dermalens.core.bundle import held_out_fold
    from dermalens.data.split import read_split

    return 0 if split is None else len(read_split(split).held_out(held_out_fold(loaded.manifest)))


def _copied_outline(run: Path) -> tuple[Outline, bytes]:
    from dermalens.cli.extras import needing

    with needing("train", "Adding an outline"):
        from dermalens.export.outline import read_outline_part
    return read_outline_part(run)


def _check_new(version: str | None, loaded: Loaded) -> None:
    """Refuse the version that the bundle has: two sets of answers would go by one name."""
    from dermalens.core.errors import DataError

    if version == loaded.manifest.version:
        raise DataError(f"The bundle is version {version} already; with another calibration it needs a new --version.")


def _check(  # noqa: PLR0913  (the options of the command)
    split: Path | None,
    photos: Path | None,
    masks: Path | None,
    extra: Path | None,
    outline: Path | None,
    coverage: float | None,
) -> None:
    from dermalens.core.errors import DataError

    if coverage is not None and split is None:
        raise DataError("--coverage is for prediction sets, which are fitted on the split: give --split CSV as well.")
    if coverage is not None and not 0 < coverage < 1:
        raise DataError(f"--coverage {coverage:g} given; needed is a share between 0 and 1, such as 0.9.")
    if photos and not (split and masks):
        raise DataError("A gate needs --split CSV, --gate-photos DIR and --masks DIR.")
    if split is None and outline is None:
        raise DataError("Nothing to add was named. Give --split CSV, --outline RUN or both.")
    if not photos and (masks or extra):
        raise DataError("--masks and --extra are for the gate; give --gate-photos DIR as well.")


def _fitted_gate(loaded: Loaded, split: Path, photos: Path, *, masks: Path, extra: Path | None) -> tuple[Gate, bytes]:
    from dermalens.cli.extras import needing
    from dermalens.cli.progress import counting

    with needing("train", "Fitting a gate"):
        from dermalens.core.bundle import held_out_fold
        from dermalens.data.index import read_index
        from dermalens.data.leaks import check_apart
        from dermalens.evaluate.record import read_own_split
        from dermalens.export.equip import OWN_SPLIT
        from dermalens.export.gate import fit_gate
        from dermalens.export.gate_pictures import GateData, most_pictures
        from dermalens.predict.classifier import Classifier, open_sessions
    known = read_own_split(loaded, split, because=OWN_SPLIT)
    others = tuple(read_index(extra)) if extra else ()
    check_apart(others, known.rows)
    data = GateData(known, photos, masks, others, fold=held_out_fold(loaded.manifest))
    with counting(most_pictures(data), "Looking at pictures") as advance:
        return fit_gate(Classifier(loaded, open_sessions(loaded)), data, advance=advance)


def _show_calibration(bundle: Path, manifest: Manifest, split: Path | None) -> None:
    fitted = manifest.calibration
    typer.echo(f"{bundle}: version {manifest.version}, {fitted.method} calibration on {fitted.n} validation images")
    for point in manifest.operating_points:
        typer.echo(f"  {point.name}: threshold {point.threshold:.4f} on the malignant probability")
    following = ["dermalens", "evaluate", str(bundle), str(split), "--record"]
    typer.echo(f"Next, as the bundle has no figures now: {shlex.join(following)}", err=True)


def _show_parts(bundle: Path, parts: Sequence[tuple[Gate | Outline, bytes]]) -> None:
    from dermalens.cli.outline import shown

    for note, content in parts:
        typer.echo(f"{bundle / note.file}: {len(content) / 1e6:.1f} MB, threshold {note.threshold:g}")
        for kind, figure in note.measured.items():
            typer.echo(f"  {kind}: {shown(figure.value)} of {figure.n}")


def _show_sets(bundle: Path, manifest: Manifest) -> None:
    conformal, prevalence = manifest.conformal, manifest.prevalence
    if conformal is None or prevalence is None:
        return
    typer.echo(f"{bundle}: prediction sets at {100 * conformal.coverage:g} % coverage, prevalence {prevalence:.3f}")
    found = zip(manifest.classes, conformal.thresholds, conformal.n, strict=True)
    always = [f"{code} ({n} validation images)" for code, threshold, n in found if threshold == 0]
    if always:
        typer.echo(f"  in every set, by too few images or probabilities next to nothing: {', '.join(always)}")
