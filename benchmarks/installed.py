"""How much disk the packages take that something needs, from what the installer recorded of them.

The requirements of the packages are followed as `pip install` would follow them on this machine, without extras that
nobody asks for. The size is that of the files in their RECORD as they lie there, compiled modules included; Python
itself, pip and shared system libraries are in none of the figures.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE: Final = Path(importlib.metadata.distribution("numpy").locate_file(""))  # type: ignore[arg-type]  # a path at heart
NVIDIA: Final = ("nvidia", "triton", "cuda")
"""How the names of the packages begin that PyTorch needs on Linux for GPUs, and nobody needs without one."""


def installed(packages: Iterable[str], folder: Path = HERE) -> dict[str, float | int]:
    """Megabytes of the packages and all that they need, in a folder of installed packages; how many, and without CUDA.

    Raises:
        SystemExit: one of them is not installed there.
    """
    every = importlib.metadata.distributions(path=[str(folder)])
    found: dict[str, importlib.metadata.Distribution] = {canonicalize_name(one.name): one for one in every}
    needed = closure(packages, found)
    sizes = {name: _bytes(found[name]) for name in needed}
    light = [size for name, size in sizes.items() if not name.startswith(NVIDIA)]
    return {
        "packages": len(sizes),
        "megabytes": _megabytes(sum(sizes.values())),
        "megabytes_without_cuda_packages": _megabytes(sum(light)),
    }


def closure(packages: Iterable[str], found: dict[str, importlib.metadata.Distribution]) -> set[str]:
    """Names of the packages with all that they need in turn."""
    waiting = [Requirement(package) for package in packages]
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name not in found:
            raise SystemExit(f"{name} is needed and not installed in the folder that is looked at.")
        for extra in ("", *wanted.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += _needs(found[name], extra)
    return {name for name, _ in seen}


def _needs(distribution: importlib.metadata.Distribution, extra: str) -> list[Requirement]:
    requirements = [Requirement(line) for line in distribution.requires or ()]
    return [one for one in requirements if one.marker is None or one.marker.evaluate({"extra": extra})]


def _bytes(distribution: importlib.metadata.Distribution) -> int:
    places = [Path(distribution.locate_file(file)) for file in distribution.files or ()]  # type: ignore[arg-type]
    return sum(place.stat().st_size for place in places if place.is_file())


def folder_bytes(folder: Path) -> int:
    """Of all files below it; those of one's own package that is installed to be edited."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def site_packages(environment: Path) -> Path:
    """Where a virtual environment of this Python has its packages."""
    return environment / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def _megabytes(size: int) -> float:
    return round(size / 1e6, 1)
