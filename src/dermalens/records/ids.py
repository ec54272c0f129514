"""Ids of cases, lesions and jobs: 32 digits of 0-9 and a-f."""

from __future__ import annotations

import re
from uuid import uuid4

from dermalens.records.errors import BadValue


def is_id(text: str) -> bool:
    """Whether a text has the form of an id; what has not is in no table.

    >>> is_id("0" * 32), is_id("0" * 31), is_id("../" + "0" * 29)
    (True, False, False)
    """
    return re.fullmatch("[0-9a-f]{32}", text) is not None


def given_or_new(given: str | None, what: str) -> str:
    """The id that a caller gives to what it makes, such as a `case`, or a new one.

    Raises:
        BadValue: what is given has not the form of an id.
    """
    if given is not None and not is_id(given):
        raise BadValue(f"The id of the {what} is {given[:40]!r}; needed are 32 digits of 0-9 and a-f.")
    return given or uuid4().hex
