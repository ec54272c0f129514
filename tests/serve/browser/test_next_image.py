"""What of the classify page belongs to which image, patient and setting, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from tests.serve.browser.test_accessible import PLACES, check
from tests.serve.browser.test_classify_page import ask, choose
from tests.serve.browser.watched import IRREGULAR, MOLE, Watched

PATIENT = {"lesion": "Patient A arm", "note": "itches", "age_years": "77", "taken_on": "2024-05-06"}


def describe(page: Page) -> None:
    for summary in page.locator("details.more > summary").all():
        summary.click()
    page.locator("#keep").check()
    for name, value in PATIENT.items():
        page.locator(f"#{name}").fill(value)
    page.locator("#sex").select_option("female")
    page.locator("#site").select_option(index=1)
    page.locator("#millimetres_per_pixel").fill("0.02")
    page.locator("#prevalence").fill("3")


def entered(page: Page) -> dict[str, str]:
    names = [*PATIENT, "site", "millimetres_per_pixel"]
    return {name: page.input_value(f"#{name}") for name in names if page.input_value(f"#{name}")}


def test_the_next_image_is_not_kept_with_the_patient_of_the_one_before(watched: Watched):
    page = watched.open("/")
    choose(page)
    describe(page)
    point = str(page.locator("input[name=operating_point]:not(:checked)").first.get_attribute("id"))
    page.locator(f"#{point}").check()
    ask(page)
    choose(page, MOLE)
    assert entered(page) == {}
    expect(page.locator("#keep")).not_to_be_checked()
    expect(page.locator("#sex")).to_have_value("unknown")
    expect(page.locator("#prevalence")).to_have_value("3")
    expect(page.locator(f"#{point}")).to_be_checked()
    expect(page.locator("#forgotten")).to_contain_text("not kept unless you tick it again")
    ask(page)
    expect(page.locator("#forgotten")).to_be_empty()
    expect(page.get_by_role("link", name="Open the case")).to_have_count(0)


def test_another_image_before_the_answer_leaves_what_was_entered(watched: Watched):
    page = watched.open("/")
    describe(page)
    choose(page)
    choose(page, MOLE)
    assert entered(page).items() >= PATIENT.items()
    expect(page.locator("#keep")).to_be_checked()
    expect(page.locator("#forgotten")).to_be_empty()


def leave_and_return(page: Page) -> None:
    page.get_by_role("link", name="Help").click()
    expect(page.locator("#picture")).to_be_visible()
    page.go_back()
    expect(page.locator("#classify")).to_be_visible()


def test_an_image_that_back_restores_is_shown_and_can_be_sent(watched: Watched):
    page = watched.open("/")
    choose(page)
    leave_and_return(page)
    expect(page.locator("#chosen")).to_contain_text(IRREGULAR.name)
    expect(page.locator("#square")).to_be_visible()
    ask(page)


def test_what_back_restores_of_a_patient_does_not_go_on_to_the_next_image(watched: Watched):
    page = watched.open("/")
    choose(page)
    describe(page)
    ask(page)
    leave_and_return(page)
    expect(page.locator("#note")).to_have_value(PATIENT["note"])
    page.set_input_files("#image", MOLE)
    expect(page.locator("#chosen")).to_contain_text(MOLE.name)
    assert entered(page) == {}
    expect(page.locator("#keep")).not_to_be_checked()


def test_an_image_that_was_pasted_is_not_exchanged_for_an_older_one_by_back(watched: Watched):
    page = watched.open("/")
    choose(page)
    page.evaluate(
        """bytes => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], 'pasted.jpg', {type: 'image/jpeg'}));
          document.dispatchEvent(new ClipboardEvent('paste', {bubbles: true, clipboardData: data}));
        }""",
        list(MOLE.read_bytes()),
    )
    expect(page.locator("#chosen")).to_contain_text("pasted.jpg")
    assert page.locator("#image").evaluate("one => one.files.length") == 0


@pytest.mark.parametrize("change", ["threshold", "prevalence", "square", "keep"])
def test_an_answer_is_marked_when_the_form_says_something_else(watched: Watched, change: str):
    page = watched.open("/")
    choose(page)
    ask(page)
    expect(page.locator("#earlier")).to_be_empty()
    if change == "threshold":
        page.locator("input[name=operating_point]:not(:checked)").first.click()
    elif change == "prevalence":
        page.locator("details.more > summary").first.click()
        page.locator("#prevalence").fill("3")
    elif change == "keep":
        page.locator("#keep").check()
    else:
        page.locator("#square").focus()
        page.keyboard.press("-")
    expect(page.locator("#earlier")).to_contain_text("belongs to the earlier settings")
    expect(page.locator("#answer")).to_have_class("answer-place earlier")
    ask(page)
    expect(page.locator("#earlier")).to_be_empty()
    expect(page.locator("#answer")).to_have_class("answer-place")


def test_a_change_while_the_image_is_looked_at_marks_the_answer(watched: Watched):
    page = watched.open("/")
    choose(page)
    held: list[Route] = []
    page.route("**/answer", lambda route: held.append(route), times=1)  # noqa: PLW0108  (Playwright marks the function)
    page.locator("#send").click()
    expect(page.locator("#working")).to_be_visible()
    page.locator("#keep").check()
    held[0].continue_()
    expect(page.locator("article.answer")).to_be_visible()
    expect(page.locator("#earlier")).to_contain_text("belongs to the earlier settings")


def test_an_answer_is_gone_when_the_next_sending_fails(watched: Watched):
    watched.expected.append("ERR_FAILED")
    page = watched.open("/")
    choose(page)
    ask(page)
    page.route("**/answer", lambda route: route.abort(), times=1)
    page.locator("#send").click()
    expect(page.locator("#form-error")).to_contain_text("cannot be reached")
    expect(page.locator("article.answer")).to_have_count(0)
    expect(page.locator("#answer")).to_be_hidden()


@PLACES
def test_a_marked_answer_and_a_cleared_form_are_accessible(watched: Watched):
    page = watched.open("/")
    choose(page)
    page.locator("#keep").check()
    ask(page)
    page.locator("#keep").uncheck()
    expect(page.locator("#earlier")).not_to_be_empty()
    check(watched)
    page.locator("#keep").check()
    choose(page, MOLE)
    expect(page.locator("#forgotten")).not_to_be_empty()
    check(watched)
