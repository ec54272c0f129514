"""Bounds that the record, the settings of a server and the commands share; importing them loads no database."""

from __future__ import annotations

from typing import Final

MOST_DAYS: Final = 36_500
"""Of a retention: a century; a day longer ago than that may be in no year."""
