"""One image from bytes to answer, beside published apps of this kind, each as its own figures and in the same run.

    make bench ARGS=single_image        (about 4 minutes)

The peers are in benchmarks/peers.py. All calls take turns, so that whatever else the machine does meets all of them
alike. Memory is the peak of a whole process that answers for one image; the installed size is that of the packages
which its code needs (benchmarks/installed.py), ours in the environment that `make .venv-base/installed` makes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.answer_parts import in_turns
from benchmarks.installed import folder_bytes, installed, site_packages
from benchmarks.peers import PEERS
from benchmarks.pictures import LARGE, SMALL, jpeg
from benchmarks.timing import machine

ROOT = Path(__file__).resolve().parents[1]
BASE: Final = ROOT / ".venv-base"
COLD_STARTS = 7
REPEATS: Final = 15

Figures = dict[str, float]


def measure(
    names: Sequence[str] = tuple(PEERS), *, repeats: int = REPEATS, starts: int = COLD_STARTS
) -> dict[str, Any]:
    """All figures of the issue: times, cold start, memory, size; each beside its counterpart."""
    import torch

    import dermalens

    small, large = jpeg(*SMALL), jpeg(*LARGE)
    classifier = dermalens.load()
    opened = {name: PEERS[name].open() for name in names}
    answers: dict[str, Callable[[bytes], object]] = {"dermalens": classifier.predict}
    answers |= {name: peer.answer for name, peer in opened.items()}
    torch.set_num_threads(1)
    at_small, at_large = _times(answers, small, repeats), _times(answers, large, repeats)
    torch.set_num_threads(2)
    two_threads = _times({name: peer.answer for name, peer in opened.items()}, small, repeats)
    found = {
        "machine": machine(),
        "repeats": repeats,
        "bytes_to_answer_600x450_ms": at_small["dermalens"],
        "bytes_to_answer_12_megapixels_ms": at_large["dermalens"],
        **_flat(names, at_small, at_large, two_threads),
        "times_faster_600x450": _ratio(at_small[names[0]], at_small["dermalens"]),
        "times_faster_12_megapixels": _ratio(at_large[names[0]], at_large["dermalens"]),
        **processes(small, names, starts),
    }
    return found | {"installed": sizes(names), "peers": _side_by_side(names, found)}


def processes(data: bytes, names: Sequence[str], starts: int) -> Figures:
    """Whole processes: `--help`, `predict` and its peak memory, and those of the peers."""
    command = [sys.executable, "-m", "dermalens"]
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.jpg"
        picture.write_bytes(data)
        predict = [*command, "predict", str(picture), "--json"]
        peers = {name: [sys.executable, "-m", "benchmarks.peers", name, str(picture)] for name in names}
        runs = {name: _process(peer, min(3, starts)) for name, peer in peers.items()}
        ours = _process(predict, starts)
        return {
            "help_s": _process([*command, "--help"], starts)[0],
            "cold_start_predict_s": ours[0],
            **{f"cold_start_{name}_s": seconds for name, (seconds, _) in runs.items()},
            "peak_memory_predict_mb": ours[1],
            **{f"peak_memory_{name}_mb": megabytes for name, (_, megabytes) in runs.items()},
        }


def sizes(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Installed size of what each needs; ours with the package itself, its graphs included."""
    has_base = (BASE / "installed").is_file()  # made by `make .venv-base/installed`
    base = site_packages(BASE) if has_base else None
    ours = installed(["dermalens"], base) if base else installed(["dermalens"])
    own = folder_bytes(ROOT / "src" / "dermalens") / 1e6  # installed to be edited: its RECORD names none of its files
    ours |= {key: round(value + own, 1) for key, value in ours.items() if key.startswith("megabytes")}
    where = ".venv-base" if has_base else ".venv, requirements followed"
    return {
        "dermalens": {"where": where, **ours},
        **{name: {"where": ".venv, requirements followed", **installed(PEERS[name].packages)} for name in names},
    }


def _times(answers: dict[str, Callable[[bytes], object]], data: bytes, repeats: int) -> Figures:
    calls = {name: (lambda answer=answer: answer(data)) for name, answer in answers.items()}
    return {name: round(milliseconds, 2) for name, milliseconds in in_turns(calls, repeats=repeats).items()}


def _flat(names: Sequence[str], small: Figures, large: Figures, two_threads: Figures) -> Figures:
    return {
        key: value
        for name in names
        for key, value in (
            (f"{name}_600x450_ms", small[name]),
            (f"{name}_12_megapixels_ms", large[name]),
            (f"{name}_600x450_two_threads_ms", two_threads[name]),
        )
    }


def _side_by_side(names: Sequence[str], found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each peer is, and how many times more it takes than we do."""
    pairs = {
        "600x450": ("{}_600x450_ms", "bytes_to_answer_600x450_ms"),
        "12_megapixels": ("{}_12_megapixels_ms", "bytes_to_answer_12_megapixels_ms"),
        "cold_start": ("cold_start_{}_s", "cold_start_predict_s"),
        "peak_memory": ("peak_memory_{}_mb", "peak_memory_predict_mb"),
    }
    return {
        name: {
            "what": PEERS[name].words,
            **{
                f"times_{what}": _ratio(found[theirs.format(name)], found[ours])
                for what, (theirs, ours) in pairs.items()
            },
        }
        for name in names
    }


def _ratio(theirs: float, ours: float) -> float:
    return round(theirs / ours, 1)


def _process(command: list[str], repeats: int) -> tuple[float, float]:
    """Median seconds and largest peak of resident memory of a command, by a fresh interpreter with this child only."""
    wrapper = (
        "import resource,subprocess,sys,time; start=time.perf_counter(); "
        "subprocess.run(sys.argv[1:], check=True, capture_output=True); "
        "print(time.perf_counter()-start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    runs = []
    for _ in range(repeats):
        asked = [sys.executable, "-c", wrapper, *command]
        done = subprocess.run(asked, check=True, capture_output=True, text=True, cwd=ROOT)
        runs.append([float(figure) for figure in done.stdout.split()])
    seconds, kibibytes = zip(*runs, strict=True)  # Linux counts in KiB
    return round(median(seconds), 3), round(max(kibibytes) / 1024, 1)
