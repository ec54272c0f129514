"""A batch run: what is still to do of it, done shard by shard."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from dermalens import __version__
from dermalens.batch.errors import BatchError
from dermalens.batch.listing import Source, find_source
from dermalens.batch.manifest import MANIFEST, Format, Manifest, Plan, begin_or_resume, keys_of
from dermalens.batch.output import LocalFolder, Output
from dermalens.batch.scorer import Options, Rows, joined
from dermalens.batch.shards import COUNTED, Tally, count_shard, shard_bytes
from dermalens.batch.storage import STORAGE_ADVICE, reason_of
from dermalens.batch.worker import Work
from dermalens.core.files import printable
from dermalens.predict.classifier import Asked, Classifier, checked, open_classifier
from dermalens.predict.prevalence import base_prevalence

TIMINGS: Final = "timings.jsonl"
TIMINGS_EVERY_SECONDS: Final = 20.0
"""An object store writes a file anew for each line."""

Pieces = Generator[Rows, None, None]
Engine = Callable[[Iterator[list[str]], Work], Pieces]
"""Rows of the keys of shard after shard, in their order, in pieces of any length."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is asked for, but for where it goes and who does it."""

    source: str
    bundle: str | None = None
    operating_point: str | None = None
    prevalence: float | None = None
    shard_size: int = 10_000
    format: Format = "parquet"
    list_column: str | None = None
    """Of a list that is a table whatever its name; `path` of one whose name ends in `.csv` otherwise."""
    gpu: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is ready to begin or to go on."""

    output: Output
    manifest: Manifest
    work: Work
    tally: Tally
    """Of the finished shards; grows with them."""
    unfinished: tuple[int, ...]
    digests: tuple[bytes, ...]
    """Of the lists of all shards."""


def prepare(wanted: Wanted, output: Output) -> Run:
    """Look for the images, or find out what is left to do of a run that was ended.

    Raises:
        DermaLensError: the bundle, the source or the output cannot be used, or the output belongs to another run.
    """
    source = find_source(wanted.source, column=wanted.list_column)
    names, tally = output.names(), Tally()
    work, plan, limits = _planned(wanted, source, is_new=MANIFEST not in names)
    manifest, digests = begin_or_resume(output, plan, source, limits)
    finished = [number for number in range(manifest.shards) if manifest.shard_name(number) in names]
    for number in finished:
        _count(output, manifest, number, tally)
    unfinished = tuple(sorted(set(range(manifest.shards)) - set(finished)))
    return Run(output, manifest, work, tally, unfinished, digests)


def finish(
    run: Run, engine: Engine, *, max_errors: str | None = None, advance: Callable[[int], None] = lambda _: None
) -> None:
    """Write the shards that are missing; `advance` is called with the number of images whenever some are scored.

    Raises:
        BatchError: more errors than allowed, the storage gives none of the images of a shard, or the output cannot be
            written; finished shards stay.
    """
    patience = Patience(run, max_errors)
    if not run.unfinished:
        return
    timings = Timings(run.output)
    lists = (keys_of(run.output, number, run.digests[number]) for number in run.unfinished)
    try:
        with closing(_watched(engine(lists, run.work), patience, advance)) as pieces:
            shards = _shards(pieces, [run.manifest.images_in(number) for number in run.unfinished])
            for number, rows in zip(run.unfinished, shards, strict=True):
                name = run.manifest.shard_name(number)
                _refuse_unread(run, name, rows)
                run.output.write(name, shard_bytes(rows, run.manifest, run.work.classes))
                run.tally.count(*(rows[column] for column in COUNTED))
                timings.add(name, len(rows["path"]))
    finally:
        timings.write()


class Patience:
    """Counts errors, and ends a run that has more of them than allowed."""

    def __init__(self, run: Run, most: str | None) -> None:
        self._output = run.output.name
        self._most = None if most is None else allowed_errors(most, run.manifest.images)
        self._seen = Tally(errors=run.tally.errors, failed=list(run.tally.failed))
        self._check()

    def see(self, rows: Rows) -> None:
        """Count some rows.

        Raises:
            BatchError: there are too many errors.
        """
        self._seen.count(*(rows[column] for column in COUNTED))
        self._check()

    def _check(self) -> None:
        if self._most is not None and self._seen.errors > self._most:
            raise BatchError(
                f"Stopped: {self._seen.errors} images have an error, --max-errors allows {self._most}: "
                f"{self._seen.named}. Finished shards stay in {self._output}; a larger number goes on."
            )


class Timings:
    """The side file with the seconds of each shard, which differ from run to run."""

    def __init__(self, output: Output) -> None:
        self._output = output
        is_there = not isinstance(output, LocalFolder) and TIMINGS in output.names()
        self._lines = output.read(TIMINGS).decode().splitlines(keepends=True) if is_there else []
        self._began = self._written = time.monotonic()

    def add(self, name: str, images: int) -> None:
        """A shard that is finished."""
        now = time.monotonic()
        seconds, self._began = now - self._began, now
        line = {"shard": name, "images": images, "seconds": round(seconds, 3), "finished": round(time.time())}
        text = json.dumps(line) + "\n"
        if isinstance(self._output, LocalFolder):
            self._output.append(TIMINGS, text.encode())
            return
        self._lines.append(text)
        if now - self._written > TIMINGS_EVERY_SECONDS:
            self.write()
            self._written = now

    def write(self) -> None:
        """All lines anew, where a file cannot be added to."""
        if self._lines:
            self._output.write(TIMINGS, "".join(self._lines).encode())


def allowed_errors(text: str, images: int) -> int:
    """How many errors `--max-errors` allows: a number, or a share of all images.

    Raises:
        BatchError: it is neither.

    >>> allowed_errors("10", 5000), allowed_errors("0.01", 5000), allowed_errors("0.29", 100)
    (10, 50, 29)
    """
    try:
        if text.isdecimal():
            return int(text)
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise BatchError(f"--max-errors {text} given; needed is a number of images, or a share of them such as 0.01.")
    return int(Decimal(text) * images)


def _count(output: Output, manifest: Manifest, number: int, tally: Tally) -> None:
    name = manifest.shard_name(number)
    try:
        count_shard(output.read(name), manifest, number, tally)
    except ValueError as error:
        raise BatchError(
            f"{output.name}/{name} is damaged ({reason_of(error)}); delete it and the same command makes it anew."
        ) from error


def _planned(wanted: Wanted, source: Source, *, is_new: bool) -> tuple[Work, Plan, list[str]]:
    """A bundle with a graph that cannot be opened is to be found before anything is written, not by the workers."""
    if wanted.gpu and not os.environ.get("RAY_ADDRESS"):  # in a cluster the GPUs are elsewhere; an actor looks itself
        from dermalens.batch.gpu import check_gpu

        check_gpu()
    bundle = checked(wanted.bundle)
    classifier = open_classifier(bundle) if is_new else Classifier(bundle, sessions=())
    point = classifier.operating_point(wanted.operating_point)
    classifier.check(Asked(point, wanted.prevalence))
    if wanted.prevalence is not None:
        base_prevalence(classifier.manifest)
    sha256 = classifier.bundle.sha256
    options = Options(point.name, wanted.prevalence, source.base, sha256, gpu=wanted.gpu)
    work = Work(wanted.bundle, options, tuple(classifier.manifest.classes), sha256)
    plan = Plan(
        dermalens=__version__,
        source=printable(source.identity),
        list_column=source.column,
        list_sha256=source.sha256,
        bundle_sha256=sha256,
        operating_point=point.name,
        prevalence=wanted.prevalence,
        format=wanted.format,
        shard_size=wanted.shard_size,
        device="gpu" if wanted.gpu else "cpu",
    )
    return work, plan, list(classifier.manifest.limits)


def _refuse_unread(run: Run, name: str, rows: Rows) -> None:
    """Of a shard that would count as finished, and that no run would make again.

    Raises:
        BatchError: the storage gave none of its images.
    """
    if all(str(error).endswith(STORAGE_ADVICE) for error in rows["error"]):
        raise BatchError(
            f"Stopped before {name}: the storage gives none of its images, {len(rows['path']):,} in number. "
            f"{rows['path'][0]} {rows['error'][0]} Finished shards stay in {run.output.name}; the same command goes on "
            "from there."
        )


def _watched(pieces: Pieces, patience: Patience, advance: Callable[[int], None]) -> Pieces:
    with closing(pieces):  # the processes of the engine end here
        for rows in pieces:
            patience.see(rows)
            advance(len(rows["path"]))
            yield rows


def _shards(pieces: Iterator[Rows], sizes: list[int]) -> Iterator[Rows]:
    """The same rows in pieces of the lengths of the shards."""
    held: list[Rows] = []
    count = 0
    for size in sizes:
        while count < size:
            held.append(next(pieces))
            count += len(held[-1]["path"])
        together = joined(held)
        yield {name: values[:size] for name, values in together.items()}
        held = [{name: values[size:] for name, values in together.items()}]
        count -= size
