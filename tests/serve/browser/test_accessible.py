"""Every page against WCAG 2.2 AA as far as axe-core can tell, light and dark, on a phone and on a desktop."""

from __future__ import annotations

import uuid

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.serve.browser.test_classify_page import as_file, ask, choose
from tests.serve.browser.test_history_pages import keep
from tests.serve.browser.watched import IRREGULAR, MOLE, Watched
from tests.tiny_bundle import page as chessboard

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
DESKTOP = {"viewport": {"width": 1200, "height": 900}}
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
DARK = {"color_scheme": "dark"}
PLACES = pytest.mark.parametrize("watched", [DESKTOP, PHONE, DESKTOP | DARK, PHONE | DARK], indirect=True)


def check(watched: Watched) -> None:
    # axe-core is run in the page by the test, past the policy of the page
    found = Axe().run(watched.page, options=RULES).response["violations"]
    problems = [f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes']][:3]}" for one in found]
    assert problems == [], f"{watched.page.url}: {problems}"
    wide, screen = watched.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= screen, f"{watched.page.url} scrolls sideways: {wide} of {screen} pixels"


@PLACES
@pytest.mark.parametrize("path", ["/", "/batch", "/history", "/help", "/sign-in"])
def test_pages_are_accessible(watched: Watched, path: str):
    watched.open(path)
    check(watched)


@PLACES
def test_an_answer_is_accessible(watched: Watched):
    page = watched.open("/")
    page.set_input_files("#image", IRREGULAR)
    page.get_by_role("button", name="Get the answer").click()
    expect(page.locator("article.answer")).to_be_visible()
    check(watched)


@PLACES
def test_an_answer_that_abstains_is_accessible(watched: Watched):
    page = watched.open("/")
    choose(page, as_file(chessboard((600, 450)), "page.png"))
    ask(page)
    expect(page.locator("article.answer")).to_have_attribute("data-verdict", "abstain")
    check(watched)


@PLACES
def test_a_problem_is_accessible_on_a_page_of_its_own_and_in_place_of_an_answer(watched: Watched):
    watched.expected += ["404", "415"]
    page = watched.open(f"/cases/{uuid.uuid4().hex}")
    expect(page.locator(".problem-title")).to_be_visible()
    check(watched)
    page = watched.open("/")
    page.set_input_files("#image", {"name": "letter.jpg", "mimeType": "image/jpeg", "buffer": b"Dear doctor"})
    page.get_by_role("button", name="Get the answer").click()
    expect(page.locator(".problem-title")).to_be_visible()
    check(watched)


@PLACES
def test_a_case_its_deletion_and_its_lesion_are_accessible(watched: Watched):
    for image in (MOLE, IRREGULAR):
        case = keep(watched, image, lesion="over time")
    page = watched.open(case)
    check(watched)
    page.get_by_role("link", name="over time").first.click()
    page.wait_for_url("**/lesions/*")  # until its style is there
    check(watched)
    watched.open(f"{case}/delete")
    check(watched)


@PLACES
def test_every_control_is_large_enough_to_hit(watched: Watched):
    page = watched.open("/")
    page.set_input_files("#image", IRREGULAR)
    small = page.locator("button:visible, a.button:visible, select:visible, input[type=range]:visible").evaluate_all(
        "all => all.map(one => [one.id || one.textContent.trim(), one.getBoundingClientRect()])"
        ".filter(([, box]) => box.width < 24 || box.height < 24).map(([name]) => name)"
    )
    assert small == []
