"""`dermalens export`: training runs to a bundle."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermalens.cli.calibrating import CalibrationMethod, Penalty, PriorCorrection, checked_version, chosen_fitting

if TYPE_CHECKING:
    from dermalens.core.bundlefile import Bundle
    from dermalens.export.run import ExportOptions
    from dermalens.export.stored import Bits


def _checked_name(name: str | None) -> str | None:
    if name is not None and not re.fullmatch("[a-z0-9_]+", name):
        raise typer.BadParameter(f"{name} given; needed are a-z, 0-9 and _")
    return name


def export(  # noqa: PLR0913  (each is an option of the command)
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Folder of a training run or ensemble; several runs are averaged."),
    ],
    out: Annotated[Path | None, typer.Option(metavar="PATH", help="Bundle to write; RUN/bundle if not given.")] = None,
    split: Annotated[
        Path | None, typer.Option(metavar="CSV", help="The split, where the recipe's path is old.")
    ] = None,
    side: Annotated[
        int | None, typer.Option(metavar="PIXELS", min=32, max=1024, help="Side in use; the recipe's if not given.")
    ] = None,
    views: Annotated[int, typer.Option(help="Test-time views to average: 1, 2, 4 or 8.")] = 1,
    calibration: Annotated[
        CalibrationMethod, typer.Option(help="Fitted on the validation part.")
    ] = CalibrationMethod.TEMPERATURE,
    prior_correction: PriorCorrection = 0.0,
    calibration_penalty: Penalty = None,
    version: Annotated[str, typer.Option(callback=checked_version, help="Version of the bundle.")] = "1",
    name: Annotated[
        str | None, typer.Option(callback=_checked_name, help="Name of the bundle; the recipe's if not given.")
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store the weights in 16 bits: half the size.")] = False,
    quarter: Annotated[bool, typer.Option("--quarter", help="Store them in 8 bits: a quarter of the size.")] = False,
) -> None:
    """Write the bundle of a run: ONNX graph with heat maps, calibration and operating points, checked for parity.

    An ensemble gives a bundle with a graph for each member and their stacked regression; several runs give the mean.
    """
    from dermalens.cli.extras import needing

    with needing("train", "Exporting a run"):
        from dermalens.export.run import VIEWS, ExportOptions
    if views not in VIEWS:
        raise typer.BadParameter(f"{views} views given; choose 1, 2, 4 or 8", param_hint="--views")
    fitting = chosen_fitting(calibration, prior_correction, calibration_penalty)
    options = ExportOptions(split, side, VIEWS[views], fitting, version, name, _bits(half=half, quarter=quarter))
    target = _target(runs, out)
    bundle, differences = _export(runs, target, options)
    _say(bundle, differences, target, split)


def _bits(*, half: bool, quarter: bool) -> Bits:
    if half and quarter:
        raise typer.BadParameter("weights are stored in 16 or 8 bits, not both", param_hint="--half")
    return 8 if quarter else 16 if half else 32


def _target(runs: Sequence[Path], out: Path | None) -> Path:
    if out is None and len(runs) > 1:
        raise typer.BadParameter("several runs make one bundle; say where", param_hint="--out")
    return out or runs[0] / "bundle"


def _say(bundle: Bundle, differences: Mapping[str, float], target: Path, split: Path | None) -> None:
    megabytes = sum(len(graph) for graph in bundle.graphs.values()) / 1e6
    typer.echo(f"{target}: {megabytes:.1f} MB, {_apart(bundle, max(differences.values()))}")
    if len(differences) > 1:
        typer.echo(f"  members: {', '.join(differences)}; combiner: {bundle.manifest.combiner_kind}")
    for point in bundle.manifest.operating_points:
        typer.echo(f"  {point.name}: threshold {point.threshold:.4f} on the malignant probability")
    following = ["dermalens", "evaluate", str(target), str(split or "SPLIT"), "--record"]
    typer.echo(f"Next: {shlex.join(following)}", err=True)


def _apart(bundle: Bundle, difference: float) -> str:
    """How far a class probability is from that of the checkpoint, on the images of the parity check."""
    from dermalens.core.bundle import ROUNDING_CHANGES

    training = bundle.manifest.provenance.training
    stored = "".join(
        f" in 32 bits, and {float(training[key]):.1e} more as stored in {bits} bits"
        for bits, key in ROUNDING_CHANGES.items()
        if training.get(key) is not None
    )
    return f"largest difference from the checkpoint {difference:.1e}{stored}"


def _export(runs: Sequence[Path], target: Path, options: ExportOptions) -> tuple[Bundle, dict[str, float]]:
    """One bundle of one run, of one ensemble or of several runs; with the parity difference of each member."""
    from dermalens.export.run import export_run
    from dermalens.export.stack import export_ensemble, export_mean, is_ensemble

    if len(runs) > 1:
        return export_mean(runs, target, options)
    if is_ensemble(runs[0]):
        return export_ensemble(runs[0], target, options)
    bundle, difference = export_run(runs[0], target, options)
    return bundle, {bundle.manifest.members[0].file: difference}
