"""Medians of repeated calls, and what machine and packaged bundle they were taken with."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import dermalens

PACKAGES = (
    "dermalens", "keras", "lightning", "numpy", "onnxruntime", "opencv-python-headless", "pillow", "pyarrow", "ray",
    "timm", "torch", "torchvision",
)  # fmt: skip
BUNDLE = Path(dermalens.__file__).parent / "bundles" / "default" / "bundle.json"


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
    """Processor, cores, system, versions and the packaged bundle."""
    versions = {f"version_{name}": _version(name) for name in PACKAGES}
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "system": platform.platform(),
        "packaged_bundle": _packaged(),
        **versions,
    }


def _packaged() -> str:
    content = BUNDLE.read_bytes()
    manifest = json.loads(content)
    return f"{manifest['name']} {manifest['version']} ({hashlib.sha256(content).hexdigest()[:12]})"


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
