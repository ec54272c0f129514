"""A folder of images: `dermalens batch` beside its bound, and beside published apps in a loop and with a DataLoader.

    make bench ARGS=folder        (about 12 minutes; nothing else should run)

Folders of either size, the peers beside them, and one folder with both. The bound (benchmarks/bound.py) is measured
before, between and after, and each rate is held against the two around it. The whole command is what a user types; the
steady rate (benchmarks/batch_run.py) leaves its start and its end out.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.batch_run import steady_run
from benchmarks.bound import CORES, between, bound
from benchmarks.many_pictures import drawn, fill
from benchmarks.peers import PEERS
from benchmarks.pictures import LARGE, SMALL
from benchmarks.reader_thread import reader_thread
from benchmarks.timing import machine
from benchmarks.watched import dermalens, printed, watch

AIM: Final = 0.9
HOW: Final = ("loop", "loader")
TOGETHER: Final = "both"


@dataclass(frozen=True, slots=True)
class Kind:
    """A folder that is measured."""

    name: str
    pixels: tuple[int, int]
    images: int
    distinct: int
    of_a_peer: int
    """Images that a peer is given."""
    of_the_bound: int
    """Images of each core."""


KINDS: Final = (Kind("600x450", SMALL, 2000, 50, 104, 200), Kind("12_megapixels", LARGE, 200, 10, 40, 60))


def measure(
    kinds: Sequence[Kind] = KINDS, names: Sequence[str] = tuple(PEERS), *, reader_images: int = 200
) -> dict[str, Any]:
    """Each folder, with the peers beside us; all of them in one folder; and what a thread that reads ahead brings."""
    return {
        "machine": machine(),
        "workers": CORES,
        "folders": {kind.name: folder([kind], names) for kind in kinds} | {TOGETHER: folder(kinds, ())},
        "aim_share_of_bound": AIM,
        "reader_thread": reader_thread(reader_images),
    }


def folder(kinds: Sequence[Kind], names: Sequence[str]) -> dict[str, Any]:
    """One folder with the images of these kinds; the peers are given as many as the first kind says."""
    pictures = [drawn(kind.distinct, kind.pixels) for kind in kinds]
    images = sum(kind.images for kind in kinds)
    with tempfile.TemporaryDirectory() as name:
        source = filled(Path(name), kinds, pictures)
        source_bytes = sum(file.stat().st_size for file in source.rglob("*.jpg"))
        bounds = [bound_of(kinds, pictures)]
        whole = watch(dermalens("batch", source, Path(name) / "whole"))
        bounds.append(bound_of(kinds, pictures))
        steady = steady_run(source, Path(name) / "steady")
        bounds.append(bound_of(kinds, pictures))
        peers = {one: {how: _peer(one, how, source, kinds[0].of_a_peer) for how in HOW} for one in names}
    around_whole, around_steady = between(*bounds[:2]), between(*bounds[1:])
    rate = images / whole.seconds
    return {
        "images": images,
        "distinct": sum(kind.distinct for kind in kinds),
        "bytes_of_an_image": round(source_bytes / images),
        "bounds": bounds,
        "whole_command": {
            "seconds": round(whole.seconds, 2),
            "images_per_second": round(rate, 3),
            "share_of_bound": round(rate / around_whole["images_per_second"], 3),
            **whole.memory(),
        },
        "steady": steady | against(steady, around_steady),
        "peers": {
            one: {**rates, **{f"times_{how}": round(steady["images_per_second"] / rates[how], 1) for how in HOW}}
            for one, rates in peers.items()
        },
    }


def filled(place: Path, kinds: Sequence[Kind], pictures: Sequence[Sequence[bytes]]) -> Path:
    """A folder below `place` with a folder of each kind."""
    source = place / "pictures"
    source.mkdir()
    for kind, of_a_kind in zip(kinds, pictures, strict=True):
        fill(place / kind.name, kind.images, of_a_kind).rename(source / kind.name)
    return source


def bound_of(kinds: Sequence[Kind], pictures: Sequence[Sequence[bytes]]) -> dict[str, float]:
    """The bound of a folder with so many images of each kind: each kind's own, by its share of the work."""
    apart = [bound(of_a_kind, kind.of_the_bound) for kind, of_a_kind in zip(kinds, pictures, strict=True)]
    return combined(apart, [kind.images for kind in kinds])


def combined(bounds: Sequence[dict[str, float]], images: Sequence[int]) -> dict[str, float]:
    """What the cores could do at most with so many images of each bound, one after another."""
    shares = [count / sum(images) for count in images]

    def mean(values: Iterable[float]) -> float:
        return sum(share * value for share, value in zip(shares, values, strict=True))

    return {
        "images_per_second": round(1 / mean(1 / one["images_per_second"] for one in bounds), 3),
        "median_ms": round(mean(one["median_ms"] for one in bounds), 2),
        "processor_ms": round(mean(one["processor_ms"] for one in bounds), 2),
    }


def against(steady: dict[str, float], around: dict[str, float]) -> dict[str, float]:
    """Shares of the bound: by the clock, and by processor time, which other work on the machine touches less."""
    used = steady["processor_ms_per_image"] + steady["processor_ms_per_image_of_this_process"]
    return {
        "share_of_bound": round(steady["images_per_second"] / around["images_per_second"], 3),
        "share_of_bound_by_processor_time": round(around["processor_ms"] / used, 3),
    }


def _peer(name: str, how: str, source: Path, count: int) -> float:
    return float(printed([sys.executable, "-m", "benchmarks.folder_peer", name, how, str(source), str(count)]))
