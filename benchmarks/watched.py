"""A command as a user types it: how long it takes, and the memory of it and of its workers while it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil

ROOT: Final = Path(__file__).resolve().parents[1]
EVERY_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of a command that ended well."""

    seconds: float
    resident: tuple[tuple[float, float], ...]
    """Megabytes of the command itself and of all its workers together, a quarter of a second apart."""

    def memory(self) -> dict[str, Any]:
        """Peaks, and the median of each tenth of the run; pages that processes share count for each of them."""
        together = [own + workers for own, workers in self.resident]
        tenths = [together[len(together) * part // 10 : len(together) * (part + 1) // 10] for part in range(10)]
        return {
            "peak_mb_of_the_command": max(own for own, _ in self.resident),
            "peak_mb_of_its_workers": max(workers for _, workers in self.resident),
            "resident_mb_in_each_tenth": [round(median(tenth), 1) for tenth in tenths if tenth],
        }


def dermalens(*arguments: str | Path) -> list[str]:
    """A command of this checkout."""
    return [sys.executable, "-m", "dermalens", *map(str, arguments)]


def watch(command: Sequence[str]) -> Watched:
    """Run it to its end.

    Raises:
        SystemExit: it did not end well; with what it said.
    """
    resident = []
    with tempfile.TemporaryFile("w+") as said:
        began = time.perf_counter()
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=said) as process:
            while process.poll() is None:
                resident.append(_megabytes(psutil.Process(process.pid)))
                _wait(process)
        seconds = time.perf_counter() - began
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {said.read()[-500:]}")
    return Watched(seconds, tuple(resident))


def printed(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """The last line that it prints on standard output.

    Raises:
        SystemExit: it did not end well; with what it said.
    """
    own = os.environ | (environment or {})
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-500:]}")
    return done.stdout.splitlines()[-1]


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Until the next look, or until it ends."""
    try:
        process.wait(EVERY_SECONDS)
    except subprocess.TimeoutExpired:
        return


def _megabytes(process: psutil.Process) -> tuple[float, float]:
    def of(one: psutil.Process) -> float:
        try:
            return float(one.memory_info().rss) / 1e6
        except psutil.NoSuchProcess:  # it ended meanwhile
            return 0.0

    try:
        children = process.children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    return round(of(process), 1), round(sum(map(of, children)), 1)
