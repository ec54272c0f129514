"""A document as plain values: what it says is put together once and written as HTML or Markdown.

In every text, words between backticks are code; nothing else is markup.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of points."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column names its rows."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure with its title and its words for those who cannot see it."""

    title: str
    alt: str
    svg: str = ""
    """Part of a page; "" for a photograph."""
    jpeg: bytes = b""
    wide: bool = False
    """It takes the whole width of a page."""


Block = str | Bullets | Table | Picture
"""A text is a paragraph."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a document under a heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole document."""

    title: str
    opening: tuple[Block, ...]
    """Before the first section."""
    sections: tuple[Section, ...]


def anchor(title: str) -> str:
    """The name by which a heading is linked to.

    >>> anchor("Data and licence")
    'data-and-licence'
    """
    words = "".join(character if character.isalnum() else " " for character in title.lower()).split()
    return "-".join(words)
