"""Days as browsers send them."""

from __future__ import annotations

from datetime import date

from dermalens.records.errors import BadValue
from dermalens.serve.pages.i18n import Language


def read_day(text: str, language: Language) -> date | None:
    """The day that a field holds; None where it is empty.

    Raises:
        BadValue: it is none, in the words of the page.
    """
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        words = language.gettext("“{text}” is not a date. Needed is one such as 2026-11-21.", text=text[:40])
        raise BadValue(words) from error
