"""`dermalens batch`: score a folder, a list or a bucket into shards; a run that was ended goes on."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from dermalens.cli.extras import needing
from dermalens.core.cores import usable_cores
from dermalens.core.errors import DermaLensError

if TYPE_CHECKING:
    from dermalens.batch.output import Output
    from dermalens.batch.run import Engine, Run


TERMINATED: Final = 143
"""As the shell reports a program that ended by SIGTERM (128 + 15)."""


class Form(StrEnum):
    """Of a shard."""

    PARQUET = "parquet"
    CSV = "csv"


class EngineName(StrEnum):
    """Who scores."""

    LOCAL = "local"
    RAY = "ray"


Source = Annotated[
    str, typer.Argument(help="A folder, a glob, a CSV or text list of paths, or the URL of one (s3://bucket/folder).")
]
Out = Annotated[str, typer.Argument(help="The folder of the shards, here or a URL; of a run that was ended: goes on.")]
ShardSize = Annotated[int, typer.Option(min=1, metavar="N", help="Images in one file.")]
Format = Annotated[Form, typer.Option("--format", help="Of the shards.")]
Engines = Annotated[EngineName, typer.Option(help="Processes here, or Ray Data (RAY_ADDRESS).")]
Workers = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="Processes; one a core otherwise. 0 is this process alone.")
]
Gpus = Annotated[int, typer.Option(min=0, metavar="N", help="With --engine ray: score on N GPUs.")]
BundleFolder = Annotated[Path | None, typer.Option(metavar="PATH", help="A bundle other than the packaged one.")]
Point = Annotated[str | None, typer.Option(metavar="NAME", help="A threshold of the bundle other than its default.")]
Share = Annotated[
    float | None, typer.Option(metavar="SHARE", help="Shift the answers to this malignant share, such as 0.03.")
]
MaxErrors = Annotated[
    str | None, typer.Option(metavar="N|SHARE", help="Stop when more images, or a larger share of all, have an error.")
]
Column = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of a CSV or TSV list: the column with the paths; path of a .csv.")
]


def batch(  # noqa: PLR0913  (each is an option of the command)
    source: Source,
    out: Out,
    shard_size: ShardSize = 10_000,
    form: Format = Form.PARQUET,
    engine: Engines = EngineName.LOCAL,
    workers: Workers = None,
    gpus: Gpus = 0,
    bundle: BundleFolder = None,
    operating_point: Point = None,
    prevalence: Share = None,
    max_errors: MaxErrors = None,
    list_column: Column = None,
) -> None:
    """Classify many images into Parquet or CSV files. Exit code 2 if any has an error.

    The same command goes on with a run that was ended. For research and education; not a medical device.
    """
    _begin(engine, workers)
    from dermalens.batch.output import held, open_output
    from dermalens.batch.run import Wanted, allowed_errors, finish, prepare

    if max_errors is not None:
        allowed_errors(max_errors, 1)
    if out.startswith("memory://"):
        raise DermaLensError("What is in memory:// ends with this process; name a folder or a bucket for the shards.")
    worker = _engine(engine, workers, gpus, source)
    path = str(bundle.absolute()) if bundle else None
    wanted = Wanted(source, path, operating_point, prevalence, shard_size, form.value, list_column, gpu=gpus > 0)
    output = open_output(out)
    with _ended_tidily(), held(output):
        with _looking(source, output):
            run = prepare(wanted, output)
        typer.echo(f"Limits: {' '.join(run.manifest.limits)}", err=True)
        before, began = run.tally.images, time.monotonic()
        with _saying_how_to_go_on(run), _bar(run) as advance:
            finish(run, worker, max_errors=max_errors, advance=advance)
    _report(run, run.tally.images - before, time.monotonic() - began)


def _begin(engine: EngineName, workers: int | None) -> None:
    """The server of the workers first of all: it imports while this process looks for the images.

    Raises:
        MissingExtraError: a package that every run needs is not installed.
    """
    from dermalens.batch.processes import begin_server

    if engine is EngineName.LOCAL and workers != 0:
        begin_server()
    with needing("batch", "dermalens batch"):
        import fsspec, pyarrow  # noqa: E401, F401, I001  (that they are there)


def _engine(name: EngineName, workers: int | None, gpus: int, source: str) -> Engine:
    """The engine that was asked for.

    Raises:
        DermaLensError: options that do not go together.
    """
    if name is EngineName.RAY:
        from dermalens.batch.ray_engine import score_with_ray

        return partial(score_with_ray, workers=max(1, usable_cores() if workers is None else workers), gpus=gpus)
    if gpus:
        raise DermaLensError("--gpus was given for the local engine, which scores on the CPU; add --engine ray.")
    if workers != 0 and source.startswith("memory://"):
        raise DermaLensError("What is in memory:// only this process can see; add --workers 0.")
    from dermalens.batch.workers import score_locally

    return partial(score_locally, workers=usable_cores() if workers is None else workers)


@contextmanager
def _ended_tidily() -> Iterator[None]:
    """SIGTERM ends what is under way as Ctrl-C does: the bar, the workers and the lock."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        yield
    except SystemExit as error:  # with another code by Ray, which puts its handler in the place of ours
        raise typer.Exit(TERMINATED) from error
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _looking(source: str, output: Output) -> Iterator[None]:
    """What a run does before its first shard, which may take long; said to people only."""
    from dermalens.batch.manifest import has_begun
    from dermalens.core.files import printable

    is_new = not has_begun(output)
    what = f"Looking for images in {source}" if is_new else f"Reading what is finished in {output.name}"
    if sys.stderr.isatty():
        typer.echo(f"{printable(what)} ...", err=True)
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        after = (
            "the first shard; the same command begins again." if is_new else "a new shard; the same command goes on."
        )
        typer.echo(f"Interrupted before {after}", err=True)
        raise


