"""Numbers as people write them."""

from __future__ import annotations

import math

from dermalens.records.errors import BadValue
from dermalens.serve.pages.i18n import Language


def read_number(text: str, language: Language) -> float | None:
    """The number that a field holds, with a point or a comma; None where it is empty.

    Raises:
        BadValue: it is none, in the words of the page.
    """
    if not text.strip():
        return None
    try:
        value = float(text.strip().replace(",", ".").removesuffix("%"))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadValue(
            language.gettext(
                "“{text}” is not a number. Write one such as 3 or leave the field empty.", text=text.strip()[:40]
            )
        )
    return value
