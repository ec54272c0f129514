"""An A4 page to write on from top to bottom; what does not fit is cut, never carried to a second page."""

from __future__ import annotations

import io
import logging
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from fpdf import FPDF
from fpdf.fonts import TTFFont
from PIL import Image

PLAIN_FONT: Final = "Helvetica"
"""Every reader of PDF has it, so it costs nothing; it knows Latin-1 only."""
WIDE_FONT: Final = "notosans"
"""For a text with other letters: Latin, Greek and Cyrillic in full."""

WIDTH, HEIGHT, MARGIN = 210.0, 297.0, 15.0  # mm
INNER: Final = WIDTH - 2 * MARGIN
LINE_MM_PER_POINT: Final = 0.47
"""Height of a line for each point of the letters: 1.33 of their size."""

Colour = tuple[int, int, int]

BLACK: Final[Colour] = (20, 37, 46)
GREY: Final[Colour] = (84, 102, 112)

_LIKE_IN_LATIN_1: Final = str.maketrans(
    {"–": "-", "—": "-", "−": "-", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "…": "...", "•": "-", "≥": ">="}
    | dict.fromkeys("\u00a0\u202f\u2009", " ")
)
"""What a text may be written with instead, so that a dash alone asks for no other font."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a text is set."""

    points: float = 9.5
    is_bold: bool = False
    colour: Colour = BLACK

    @property
    def line_mm(self) -> float:
        """Height of a line."""
        return self.points * LINE_MM_PER_POINT


def new_paper(title: str, language: str) -> FPDF:
    """One empty page that never breaks."""
    paper = FPDF(format="A4")
    paper.set_auto_page_break(False)
    paper.set_margins(MARGIN, MARGIN, MARGIN)
    paper.c_margin = 0  # texts begin where pictures and lines do
    paper.set_title(title)
    paper.set_creator("DermaLens")
    paper.set_lang(language)
    paper.add_page()
    return paper


def lines_of(paper: FPDF, text: str, width: float, style: Style) -> list[str]:
    """The text broken into lines of a width in mm; the paper is then set to the font that has its letters."""
    shown = _set(paper, style, text)
    broken = paper.multi_cell(width, text=shown, dry_run=True, output="LINES")
    return list(broken) if isinstance(broken, list) else []


def write(paper: FPDF, text: str, style: Style, *, width: float = INNER, until: float = HEIGHT) -> None:
    """Write below the last text, at its left edge, as many lines as end above `until`; the last says that it is cut."""
    left, lines = paper.get_x(), lines_of(paper, text, width, style)
    room = max(0, int((until - paper.get_y()) / style.line_mm + 1e-6))
    if len(lines) > room:
        lines = [*lines[: room - 1], f"{lines[room - 1][:-4]} ..."] if room else []
    for line in lines:
        paper.set_x(left)
        paper.cell(width, style.line_mm, line.rstrip(), new_x="LEFT", new_y="NEXT")
    paper.set_x(left)


def put_picture(paper: FPDF, picture: Image.Image, place: tuple[float, float], side: float, words: str) -> None:
    """A picture within a square of `side` mm whose upper left corner is at `place`."""
    small = picture.convert("RGB")
    small.thumbnail((900, 900))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=90)
    width, height = (side * length / max(small.size) for length in small.size)
    x, y = place
    paper.image(buffer, x=x + (side - width) / 2, y=y + (side - height) / 2, w=width, h=height, alt_text=words)


def bar(paper: FPDF, place: tuple[float, float], width: float, share: float, colour: Colour) -> None:
    """A bar of which `share` is filled."""
    x, y = place
    paper.set_fill_color(231, 237, 241)
    paper.rect(x, y, width, 2.4, style="F")
    paper.set_fill_color(*colour)
    paper.rect(x, y, max(width * share, 0.01), 2.4, style="F")


def _set(paper: FPDF, style: Style, text: str) -> str:
    """Set the font for a text; the text as that font can show it."""
    paper.set_text_color(*style.colour)
    emphasis = "B" if style.is_bold else ""
    plain = text.translate(_LIKE_IN_LATIN_1)
    if _are_known(plain, range(256)):  # Latin-1
        paper.set_font(PLAIN_FONT, style=emphasis, size=style.points)
        return plain
    _add_wide_font(paper, emphasis)
    paper.set_font(WIDE_FONT, style=emphasis, size=style.points)
    font = paper.current_font
    known = font.cmap if isinstance(font, TTFFont) else {}
    forms = ((letter, letter.translate(_LIKE_IN_LATIN_1)) for letter in text)
    return "".join(next((form for form in pair if _are_known(form, known)), "?") for pair in forms)


def _are_known(letters: str, known: Container[int]) -> bool:
    return all(ord(letter) in known for letter in letters)


def _add_wide_font(paper: FPDF, emphasis: str) -> None:
    """Noto Sans of the package pymupdf-fonts, once for a paper; only the letters used are put into the PDF."""
    if f"{WIDE_FONT}{emphasis}" in paper.fonts:
        return
    if emphasis:
        from pymupdf_fonts.NotoSans_Bold import fontbuffer
    else:
        from pymupdf_fonts.NotoSans_Regular import fontbuffer
    logging.getLogger("fontTools.subset").setLevel(logging.ERROR)  # it warns of a table that only editors need
    # fpdf2 reads fonts from files only, and keeps them open, so that Windows does not let them go.
    with TemporaryDirectory(prefix="dermalens-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "font.ttf"
        path.write_bytes(fontbuffer)
        paper.add_font(WIDE_FONT, emphasis, path)
