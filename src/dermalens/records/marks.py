"""The small files of a data folder that say which database it belongs to, and how much of it the folder has seen."""

from __future__ import annotations

from pathlib import Path

from dermalens.records.errors import told
from dermalens.records.store import Records


def mark_path(records: Records, name: str) -> Path:
    """Where the mark of this name lies."""
    return records.spool.parent / name


def read_mark(records: Records, name: str) -> bytes | None:
    """What it says; None where there is none.

    Raises:
        RecordsError: the folder is away or cannot be read.
    """
    with told():
        try:
            return mark_path(records, name).read_bytes()
        except FileNotFoundError:
            return None
