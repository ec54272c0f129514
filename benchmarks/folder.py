"""A folder of images: `dermalens batch` beside its bound, and beside published apps in a loop and with a DataLoader.

    make bench ARGS=folder        (about 8 minutes; nothing else should run)

The bound (benchmarks/bound.py) is measured before, between and after, and each rate is held against the two around it.
The whole command is what a user types; the steady rate (benchmarks/batch_run.py) leaves its start and its end out.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
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
    """Each folder, with us, with the peers and against the bound; and what a thread that reads ahead brings."""
    return {
        "machine": machine(),
        "workers": CORES,
        "folders": {kind.name: folder(kind, names) for kind in kinds},
        "aim_share_of_bound": AIM,
        "reader_thread": reader_thread(reader_images),
    }


def folder(kind: Kind, names: Sequence[str]) -> dict[str, Any]:
    """One folder."""
    pictures = drawn(kind.distinct, kind.pixels)
    with tempfile.TemporaryDirectory() as name:
        source = fill(Path(name) / "pictures", kind.images, pictures)
        bounds = [bound(pictures, kind.of_the_bound)]
        whole = watch(dermalens("batch", source, Path(name) / "whole"))
        bounds.append(bound(pictures, kind.of_the_bound))
        steady = steady_run(source, Path(name) / "steady")
        bounds.append(bound(pictures, kind.of_the_bound))
        peers = {one: {how: _peer(one, how, source, kind.of_a_peer) for how in HOW} for one in names}
    around_whole, around_steady = between(*bounds[:2]), between(*bounds[1:])
    rate = kind.images / whole.seconds
    return {
        "images": kind.images,
        "distinct": kind.distinct,
        "bytes_of_an_image": round(sum(map(len, pictures)) / len(pictures)),
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


def against(steady: dict[str, float], around: dict[str, float]) -> dict[str, float]:
    """Shares of the bound: by the clock, and by processor time, which other work on the machine touches less."""
    used = steady["processor_ms_per_image"] + steady["processor_ms_per_image_of_this_process"]
    return {
        "share_of_bound": round(steady["images_per_second"] / around["images_per_second"], 3),
        "share_of_bound_by_processor_time": round(around["processor_ms"] / used, 3),
    }


def _peer(name: str, how: str, source: Path, count: int) -> float:
    return float(printed([sys.executable, "-m", "benchmarks.folder_peer", name, how, str(source), str(count)]))
