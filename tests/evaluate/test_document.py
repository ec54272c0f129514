"""A document as a page and as Markdown."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from dermalens.evaluate.document import Bullets, Document, Picture, Section, Table
from dermalens.evaluate.document_html import to_html
from dermalens.evaluate.document_markdown import to_markdown
from dermalens.evaluate.document_style import COLOURS

TABLE = Table("What <was> found", ("figure", "value"), (("AUC & more", "0.5 (0.2 to 0.8)"), ("a|b", "not defined")))
DOCUMENT = Document(
    "A & B",
    ("Opening with `code`.",),
    (
        Section("First part", ("Words.", TABLE, Picture("Drawn", "A line", svg="<svg role='img'></svg>"))),
        Section("Second part", (Bullets(("one", "two")), Picture("Photo", 'A "mole"', jpeg=b"jpeg", wide=True))),
    ),
)


class Page(HTMLParser):
    """Collects the tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(to_html(DOCUMENT))


def test_a_page_needs_no_network_and_no_script(page: Page) -> None:
    assert not page.all("script") + page.all("link") + page.all("iframe")
    assert all(str(image["src"]).startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert "http" not in to_html(DOCUMENT)


def test_contents_lead_to_every_section(page: Page) -> None:
    targets = {f"#{section['id']}" for section in page.all("section")}
    assert {link["href"] for link in page.all("a")} == targets == {"#first-part", "#second-part"}


def test_tables_have_captions_and_headings_for_rows_and_columns(page: Page) -> None:
    assert len(page.all("caption")) == len(page.all("table")) == 1
    assert [heading["scope"] for heading in page.all("th")] == ["col", "col", "row", "row"]


def test_figures_have_words_for_those_who_cannot_see_them(page: Page) -> None:
    assert [image["alt"] for image in page.all("img")] == ['A "mole"']
    assert len(page.all("figcaption")) == 2


def test_text_is_text_and_not_markup() -> None:
    text = to_html(DOCUMENT)
    assert "<title>A &amp; B</title>" in text
    assert "What &lt;was&gt; found" in text
    assert "Opening with <code>code</code>." in text


def test_a_page_fits_a_telephone_and_a_dark_screen(page: Page) -> None:
    metas = {meta.get("name"): meta.get("content") for meta in page.all("meta")}
    assert metas["viewport"] == "width=device-width, initial-scale=1"
    text = to_html(DOCUMENT)
    assert "prefers-color-scheme:dark" in text
    assert f"--ink:{COLOURS['ink'][1]}" in text


def test_every_page_says_that_it_is_no_medical_device() -> None:
    assert "decision support for research and education, not a medical device" in to_html(DOCUMENT)


def test_markdown_has_the_same_words() -> None:
    assert to_markdown(DOCUMENT) == (
        "# A & B\n\nOpening with `code`.\n\n## First part\n\nWords.\n\nWhat <was> found\n\n"
        "| figure | value |\n|---|---|\n| AUC & more | 0.5 (0.2 to 0.8) |\n| a\\|b | not defined |\n\n"
        "## Second part\n\n- one\n- two\n"
    )


def _luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("which", [0, 1])
def test_colours_stand_out_from_the_page(which: int) -> None:
    """WCAG 2.2: 4.5 to 1 for words, 3 to 1 for graphics."""
    paper = _luminance(COLOURS["paper"][which])
    for name, pair in COLOURS.items():
        if name in ("paper", "grid"):
            continue
        lighter, darker = sorted((paper, _luminance(pair[which])), reverse=True)
        least = 4.5 if name in ("ink", "faint", "good") else 3.0
        assert (lighter + 0.05) / (darker + 0.05) >= least, name
