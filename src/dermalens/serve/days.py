"""Days as they are sent: 2026-01-31, and nothing else that a library takes for one, such as seconds since 1970."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Final

from pydantic import BeforeValidator

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def day_of(text: str) -> date:
    """The day.

    Raises:
        ValueError: it is none.

    >>> day_of("2026-01-31")
    datetime.date(2026, 1, 31)
    """
    if not _DAY.fullmatch(text):
        raise ValueError("needed is a day such as 2026-01-31")
    return date.fromisoformat(text)


Day = Annotated[date, BeforeValidator(lambda value: day_of(value) if isinstance(value, str) else value)]
"""Of a request."""
