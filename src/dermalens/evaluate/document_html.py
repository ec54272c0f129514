"""A document as one HTML file: no network, no script, light and dark, for a telephone, a screen and a printer."""

from __future__ import annotations

import base64
import re
from html import escape
from itertools import groupby
from typing import Final

from dermalens.evaluate.document import Block, Bullets, Document, Picture, Section, Table, anchor
from dermalens.evaluate.document_style import style

DISCLAIMER: Final = (
    "DermaLens is decision support for research and education, not a medical device. It classifies; it makes no "
    "diagnosis."
)
"""At the end of every page."""

_CODE: Final = re.compile(r"`([^`]+)`")
_INTERVAL: Final = re.compile(r" (\([^()]+ to [^()]+\))$")

_DENSE: Final = 5
"""Columns from which a table has its intervals below the values."""


def to_html(document: Document) -> str:
    """The page, with the disclaimer at its end."""
    contents = "".join(
        f'<li><a href="#{anchor(section.title)}">{_inline(section.title)}</a></li>' for section in document.sections
    )
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(document.title)}</title>",
            f"<style>{style()}</style>",
            "</head>",
            "<body>",
            "<header>",
            f"<h1>{_inline(document.title)}</h1>",
            *_blocks(document.opening),
            f'<nav aria-label="Contents"><h2>Contents</h2><ol>{contents}</ol></nav>',
            "</header>",
            "<main>",
            *map(_section, document.sections),
            "</main>",
            f"<footer><p>{_inline(DISCLAIMER)}</p></footer>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _section(section: Section) -> str:
    name = anchor(section.title)
    lines = [
        f'<section id="{name}" aria-labelledby="{name}-title">',
        f'<h2 id="{name}-title">{_inline(section.title)}</h2>',
        *_blocks(section.blocks),
        "</section>",
    ]
    return "\n".join(lines)


def _blocks(blocks: tuple[Block, ...]) -> list[str]:
    """Figures that follow each other stand side by side where there is room."""
    lines = []
    for are_figures, run in groupby(blocks, key=lambda block: isinstance(block, Picture) and not block.wide):
        written = [_block(block) for block in run]
        lines += ['<div class="figures">', *written, "</div>"] if are_figures else written
    return lines


def _block(block: Block) -> str:
    if isinstance(block, str):
        return f"<p>{_inline(block)}</p>"
    if isinstance(block, Bullets):
        return f"<ul>{''.join(f'<li>{_inline(item)}</li>' for item in block.items)}</ul>"
    return _table(block) if isinstance(block, Table) else _picture(block)


def _table(table: Table) -> str:
    """In a frame that scrolls sideways on a narrow screen; by keyboard too, hence the tab stop."""
    caption = _inline(table.caption)
    head = "".join(f'<th scope="col">{_inline(cell)}</th>' for cell in table.head)
    rows = "".join(
        f'<tr><th scope="row">{_inline(row[0])}</th>{"".join(f"<td>{_cell(cell)}</td>" for cell in row[1:])}</tr>'
        for row in table.rows
    )
    kind = "dense" if len(table.head) >= _DENSE else "plain"
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.caption)}"><table class="{kind}">'
        f"<caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell(text: str) -> str:
    return _INTERVAL.sub(r' <span class="interval">\1</span>', _inline(text))


def _picture(picture: Picture) -> str:
    drawn = picture.svg or (
        f'<img alt="{escape(picture.alt)}" src="data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode()}">'
    )
    frame = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(picture.title)}">{drawn}</div>'
    name = "wide" if picture.wide else "single"
    return (
        f'<figure class="{name}">{frame if picture.wide else drawn}<figcaption>{_inline(picture.title)}'
        f"</figcaption></figure>"
    )


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))
