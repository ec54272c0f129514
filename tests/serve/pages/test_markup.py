"""What every page must keep to: the Content-Security-Policy, ids, labels, landmarks, no other host."""

import itertools
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dermalens.serve.pages import rendering
from tests.serve.pages.conftest import GERMAN, HTML

STATIC = Path(rendering.__file__).parents[1] / "static"


class Elements(HTMLParser):
    """All start tags with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


@pytest.fixture
def pages(own, mel, naevus, chessboard, keep, ask):
    case = keep(own, mel, lesion="left arm", note="a note")
    keep(own, naevus, lesion="left arm")
    lesion = own.get(f"/cases/{case}", headers=HTML).text.split('href="/lesions/')[1].split('"')[0]
    paths = ("/", "/batch", "/history", "/help", "/sign-in", "/nothing", "/problems/busy")
    paths += (f"/cases/{case}", f"/cases/{case}/delete", f"/lesions/{lesion}", "/history?since=x")
    shown = {
        f"{path} {name}": own.get(path, headers=h).text for path in paths for name, h in (("en", HTML), ("de", GERMAN))
    }
    return shown | {f"answer {len(image)}": ask(own, image).text for image in (mel, naevus, chessboard)}


def test_no_page_has_an_inline_script_style_or_handler(pages):
    for name, text in pages.items():
        for tag, attributes in Elements(text).found:
            assert "style" not in attributes, name
            assert tag != "style", name
            assert not any(key.startswith("on") for key in attributes), name
            assert tag != "script" or attributes.get("src", "").startswith("/static/"), name
        assert "javascript:" not in text


def test_every_id_is_unique_and_every_reference_leads_to_one(pages):
    for name, text in pages.items():
        found = Elements(text).found
        ids = [attributes["id"] for _, attributes in found if "id" in attributes]
        assert len(ids) == len(set(ids)), name
        for _, attributes in found:
            for key in ("for", "aria-labelledby", "aria-describedby", "list"):
                for wanted in (attributes.get(key) or "").split():
                    assert wanted in ids, f"{name}: {key}={wanted}"


def test_every_input_has_a_label(pages):
    for name, text in pages.items():
        found = Elements(text).found
        labelled = {attributes.get("for") for tag, attributes in found if tag == "label"}
        for tag, attributes in found:
            if tag in ("input", "select", "textarea", "progress") and attributes.get("type") != "hidden":
                assert attributes.get("id") in labelled or "aria-labelledby" in attributes, f"{name}: {attributes}"


def test_every_page_has_one_heading_landmarks_and_the_warning(pages):
    for name, text in pages.items():
        tags = [tag for tag, _ in Elements(text).found]
        assert tags.count("h1") == tags.count("main") == tags.count("header") == 1, name
        assert "footer" in tags
        assert 'class="skip"' in text
        assert "Not a medical device" in text or "Kein Medizinprodukt" in text


def test_no_page_and_no_file_names_another_host(pages):
    files = {path.name: path.read_text(encoding="utf-8") for path in STATIC.iterdir() if path.is_file()}
    for name, text in (pages | files).items():
        assert set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text)) <= {"http://www.w3.org"}, name


def test_headings_do_not_skip_a_level(pages):
    for name, text in pages.items():
        levels = [int(tag[1]) for tag, _ in Elements(text).found if re.fullmatch("h[1-6]", tag)]
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), f"{name}: {levels}"
