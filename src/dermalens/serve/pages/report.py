"""The report of a kept case: one page of A4 to print or to take along."""

from __future__ import annotations

import io
from typing import Final

from fpdf import FPDF
from PIL import Image

from dermalens.core.bundle import Manifest
from dermalens.core.bundlefile import Bundle
from dermalens.records.cases import Case
from dermalens.records.images import picture_of
from dermalens.serve.pages.answer_view import AnswerView, view_of
from dermalens.serve.pages.case_view import FeedbackView, case_view, facts_of, feedback_of
from dermalens.serve.pages.i18n import Language
from dermalens.serve.pages.paper import (
    BLACK,
    GREY,
    HEIGHT,
    INNER,
    MARGIN,
    WIDTH,
    Colour,
    Style,
    bar,
    lines_of,
    new_paper,
    put_picture,
    write,
)
from dermalens.serve.pages.sentences import say

PICTURE_SIDE: Final = 58.0  # mm

FACT_LINES: Final = 3
"""At most for each fact beside the pictures, where there is room for twelve; a long name pushes no other fact out."""

VERDICT_COLOURS: Final[dict[str, Colour]] = {
    "refer": (156, 28, 52),
    "reassure": (23, 99, 63),
    "abstain": (116, 70, 0),
}
MALIGNANT: Final[Colour] = (184, 50, 75)
BENIGN: Final[Colour] = (43, 122, 155)

TEXT, SMALL = Style(), Style(7.5, colour=GREY)
HEAD: Final = Style(10.5, is_bold=True)
FOOT: Final = Style(9.5, is_bold=True)


def case_pdf(
    case: Case, image_png: bytes, bundle: Bundle, words: Language, *, heatmap_png: bytes | None = None
) -> bytes:
    """The report of a case as PDF, exactly one page.

    `bundle` is the one that is here; `heatmap_png` is laid beside the image where it is given and the answer has one to
    show.

    Raises:
        ImageError: the kept image has more pixels than are decoded.
    """
    view = view_of(case.answer, words, bundle)
    paper = new_paper(words.gettext("DermaLens report"), words.code)
    _head(paper, case, words)
    _verdict(paper, view)
    _pictures(paper, case, image_png, heatmap_png if view.is_shown else None, words)
    until = _foot(paper, view, bundle.manifest, words)
    if view.is_shown:
        _numbers(paper, view, words)
    _lists(paper, view, words, until)
    _note(paper, case, words, until)
    return bytes(paper.output())


def _head(paper: FPDF, case: Case, words: Language) -> None:
    paper.set_xy(MARGIN, MARGIN)
    write(paper, words.gettext("DermaLens report"), Style(16, is_bold=True))
    when = words.gettext("Image of {moment}, case {id}", moment=case_view(case, words).seen, id=case.id[:8])
    write(paper, when, Style(9, colour=GREY))
    paper.set_y(paper.get_y() + 2)


def _verdict(paper: FPDF, view: AnswerView) -> None:
    colour, top = VERDICT_COLOURS[view.verdict], paper.get_y()
    paper.set_xy(MARGIN + 5, top + 1)
    write(paper, view.headline, Style(14, is_bold=True, colour=colour), width=INNER - 5)
    if view.urgency:
        write(paper, view.urgency, Style(11, is_bold=True, colour=colour), width=INNER - 5)
    write(paper, view.why, TEXT, width=INNER - 5)
    paper.set_fill_color(*colour)
    paper.rect(MARGIN, top, 1.6, paper.get_y() - top + 1, style="F")
    paper.set_xy(MARGIN, paper.get_y() + 4)


