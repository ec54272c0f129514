"""How many processor cores this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Final

CGROUP: Final = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = CGROUP) -> int:
    """The cores that the system gives to this process, as many as a container's share of time is worth, at least one.

    A container with `--cpus 2` on a machine of 64 cores sees all 64, and is halted when it has used the time of two.
    The share is that of control groups, version 2 or 1, as Linux has them.
    """
    given = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = _share(cgroup)
    return given if share is None else max(1, min(given, math.ceil(share)))


def _share(cgroup: Path) -> float | None:
    """Cores by the quota of time; None without one."""
    try:
        if (both := cgroup / "cpu.max").exists():
            quota, period = both.read_text(encoding="ascii").split()
        else:
            quota, period = (
                (cgroup / "cpu" / name).read_text(encoding="ascii")
                for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            )
        share = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # no such files, or "max"
        return None
    return share if share > 0 else None
