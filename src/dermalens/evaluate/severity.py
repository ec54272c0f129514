"""The five severities of a corruption, and a table's entry for one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from dermalens.core.errors import DataError

SEVERITIES: Final = (1, 2, 3, 4, 5)
"""From hardly noticed to what nobody would send in; after Hendrycks and Dietterich, ICLR 2019."""

Level = TypeVar("Level")


def level(levels: Sequence[Level], severity: int) -> Level:
    """What a table of five has for a severity.

    Raises:
        DataError: a severity that there is not.

    >>> level("abcde", 2)
    'b'
    """
    if severity not in SEVERITIES:
        raise DataError(f"Severity {severity} given; a corruption has the severities 1 (slight) to 5 (severe).")
    return levels[severity - 1]
