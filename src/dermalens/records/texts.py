"""Texts that people typed, as both databases take them."""

from __future__ import annotations

from typing import Final

from dermalens.records.errors import BadValue

MAX_LINE: Final = 200
"""Characters of a name, a site, a label."""

MAX_TEXT: Final = 10_000
"""Characters of a note or comment."""


def tidy(text: str, what: str, *, most: int = MAX_TEXT) -> str:
    r"""Without NUL, which PostgreSQL refuses, half surrogates, which no encoding has, and blanks at the ends.

    Every line end is one character, as the page counts it; its form sends two.

    >>> tidy(" a\0b\r\nc ", "note")
    'ab\nc'

    Raises:
        BadValue: it is longer than `most` characters.
    """
    clean = one_line_end(text.replace("\0", "")).encode("utf-8", "ignore").decode().strip()
    if len(clean) > most:
        raise BadValue(f"The {what} has {len(clean):,} characters; at most {most:,} are kept. Shorten it.")
    return clean


def one_line_end(text: str) -> str:
    """The text with one character for every line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def tidy_line(text: str, what: str) -> str:
    """As `tidy`, with every run of blanks and line ends made one blank, and shorter.

    Raises:
        BadValue: it is longer than 200 characters.
    """
    return tidy(" ".join(tidy(text, what).split()), what, most=MAX_LINE)
