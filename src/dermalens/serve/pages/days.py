"""Days as browsers send them."""

from __future__ import annotations

from datetime import date, datetime

from dermalens.records.errors import BadValue
from dermalens.serve.days import day_of
from dermalens.serve.pages.i18n import Language


def read_day(text: str, language: Language) -> date | None:
    """The day that a field holds; None where it is empty.

    Raises:
        BadValue: it is none, in the words of the page.
    """
    if not text.strip():
        return None
    try:
        return day_of(text.strip())
    except ValueError as error:
        words = language.gettext("“{text}” is not a date. Needed is one such as 2026-11-21.", text=text[:40])
        raise BadValue(words) from error


def today() -> date:
    """By the clock of the server, as all days of the page."""
    return datetime.now().astimezone().date()
