"""What is kept: found, changed, compared, taken away and deleted, in a real browser."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path

from playwright.sync_api import Page, Route, expect

from tests.serve.browser.watched import IRREGULAR, MOLE, Watched


def keep(watched: Watched, image: Path, *, lesion: str, note: str = "") -> str:
    """Classify and keep an image; the path of its case."""
    page = watched.open("/")
    page.set_input_files("#image", image)
    expect(page.locator("#square")).to_be_visible()
    page.locator("#keep").check()
    page.locator(".keep-more summary").click()
    page.locator("#lesion").fill(lesion)
    page.locator("#note").fill(note)
    page.get_by_role("button", name="Get the answer").click()
    link = page.get_by_role("link", name="Open the case")
    expect(link).to_be_visible()
    return str(link.get_attribute("href"))


def rows(page: Page) -> int:
    return page.locator("table.cases tbody tr").count()


def test_what_was_typed_into_one_form_is_there_after_another_was_sent(watched: Watched):
    page = watched.open(keep(watched, MOLE, lesion="toe", note="before"))
    page.locator("#note").fill("not sent yet")
    page.locator("#kind-other").check()
    page.locator("#feedback-label").select_option("nv")
    page.get_by_role("button", name="Send feedback").click()
    expect(page.locator(".feedback-list")).to_be_visible()
    expect(page.locator("#note")).to_have_value("not sent yet")
    expect(page.locator("#carried")).to_contain_text("It is not kept yet")
    page.locator("#kind-histology").check()
    page.locator("#comment").fill("said later")
    page.get_by_role("button", name="Keep changes").click()
    expect(page.locator(".notice.good")).to_contain_text("is kept")
    expect(page.locator("#note")).to_have_value("not sent yet")
    expect(page.locator("#comment")).to_have_value("said later")
    expect(page.locator("#kind-histology")).to_be_checked()
    page.reload()
    expect(page.locator("#comment")).to_have_value("")


def test_what_was_sent_after_a_session_had_ended_is_there_when_the_case_is_opened_again(watched: Watched):
    path = keep(watched, MOLE, lesion="", note="before")
    page = watched.open(path)
    page.locator("#note").fill("sent too late")
    ended = {"status": 303, "headers": {"Location": f"/sign-in?next={path}"}}
    page.route("**/about", lambda route: route.fulfill(**ended), times=1)
    page.get_by_role("button", name="Keep changes").click()
    expect(page.locator("input[name=key]")).to_be_visible()
    page = watched.open(path)
    expect(page.locator("#note")).to_have_value("sent too late")
    expect(page.locator("#carried")).to_contain_text("It is not kept yet")
    page.get_by_role("button", name="Keep changes").click()
    expect(page.locator(".notice.good")).to_contain_text("is kept")
    expect(page.locator("#carried")).to_be_empty()
    page.locator("#note").fill("another")
    page.reload()
    expect(page.locator("#note")).to_have_value("sent too late")


def test_a_page_that_was_opened_earlier_takes_nothing_back_that_was_kept_since(watched: Watched):
    path = keep(watched, MOLE, lesion="heel", note="before")
    page = watched.open(path)
    kept = page.request.post(f"{watched.address}{path}/about", form={"note": "kept since", "sex": "female"})
    assert kept.ok
    page.locator("#age_years").fill("45")
    page.get_by_role("button", name="Keep changes").click()
    expect(page.locator(".notice.good")).to_contain_text("is kept")
    expect(page.locator("#age_years")).to_have_value("45")
    expect(page.locator("#note")).to_have_value("kept since")
    expect(page.locator("#sex")).to_have_value("female")
    page.locator("#lesion").fill("")
    page.get_by_role("button", name="Keep changes").click()
    expect(page.locator("#lesion")).to_have_value("")
    expect(page.locator("#age_years")).to_have_value("45")


def test_what_was_refused_is_sent_whole_and_is_there_after_another_form_was_sent(watched: Watched):
    page = watched.open(keep(watched, MOLE, lesion="", note="before"))
    watched.expected.append("422")
    page.locator("#note").fill("typed with it")
    page.locator("#age_years").fill("old")
    page.get_by_role("button", name="Keep changes").click()
    expect(page.locator(".problem")).to_contain_text("is not a number")
    page.get_by_role("button", name="Send feedback").click()
    expect(page.locator(".feedback-list")).to_be_visible()
    expect(page.locator("#age_years")).to_have_value("old")
    expect(page.locator("#note")).to_have_value("typed with it")
    page.get_by_role("button", name="Keep changes").click()
    expect(page.locator(".problem")).to_contain_text("is not a number")
    page.locator("#age_years").fill("54")
    page.get_by_role("button", name="Keep changes").click()
    expect(page.locator(".notice.good")).to_contain_text("is kept")
    expect(page.locator("#age_years")).to_have_value("54")
    expect(page.locator("#note")).to_have_value("typed with it")


def test_nothing_is_kept_unless_it_is_asked_for(watched: Watched):
    page = watched.open("/history")
    before = rows(page)
    watched.open("/")
    page.set_input_files("#image", IRREGULAR)
    page.get_by_role("button", name="Get the answer").click()
    expect(page.locator("article.answer")).to_be_visible()
    watched.open("/history")
    assert rows(page) == before


def test_a_kept_case_is_found_annotated_judged_and_deleted(watched: Watched):
    word = uuid.uuid4().hex
    case = keep(watched, IRREGULAR, lesion="", note=f"<b>{word}</b> after the holidays")
    page = watched.open(f"/history?text={word}")
    assert rows(page) == 1
    expect(page.locator("table.cases")).to_contain_text(f"<b>{word}</b>")
    page.locator("table.cases tbody th a").click()
    assert page.url.endswith(case)
    page.locator("#note").fill(f"{word} seen again")
    page.get_by_role("button", name="Keep changes").click()
    expect(page.locator("#note")).to_have_value(f"{word} seen again")
    page.locator("#kind-histology").check()
    page.locator("#feedback-label").select_option("nv")
    page.get_by_role("button", name="Send feedback").click()
    expect(page.locator(".feedback-list")).to_be_visible()
    answer = page.request.get(f"{watched.address}{case}/answer.json").json()
    assert answer["answer"]["decision"] in ("refer", "reassure")
    picture = f"{watched.address}{case}/image"
    assert page.request.get(picture).ok
    page.get_by_role("link", name="Delete this case").click()
    page.get_by_role("button", name="Yes, delete it for good").click()
    expect(page.get_by_role("status")).to_contain_text("The case is deleted.")
    watched.open(f"/history?text={word}")
    assert rows(page) == 0
    assert page.request.get(picture).status == 404


def test_a_case_whose_answer_was_lost_on_the_way_is_kept_once(watched: Watched):
    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    watched.expected.append("ERR_FAILED")
    word = uuid.uuid4().hex
    page = watched.open("/")
    page.set_input_files("#image", IRREGULAR)
    page.locator("#keep").check()
    page.locator(".keep-more summary").click()
    page.locator("#note").fill(word)
    page.route("**/answer", lose, times=1)
    page.locator("#send").click()
    expect(page.locator("#form-error")).to_contain_text("cannot be reached")
    page.locator("#send").click()
    link = page.get_by_role("link", name="Open the case")
    expect(link).to_be_visible()
    case = str(link.get_attribute("href"))
    watched.open(f"/history?text={word}")
    assert rows(page) == 1
    assert page.locator("table.cases tbody th a").get_attribute("href") == case


def test_an_older_picture_is_dated_and_stands_before_a_newer_one(watched: Watched):
    lesion = f"heel {uuid.uuid4().hex[:6]}"
    keep(watched, MOLE, lesion=lesion)
    older = keep(watched, IRREGULAR, lesion=lesion)
    page = watched.open(older)
    page.locator("#taken_on").fill("2022-05-06")
    page.get_by_role("button", name="Keep changes").click()
    expect(page.locator("#taken_on")).to_have_value("2022-05-06")
    page.get_by_role("link", name=lesion).first.click()
    first = page.locator(".over-time li").first
    expect(first).to_contain_text("May 6, 2022")
    assert first.locator("a").first.get_attribute("href") == older


def test_two_images_of_a_lesion_are_compared(watched: Watched):
    lesion = f"left arm {uuid.uuid4().hex[:6]}"
    for image in (MOLE, IRREGULAR):
        case = keep(watched, image, lesion=lesion)
    page = watched.open(case)
    page.get_by_role("link", name=lesion).first.click()
    expect(page.locator("h1")).to_contain_text(lesion)
    page.wait_for_load_state("load")
    assert page.locator(".over-time img").count() == 2
    assert page.locator(".over-time img").evaluate_all("all => all.every(one => one.naturalWidth > 0)")
    expect(page.locator("#change-title")).to_be_visible()
    assert page.locator("svg.line circle").count() == 2


def test_the_heat_map_of_a_kept_case_is_shown_on_request(watched: Watched):
    page = watched.open(keep(watched, IRREGULAR, lesion=""))
    page.get_by_role("link", name="Show the heat map").click()
    expect(page.locator(".layer-heat")).to_be_visible()
    page.locator("#show-heat").uncheck()
    expect(page.locator(".layer-heat")).to_be_hidden()


def test_everything_can_be_taken_away(watched: Watched):
    word = uuid.uuid4().hex
    keep(watched, MOLE, lesion="", note=word)
    page = watched.open("/history")
    with page.expect_download() as download:
        page.get_by_role("link", name="JSON").click()
    content = json.loads(Path(download.value.path()).read_text())
    assert word in json.dumps(content)
    with page.expect_download() as archive:
        page.get_by_role("link", name=re.compile("ZIP")).click()
    assert Path(archive.value.path()).read_bytes().startswith(b"PK")


def test_a_report_is_one_page(watched: Watched):
    case = keep(watched, IRREGULAR, lesion="")
    report = watched.page.request.get(f"{watched.address}{case}/report.pdf")
    assert report.headers["content-type"] == "application/pdf"
    assert report.body().startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", report.body())) == 1


def test_a_case_that_does_not_exist_is_a_friendly_page(watched: Watched):
    watched.expected.append("404")
    page = watched.open(f"/cases/{uuid.uuid4().hex}")
    expect(page.locator("h1")).to_be_visible()
    assert "Traceback" not in page.content()