@contextmanager
def _saying_how_to_go_on(run: Run) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        typer.echo(f"Interrupted. {_finished(run)} The same command goes on from there.", err=True)
        raise


@contextmanager
def _bar(run: Run) -> Iterator[Callable[[int], None]]:
    """Share, rate and time left on standard error, for people; yields the function that moves it on."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task
    from rich.text import Text

    before = run.tally.images

    class Pace(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(_pace(task.completed - before, run.manifest.images - task.completed, task.elapsed or 0.0))

    console = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), Pace())
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=False, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("Classifying", total=run.manifest.images, completed=before)
        yield lambda done: progress.advance(task, done)


def _pace(done: float, left: float, seconds: float) -> str:
    """Rate and time left by the mean of this run; the images come in bursts, whose rate says nothing."""
    if not (done and seconds):
        return ""
    rate = done / seconds
    return f"{rate:.1f} images/s, {timedelta(seconds=round(left / rate))} left"


def _finished(run: Run) -> str:
    names = run.output.names()
    done = sum(run.manifest.shard_name(number) in names for number in range(run.manifest.shards))
    return f"{done} of {run.manifest.shards} shards are finished in {run.output.name}."


def _report(run: Run, images: int, seconds: float) -> None:
    """The summary on standard output.

    Raises:
        DermaLensError: some images have an error.
    """
    from dermalens.core.files import printable

    tally = run.tally
    counts = [f"{count:,} {decision}" for decision, count in sorted(tally.decisions.items())]
    counts += [f"{tally.errors:,} with an error"] if tally.errors else []
    shards = f"{run.manifest.shards:,} shard{'' if run.manifest.shards == 1 else 's'}"
    typer.echo(f"{tally.images:,} images in {shards} in {printable(run.output.name)}: {', '.join(counts)}")
    if images:
        typer.echo(f"{images:,} of them now, in {seconds:.1f} s: {images / seconds:.1f} images/s")
    else:
        typer.echo("All of them were there already; images that the source has got since then need another output.")
    if tally.errors:
        raise DermaLensError(
            f"{tally.errors:,} of {tally.images:,} images have an error, their rows say why: {tally.named}"
        )
