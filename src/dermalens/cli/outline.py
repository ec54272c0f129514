"""`dermalens outline`: train, export and judge the network that draws the outline of a lesion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dermalens.core.bundle import Measured

app = typer.Typer(no_args_is_help=True, help="Train, export and judge the outline of the lesion.")

SplitFile = Annotated[Path, typer.Argument(metavar="SPLIT", help="Split of the images, as of dermalens data split.")]
MaskFolder = Annotated[
    Path, typer.Argument(metavar="MASKS", help="Folder of outlines drawn by people, IMAGE_ID_segmentation.png.")
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the training run.")]
Side = Annotated[int, typer.Option(metavar="PIXELS", min=32, max=1024, help="Side of the square in use.")]


@app.command()
def train(
    split: SplitFile,
    masks: MaskFolder,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Run folder.")] = Path("runs/outline"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
) -> None:
    """Train the outline network on the train part; the val part selects the best epoch."""
    from dermalens.cli.extras import needing
    from dermalens.cli.progress import counting
    from dermalens.data.split import read_split

    with needing("train", "Training"):
        from dermalens.train.outline import MONITOR, OutlineSettings
        from dermalens.train.outline_run import train_outline
    parts = read_split(split)
    count = len(parts.part("train")) + len(parts.part("val"))
    with counting(count, "Reading") as advance:
        log = train_outline(parts, masks, out, OutlineSettings(), resume=resume, advance=advance, say=_say)
    best = max(log, key=lambda row: row[MONITOR])
    typer.echo(f"Best epoch {best['epoch']:.0f} of {len(log)}: intersection over union {best[MONITOR]:.4f} on val.")
    _say(f"Next: dermalens outline export {out} {split} {masks}")


@app.command()
def export(run: RunFolder, split: SplitFile, masks: MaskFolder, side: Side = 224) -> None:
    """Write outline.onnx and outline.json into RUN: checked for parity, the threshold chosen on the val part."""
    from dermalens.cli.extras import needing
    from dermalens.cli.progress import counting
    from dermalens.core.spec import PreprocessSpec
    from dermalens.data.split import read_split

    with needing("train", "Exporting a run"):
        from dermalens.export.outline import GRAPH_NAME, export_outline
    parts, spec = read_split(split), PreprocessSpec(side_pixels=side)
    with counting(len(parts.part("val")), "Drawing") as advance:
        note, difference = export_outline(run, parts, masks, spec=spec, advance=advance)
    megabytes = (run / GRAPH_NAME).stat().st_size / 1e6
    typer.echo(f"{run / GRAPH_NAME}: {megabytes:.1f} MB, largest difference from the checkpoint {difference:.1e}")
    typer.echo(f"  threshold {note.threshold:.2f}, chosen on the val part")
    _show(note.measured)


@app.command()
def judge(
    run: RunFolder,
    split: SplitFile,
    masks: MaskFolder,
    part: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    side: Side = 224,
) -> None:
    """Compare the exported outlines with those of people and record the figures in RUN/outline.json."""
    from dermalens.cli.extras import needing
    from dermalens.cli.progress import counting
    from dermalens.core.spec import PreprocessSpec
    from dermalens.data.split import read_split

    with needing("train", "Judging a run"):
        from dermalens.evaluate.outline import draw_rows
        from dermalens.evaluate.record import rows_of
        from dermalens.export.outline import check_split, read_outline_part, record_outline
        from dermalens.predict.outline import open_outline
    check_split(run, read_split(split))
    rows, (_, content) = rows_of(split, part), read_outline_part(run)
    with counting(len(rows), "Drawing") as advance:
        drawn = draw_rows(open_outline(content), rows, masks, PreprocessSpec(side_pixels=side), advance=advance)
    _show(record_outline(run, part, drawn))


def _show(figures: Mapping[str, Measured]) -> None:
    for name, figure in figures.items():
        interval = f"{shown(figure.low)} to {shown(figure.high)}"
        typer.echo(f"  {name} {shown(figure.value)} ({interval}), {figure.n} images")


def shown(value: float | None) -> str:
    """A figure for people, with four decimals.

    >>> shown(0.5), shown(None)
    ('0.5000', 'not defined')
    """
    return "not defined" if value is None else f"{value:.4f}"


def _say(line: str) -> None:
    typer.echo(line, err=True)