def _pictures(paper: FPDF, case: Case, image_png: bytes, heatmap_png: bytes | None, words: Language) -> None:
    top, gap = paper.get_y(), 4.0
    put_picture(paper, picture_of(image_png), (MARGIN, top), PICTURE_SIDE, words.gettext("The kept image"))
    left = MARGIN + PICTURE_SIDE + gap
    if heatmap_png is not None:
        heat = Image.open(io.BytesIO(heatmap_png), formats=["PNG"])
        put_picture(paper, heat, (left, top), PICTURE_SIDE, words.gettext("Heat map"))
        left += PICTURE_SIDE + gap
    paper.set_xy(left, top)
    width, until = WIDTH - MARGIN - left, top + PICTURE_SIDE
    facts = [(words.gettext("Lesion"), case.lesion)] if case.lesion else []
    facts += [fact for fact in facts_of(case, words) if fact[1] != case.consent]
    said = feedback_of(case, words)
    first = [_line(one, words) for one in said if one.is_result]  # what does not fit at the end is left out
    rest = [_line(one, words) for one in sorted(said, key=lambda one: one.is_replaced) if not one.is_result]
    for line in (*first, *(f"{name}: {value}" for name, value in facts), *rest):
        write(paper, line, TEXT, width=width, until=min(until, paper.get_y() + FACT_LINES * TEXT.line_mm))
    paper.set_xy(MARGIN, until + 4)


def _line(said: FeedbackView, words: Language) -> str:
    line = f"{words.gettext('Feedback')}: {said.words}"
    return f"{line} - {said.comment}" if said.comment else line


def _numbers(paper: FPDF, view: AnswerView, words: Language) -> None:
    write(paper, view.tendency, HEAD)
    write(paper, view.gauge_words, TEXT)
    if view.share_words:
        write(paper, view.share_words, SMALL)
    if view.prevalence:
        stated = view.prevalence
        write(paper, " ".join((f"{stated.title}.", *stated.sentences)), SMALL)
    paper.set_y(paper.get_y() + 1.5)
    style = Style(8.5)
    for one in view.bars:
        top = paper.get_y()
        kind = words.gettext("malignant") if one.is_malignant else words.gettext("benign")
        write(paper, f"{one.clinical} ({kind})", style, width=82, until=top + style.line_mm)
        bar(paper, (MARGIN + 84, top + 1), INNER - 102, one.probability, MALIGNANT if one.is_malignant else BENIGN)
        paper.set_xy(WIDTH - MARGIN - 16, top)
        write(paper, words.percent(one.probability, 1), style, width=16)
        paper.set_xy(MARGIN, top + style.line_mm + 0.4)
    if view.set_words:
        write(paper, view.set_words, SMALL)
    paper.set_y(paper.get_y() + 2.5)


def _lists(paper: FPDF, view: AnswerView, words: Language, until: float) -> None:
    for title, sentences in ((view.steps_title, view.steps), (words.gettext("Why this answer"), view.reasons)):
        if paper.get_y() + HEAD.line_mm + TEXT.line_mm > until:
            return
        write(paper, title, HEAD, until=until)
        for sentence in sentences:
            write(paper, f"- {sentence}", TEXT, until=until)
        paper.set_y(paper.get_y() + 2)


def _note(paper: FPDF, case: Case, words: Language, until: float) -> None:
    """The note as far as there is room."""
    if case.note and paper.get_y() + HEAD.line_mm + TEXT.line_mm <= until:
        write(paper, words.gettext("Note"), HEAD, until=until)
        write(paper, " ".join(case.note.split()), TEXT, until=until)


def _foot(paper: FPDF, view: AnswerView, manifest: Manifest, words: Language) -> float:
    """Limits and model at the bottom of the page; where they begin. The writing goes on where it was."""
    before = paper.get_x(), paper.get_y()
    bundle = view.bundle
    sentences = [
        *(f"- {limit}" for limit in view.limits),
        say(manifest.intended_use, words),
        words.gettext(
            "Model: {name} {version}, SHA-256 {sha256}",
            name=bundle["name"],
            version=bundle["version"],
            sha256=bundle["sha256"],
        ),
        *([view.point_words] if view.is_shown else []),
    ]
    title = words.gettext("Not a medical device. A classification by a model, not a diagnosis by a physician.")
    height = FOOT.line_mm + sum(len(lines_of(paper, text, INNER, SMALL)) for text in sentences) * SMALL.line_mm
    top = HEIGHT - MARGIN / 2 - height
    paper.set_draw_color(*GREY)
    paper.line(MARGIN, top - 1.5, WIDTH - MARGIN, top - 1.5)
    paper.set_xy(MARGIN, top)
    write(paper, title, FOOT)
    for text in sentences:
        write(paper, text, SMALL)
    paper.set_xy(*before)
    paper.set_text_color(*BLACK)
    return top - 3
