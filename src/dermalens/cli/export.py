"""`dermalens export`: a training run to a bundle."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class CalibrationMethod(StrEnum):
    """How the logits become probabilities."""

    TEMPERATURE = "temperature"
    VECTOR = "vector"
    NONE = "none"


def export(  # noqa: PLR0913  (each is an option of the command)
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run.")],
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
    prior_correction: Annotated[
        float, typer.Option(min=0, max=1, help="0: the classes as frequent as in the data; 1: all equally frequent.")
    ] = 0.0,
    version: Annotated[str, typer.Option(help="Version of the bundle.")] = "1",
) -> None:
    """Write the bundle of a run: ONNX graph with heat maps, calibration and operating points, checked for parity."""
    from dermalens.cli.extras import needing

    with needing("train", "Exporting a run"):
        from dermalens.export.run import VIEWS, ExportOptions, export_run
    if views not in VIEWS:
        raise typer.BadParameter(f"{views} views given; choose 1, 2, 4 or 8", param_hint="--views")
    options = ExportOptions(split, side, VIEWS[views], calibration.value, prior_correction, version)
    target = out or run / "bundle"
    bundle, difference = export_run(run, target, options)
    megabytes = sum(len(graph) for graph in bundle.graphs.values()) / 1e6
    typer.echo(f"{target}: {megabytes:.1f} MB, largest difference from the checkpoint {difference:.1e}")
    for point in bundle.manifest.operating_points:
        typer.echo(f"  {point.name}: threshold {point.threshold:.4f} on the malignant probability")
    typer.echo(f"Next: dermalens evaluate {target} {split or 'SPLIT'} --record", err=True)
