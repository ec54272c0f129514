"""Medians of repeated calls, and what machine they were taken on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

PACKAGES = ("dermalens", "numpy", "onnxruntime", "opencv-python-headless", "pillow", "timm", "torch")


def median_ms(call: Callable[[], object], *, repeats: int = 30, warm_up: int = 3) -> float:
    """Median wall-clock time of one call in milliseconds."""
    for _ in range(warm_up):
        call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1000)
    return round(statistics.median(times), 2)


def machine() -> dict[str, str | int]:
    """Processor, cores, system and versions."""
    versions = {f"version_{name}": _version(name) for name in PACKAGES}
    return {"processor": _processor(), "cores": os.cpu_count() or 0, "system": platform.platform(), **versions}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
