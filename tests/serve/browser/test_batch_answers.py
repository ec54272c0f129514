"""Several images: how the answers are shown on a phone, stopped and taken away, in a real browser."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from dermalens.predict.classifier import load
from dermalens.serve.pages.i18n import languages
from tests.serve.browser.test_accessible import PLACES, check
from tests.serve.browser.test_history_pages import keep
from tests.serve.browser.watched import IRREGULAR, MOLE, Watched
from tests.tiny_bundle import page as chessboard

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
LONG_NAME = "IMG_20261130_101112345_HDR.jpg"
SHARES = (0.0, 0.000001, 0.0004, 0.00049, 0.000501, 0.0125, 0.118036, 0.5, 0.99949, 0.9996, 0.999999, 1.0)


def answered(page: Page, images: list[Path], done: int) -> None:
    page.set_input_files("#images", images)
    expect(page.locator("#progress-words")).to_contain_text(re.compile(f"{done} (of|von) {done}"), timeout=30_000)


def table(page: Page) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.locator("#csv").click()
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def is_seen_whole(cell: Locator) -> bool:
    """Nothing of the cell is out of the box that scrolls."""
    return bool(
        cell.evaluate(
            """one => {
              const all = document.createRange();
              all.selectNodeContents(one);
              const {left, right, width} = all.getBoundingClientRect();
              const view = one.closest('.scroll').getBoundingClientRect();
              return width > 0 && left >= Math.max(view.left, 0) && right <= Math.min(view.right, 360);
            }"""
        )
    )


@pytest.fixture
def long_named(tmp_path: Path) -> list[Path]:
    image, drawing = tmp_path / LONG_NAME, tmp_path / f"second_{LONG_NAME}"
    image.write_bytes(IRREGULAR.read_bytes())
    chessboard((600, 450)).save(drawing, "JPEG")
    return [image, drawing]


@pytest.mark.parametrize("watched", [PHONE, PHONE | {"locale": "de-DE"}], indirect=True)
def test_a_phone_shows_decision_and_probability_of_several_images_first(watched: Watched, long_named: list[Path]):
    page = watched.open("/batch")
    answered(page, long_named, 2)
    for row in page.locator("#answers tbody tr").all():
        cells = {name: row.locator(where) for name, where in (("name", "th"), ("decision", ".decision-cell"))}
        assert all(is_seen_whole(cell) for cell in (*cells.values(), row.locator(".number")))
        name, decision = cells["name"].bounding_box(), cells["decision"].bounding_box()
        assert name
        assert decision
        assert decision["y"] < name["y"]
    for head in page.locator("#answers thead button").all():
        head.click()
        assert head.locator("..").get_attribute("aria-sort") == "ascending"


@pytest.mark.parametrize("watched", [PHONE, PHONE | {"locale": "de-DE"}], indirect=True)
@pytest.mark.parametrize("decision", ["refer", "reassure", "abstain"])
def test_a_phone_shows_the_decisions_of_the_history(watched: Watched, decision: str):
    page = watched.open("/")
    page.set_input_files("#image", IRREGULAR)
    page.locator("#keep").check()
    page.locator("#send").click()
    expect(page.locator("article.answer a[href^='/cases/']").first).to_be_visible()
    words = dict(zip(("refer", "reassure", "abstain"), _decisions(page), strict=True))
    page = watched.open("/history")
    pill = page.locator("table.cases .pill").first
    pill.evaluate("(one, words) => { one.lastChild.textContent = words; }", words[decision])
    row = page.locator("table.cases tbody tr").first
    assert all(is_seen_whole(row.locator(where)) for where in (".decision-cell", ".number", "th"))


def _decisions(page: Page) -> list[str]:
    language = languages()[str(page.locator("html").get_attribute("lang"))]
    return [language.gettext(words) for words in ("Refer", "No referral", "Cannot be judged")]


@pytest.mark.parametrize("watched", [PHONE], indirect=True)
def test_the_table_of_a_phone_is_still_a_table(watched: Watched, long_named: list[Path]):
    keep(watched, MOLE, lesion="left arm")
    page = watched.open("/history")
    expect(page.get_by_role("columnheader", name="Decision")).to_have_count(1)
    expect(page.get_by_role("table").get_by_role("rowheader").first).to_be_visible()
    page = watched.open("/batch")
    answered(page, long_named, 2)
    assert page.get_by_role("table").get_by_role("row").count() == 3
    assert page.get_by_role("row").last.get_by_role("cell").count() == 3


def test_stop_also_stops_images_that_wait_for_a_busy_server(watched: Watched):
    watched.expected.append("503")
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=503, headers={"Retry-After": "2"}, json={"title": "busy"})

    page = watched.open("/batch")
    page.route("**/v1/predictions", refuse)
    page.set_input_files("#images", [MOLE, IRREGULAR, MOLE])
    rows = page.locator("#answers tbody tr")
    expect(rows.filter(has_text="busy, again in 2 s")).to_have_count(2)
    page.locator("#stop").click()
    expect(rows).to_have_count(0)
    expect(page.locator("#stop")).to_be_hidden()
    page.wait_for_timeout(2500)
    assert len(asked) == 2
    page.unroute("**/v1/predictions")
    answered(page, [MOLE], 1)
    expect(rows).to_have_count(1)


def test_an_image_that_finds_a_busy_server_after_stop_is_dropped(watched: Watched):
    watched.expected.append("503")
    held: list[Route] = []
    page = watched.open("/batch")
    page.route("**/v1/predictions", lambda route: held.append(route))  # noqa: PLW0108  (Playwright marks the function)
    page.set_input_files("#images", MOLE)
    expect(page.locator("#stop")).to_be_visible()
    page.locator("#stop").click()
    held[0].fulfill(status=503, headers={"Retry-After": "1"}, json={"title": "busy"})
    expect(page.locator("#answers tbody tr")).to_have_count(0)
    expect(page.locator("#stop")).to_be_hidden()


@pytest.mark.parametrize("code", ["en", "de"])
def test_shares_are_written_as_on_the_other_pages(watched: Watched, code: str):
    page = watched.open("/batch")
    script = "async ([code, all]) => all.map((await import('/static/percent.js')).percentIn(code))"
    shown = page.evaluate(script, [code, list(SHARES)])
    assert shown == [languages()[code].percent(share, 1) for share in SHARES]


def test_a_probability_near_none_is_not_shown_as_none(watched: Watched):
    content = load().predict(MOLE).as_dict() | {"malignant_probability": 0.0004, "decision": "reassure"}
    page = watched.open("/batch")
    page.route("**/v1/predictions", lambda route: route.fulfill(json=content))
    answered(page, [MOLE], 1)
    expect(page.locator("#answers tbody .number")).to_have_text("< 0.1%")


def test_the_csv_says_threshold_and_no_prevalence_where_none_was_stated(watched: Watched, tmp_path: Path):
    watched.expected.append("415")
    broken = tmp_path / "broken.jpg"
    broken.write_text("no image")
    page = watched.open("/batch")
    answered(page, [MOLE, broken], 2)
    rows = {row["image"]: row for row in table(page)}
    point = load().predict(MOLE).as_dict()["operating_point"]
    assert (rows[MOLE.name]["prevalence"], float(rows[MOLE.name]["threshold"])) == ("", point["threshold"])
    assert (rows["broken.jpg"]["prevalence"], rows["broken.jpg"]["threshold"]) == ("", "")
    assert rows["broken.jpg"]["error"]


def test_the_csv_says_the_prevalence_that_its_probabilities_and_its_threshold_are_shifted_to(watched: Watched):
    page = watched.open("/")
    page.set_input_files("#image", MOLE)
    page.locator("details.more > summary").first.click()
    page.locator("#prevalence").fill("3")
    page.locator("#send").click()
    expect(page.locator("article.answer")).to_be_visible()
    page = watched.open("/batch")
    answered(page, [MOLE], 1)
    [row] = table(page)
    expected = load().predict(MOLE, prevalence=0.03).as_dict()
    assert float(row["prevalence"]) == 0.03
    assert float(row["threshold"]) == expected["operating_point"]["threshold"]


@PLACES
def test_the_answers_of_several_images_are_accessible(watched: Watched, long_named: list[Path]):
    page = watched.open("/batch")
    answered(page, long_named, 2)
    check(watched)


@PLACES
def test_the_history_with_cases_is_accessible(watched: Watched):
    keep(watched, MOLE, lesion="left arm", note="itches")
    watched.open("/history")
    check(watched)
