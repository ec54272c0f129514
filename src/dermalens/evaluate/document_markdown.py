"""A document as Markdown; figures are left out, as Markdown has no place for them within one file."""

from __future__ import annotations

from dermalens.evaluate.document import Block, Bullets, Document, Picture, Section, Table


def to_markdown(document: Document) -> str:
    """The text, with one line break at its end."""
    parts = [f"# {document.title}", *map(_block, document.opening), *map(_section, document.sections)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section) -> str:
    parts = [f"## {section.title}", *map(_block, section.blocks)]
    return "\n\n".join(part for part in parts if part)


def _block(block: Block) -> str:
    if isinstance(block, str):
        return block
    if isinstance(block, Bullets):
        return "\n".join(f"- {item}" for item in block.items)
    return "" if isinstance(block, Picture) else _table(block)


def _table(table: Table) -> str:
    lines = [_line(table.head), "|" + "---|" * len(table.head), *map(_line, table.rows)]
    return "\n".join([*([table.caption, ""] if table.caption else []), *lines])


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
