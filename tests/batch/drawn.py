"""A folder of drawn images, and runs over it; scorers that die."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image

from dermalens.batch.output import open_output
from dermalens.batch.run import Run, Wanted, finish, prepare
from dermalens.batch.scorer import Scorer
from dermalens.batch.workers import score_locally
from dermalens.core.taxonomy import CLASSES
from tests.tiny_bundle import lesion, page

COUNT = 37


def draw(folder: Path) -> Path:
    (folder / "deep").mkdir(parents=True)
    for number in range(34):
        place = folder / "deep" if number % 5 == 0 else folder
        lesion(CLASSES[number % 7], (100 + number, 90)).save(place / f"{number:03}.png")
    page().save(folder / "page.png")
    Image.new("RGB", (120, 100), (200, 150, 140)).save(folder / "blank.png")
    (folder / "bad.jpg").write_text("text named jpg")
    (folder / "notes.txt").write_text("no image")
    (folder / "._000.png").write_text("macOS leaves these")
    return folder


def ready(bundle: str, source: object, out: object, **options: object) -> Run:
    """A run in shards of five images."""
    wanted = Wanted(str(source), bundle, **{"shard_size": 5, **options})  # type: ignore[arg-type]
    return prepare(wanted, open_output(str(out)))


def score(bundle: str, source: object, out: object, *, workers: int = 0, scorer=Scorer, **options: object) -> Run:
    max_errors = options.pop("max_errors", None)
    run = ready(bundle, source, out, **options)
    run = replace(run, work=replace(run.work, scorer=scorer))
    finish(run, partial(score_locally, workers=workers), max_errors=max_errors)  # type: ignore[arg-type]
    return run


def shards(out: Path) -> dict[str, bytes]:
    """Every file that is to be the same however the run went."""
    kept = [path for path in out.rglob("*") if path.is_file() and path.name not in ("timings.jsonl", "run.lock")]
    return {str(path.relative_to(out)): path.read_bytes() for path in kept}


def rows_of(out: Path) -> list[dict[str, object]]:
    """The rows of all shards."""
    return [row for path in sorted(out.glob("part-*.parquet")) for row in pq.read_table(path).to_pylist()]


class DiesOnce(Scorer):
    """Killed when it is handed several images with 007.png among them, as by the out-of-memory killer."""

    def __call__(self, batch):
        if len(batch["path"]) > 1 and any(os.fsdecode(path).endswith("007.png") for path in batch["path"]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(batch)


class DiesAlways(Scorer):
    """Killed by 007.png, also when that is alone."""

    def __call__(self, batch):
        if any(os.fsdecode(path).endswith("007.png") for path in batch["path"]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(batch)


class DiesAtOnce(Scorer):
    """Killed while it loads."""

    def __init__(self, *given):
        os.kill(os.getpid(), signal.SIGKILL)


class DiesAnewWhileItLoads(DiesOnce):
    """As `DiesOnce`, and every later process is killed while it loads, as where the memory has run out meanwhile."""

    def __init__(self, bundle, *given):
        mark = Path(bundle, "loaded")
        if mark.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        mark.touch()
        super().__init__(bundle, *given)


class LacksAPackage(Scorer):
    """Raises while it loads what no command expects."""

    def __init__(self, *given):
        raise ImportError("libcudnn.so.9: cannot open shared object file")


class FailsAtOne(Scorer):
    """Raises at 007.png what no image should make it raise."""

    def __call__(self, batch):
        if any(os.fsdecode(path).endswith("007.png") for path in batch["path"]):
            raise RuntimeError("a bug of ours")
        return super().__call__(batch)


def owner() -> int:
    """The process that started this one; the server that it may be forked from does not count."""
    process = multiprocessing.parent_process()
    assert process
    assert process.pid
    return process.pid


class KillsItsOwner(Scorer):
    """Kills the process that started it, an actor of Ray, at 007.png: as Ray's memory monitor and a lost machine do."""

    names: tuple[str, ...] = ("007.png",)

    def __call__(self, batch):
        for path in map(os.fsdecode, batch["path"]):
            if path.endswith(self.names) and self.is_to_die(path):
                os.kill(owner(), signal.SIGKILL)
        return super().__call__(batch)

    def is_to_die(self, path):
        return True


class KillsItsServer(Scorer):
    """Kills the process that it was forked from, where that lives; it marks that in the folder of the bundle."""

    def __init__(self, bundle, *given):
        self._bundle = bundle
        super().__init__(bundle, *given)

    def __call__(self, batch):
        server = os.getppid()
        if server not in (owner(), 1):
            os.kill(server, signal.SIGKILL)
            Path(self._bundle, f"killed-{server}").touch()
        return super().__call__(batch)


class KillsThreeOwners(KillsItsOwner):
    """As `KillsItsOwner`, once at each of three images; it marks them in the folder of the bundle."""

    names = ("001.png", "014.png", "028.png")

    def __init__(self, bundle, *given):
        self._bundle = bundle
        super().__init__(bundle, *given)

    def is_to_die(self, path):
        mark = Path(self._bundle, f"killed-{Path(path).name}")
        is_new = not mark.exists()
        mark.touch()
        return is_new
