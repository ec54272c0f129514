"""From an image to its answer, in a real browser."""

from __future__ import annotations

import io
import re
from contextlib import suppress

import pytest
from PIL import Image
from playwright.sync_api import Error, Page, expect

from dermalens.core.square import Square
from dermalens.predict.classifier import load
from tests.serve.browser.watched import IRREGULAR, MOLE, Watched
from tests.tiny_bundle import page as chessboard


def choose(page: Page, image: object = IRREGULAR) -> None:
    page.set_input_files("#image", image)  # type: ignore[arg-type]
    expect(page.locator("#square")).to_be_visible()


def ask(page: Page) -> None:
    page.get_by_role("button", name="Get the answer").click()
    expect(page.locator("article.answer")).to_be_visible()


def as_file(picture: Image.Image, name: str) -> dict[str, object]:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": stream.getvalue()}


def test_a_chosen_image_is_shown_at_once_and_answered_on_request(watched: Watched):
    page = watched.open("/")
    choose(page)
    assert page.evaluate("document.getElementById('preview').naturalWidth") > 0
    ask(page)
    expect(page.locator(".verdict-title")).to_be_focused()
    assert page.locator("article.answer").get_attribute("data-verdict") in ("refer", "reassure")
    expect(page.locator("article.answer")).to_contain_text(re.compile("What to (do next|watch for)"))
    expect(page.locator("article.answer")).to_contain_text("Not a medical device")


def test_the_answer_of_the_page_is_that_of_the_classifier(watched: Watched):
    page = watched.open("/")
    choose(page)
    ask(page)
    expected = load().predict(IRREGULAR)
    assert page.locator("article.answer").get_attribute("data-verdict") == expected.decision
    shown = page.locator("article.answer").inner_text()
    assert f"{100 * expected.probabilities[expected.diagnosis]:.1f}%" in shown


def test_the_square_is_moved_and_zoomed_and_is_what_is_sent(watched: Watched):
    page = watched.open("/")
    choose(page)
    whole = page.locator("#square").bounding_box()
    page.locator("#square").focus()
    for _ in range(3):
        page.keyboard.press("-")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    smaller = page.locator("#square").bounding_box()
    assert whole
    assert smaller
    assert smaller["width"] < whole["width"]
    page.mouse.move(smaller["x"] + smaller["width"] / 2, smaller["y"] + smaller["height"] / 2)
    page.mouse.down()
    page.mouse.move(smaller["x"] + smaller["width"] / 2 - 20, smaller["y"] + smaller["height"] / 2 - 10, steps=4)
    page.mouse.up()
    moved = page.locator("#square").bounding_box()
    assert moved
    assert moved["x"] < smaller["x"]
    left, upper, side = map(float, page.input_value("#square-value").split(","))
    ask(page)
    expected = load().predict(IRREGULAR, square=Square(left, upper, side))
    shown = page.locator("article.answer").inner_text()
    assert f"{100 * expected.probabilities[expected.diagnosis]:.1f}%" in shown
    assert expected.probabilities != load().predict(IRREGULAR).probabilities
    with Image.open(IRREGULAR) as picture:
        width, height = picture.size
    assert 0 < side < min(width, height)
    assert left >= 0
    assert upper >= 0
    assert left + side <= width
    assert upper + side <= height


def test_plus_makes_the_square_larger_as_its_label_says_and_keys_are_announced(watched: Watched):
    page = watched.open("/")
    choose(page)
    square = page.locator("#square")
    square.focus()
    for _ in range(5):
        page.keyboard.press("-")
    small = square.bounding_box()
    expect(page.locator("#status")).to_contain_text("Square: 50 % from the left")
    page.keyboard.press("+")
    larger = square.bounding_box()
    assert small
    assert larger
    assert larger["width"] > small["width"]
    assert "plus makes it larger" in str(square.get_attribute("aria-label"))


def test_an_answer_goes_with_its_image(watched: Watched):
    page = watched.open("/")
    choose(page)
    ask(page)
    choose(page, as_file(chessboard((600, 450)), "page.png"))
    expect(page.locator("#answer")).to_be_hidden()
    assert page.locator("article.answer").count() == 0
    page.locator("#send").click()
    choose(page)
    expect(page.locator("#send")).to_be_enabled()
    ask(page)
    assert page.locator("article.answer").get_attribute("data-verdict") != "abstain"


def test_an_answer_that_comes_late_is_not_shown_for_another_image(watched: Watched):
    page = watched.open("/")
    choose(page)
    held = []
    page.route("**/answer", lambda route: held.append(route), times=1)  # noqa: PLW0108  (Playwright marks the function)
    page.locator("#send").click()
    expect(page.locator("#working")).to_be_visible()
    choose(page, as_file(chessboard((600, 450)), "page.png"))
    expect(page.locator("#send")).to_be_enabled()
    ask(page)
    with suppress(Error):  # the page has given it up
        held[0].continue_()
    assert page.locator("article.answer").count() == 1
    expect(page.locator("article.answer")).to_have_attribute("data-verdict", "abstain")
    assert page.locator("#form-error").is_hidden()


def test_a_file_that_is_refused_takes_the_image_of_before_with_it(watched: Watched):
    page = watched.open("/")
    choose(page)
    ask(page)
    expect(page.locator("article.answer")).to_be_visible()
    page.locator("#keep").check()
    page.set_input_files("#image", {"name": "letter.txt", "mimeType": "text/plain", "buffer": b"Dear doctor"})
    expect(page.locator("#form-error")).to_contain_text("This is not an image file.")
    expect(page.locator("article.answer")).to_have_count(0)
    expect(page.locator("#square")).to_be_hidden()
    page.locator("#send").click()
    expect(page.locator("#form-error")).to_contain_text("No image was chosen.")
    choose(page)
    expect(page.locator("#square")).to_be_visible()


def test_a_session_that_has_ended_costs_neither_the_image_nor_what_was_typed(watched: Watched):
    page = watched.open("/")
    choose(page)
    page.locator("#keep").check()
    page.locator(".keep-more summary").click()
    page.locator("#note").fill("typed before")
    page.route("**/answer", lambda route: route.fulfill(status=303, headers={"Location": "/sign-in?next=/"}), times=1)
    page.locator("#send").click()
    expect(page.locator("#form-error")).to_contain_text("Your session has ended, and nothing was judged or kept.")
    with page.expect_popup() as opened:
        page.locator("#form-error a").click()
    expect(opened.value.locator("input[name=key]")).to_be_visible()
    opened.value.close()
    expect(page.locator("#note")).to_have_value("typed before")
    page.locator("#send").click()
    expect(page.locator("article.answer")).to_be_visible()


def test_heat_map_and_outline_are_layers_with_a_slider(watched: Watched):
    page = watched.open("/")
    choose(page)
    ask(page)
    heat, outline = page.locator(".layer-heat"), page.locator(".layer-outline")
    expect(heat).to_be_visible()
    before = heat.evaluate("one => getComputedStyle(one).opacity")
    page.locator("#heat-opacity").focus()
    page.keyboard.press("Home")
    assert float(heat.evaluate("one => getComputedStyle(one).opacity")) == 0 < float(before)
    page.locator("#show-heat").uncheck()
    expect(heat).to_be_hidden()
    if outline.count():
        page.locator("#show-outline").uncheck()
        expect(outline).to_be_hidden()


def test_a_picture_that_is_no_lesion_gets_no_numbers(watched: Watched):
    page = watched.open("/")
    choose(page, as_file(chessboard((600, 450)), "page.png"))
    ask(page)
    answer = page.locator("article.answer")
    assert answer.get_attribute("data-verdict") == "abstain"
    assert not re.search(r"\d\s?%", answer.locator(".verdict").inner_text())
    expect(answer.locator("#classes-title")).to_have_count(0)


def test_a_file_that_is_no_image_is_said_in_plain_words(watched: Watched):
    watched.expected.append("415")
    page = watched.open("/")
    page.set_input_files("#image", {"name": "letter.jpg", "mimeType": "image/jpeg", "buffer": b"Dear doctor"})
    page.get_by_role("button", name="Get the answer").click()
    expect(page.get_by_text(re.compile("needed is JPEG, PNG")).first).to_be_visible()


def test_nothing_chosen_is_said_before_anything_is_sent(watched: Watched):
    page = watched.open("/")
    page.get_by_role("button", name="Get the answer").click()
    expect(page.locator("#form-error")).to_contain_text("No image was chosen")


HAND_OVER = """([kind, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], 'mole.jpg', {type: 'image/jpeg'}));
  const target = kind === 'paste' ? document : document.getElementById('drop');
  const options = {bubbles: true, cancelable: true};
  target.dispatchEvent(kind === 'paste' ? new ClipboardEvent('paste', {...options, clipboardData: data})
                                        : new DragEvent('drop', {...options, dataTransfer: data}));
  return document.getElementById('square').getClientRects().length;
}"""


def test_an_image_can_be_pasted_and_dropped(watched: Watched):
    page = watched.open("/")
    for kind in ("paste", "drop"):
        page.reload()
        page.evaluate(HAND_OVER, [kind, list(MOLE.read_bytes())])
        expect(page.locator("#square")).to_be_visible()


def test_no_square_is_shown_before_the_next_picture_is_decoded_and_who_was_on_it_comes_back(watched: Watched):
    page = watched.open("/")
    choose(page)
    page.locator("#square").focus()
    page.keyboard.press("-")
    assert page.input_value("#square-value")
    assert page.evaluate(HAND_OVER, ["paste", list(MOLE.read_bytes())]) == 0
    expect(page.locator("#square")).to_be_focused()
    assert not page.input_value("#square-value")


@pytest.mark.parametrize("watched", [{"java_script_enabled": False}], indirect=True)
def test_the_form_works_without_script(watched: Watched):
    page = watched.open("/")
    page.set_input_files("#image", IRREGULAR)
    page.get_by_role("button", name="Get the answer").click()
    expect(page.locator("article.answer")).to_contain_text(re.compile("What to (do next|watch for)"))


def test_the_whole_way_by_keyboard_alone(watched: Watched):
    watched.page.on("filechooser", lambda chooser: chooser.set_files(IRREGULAR))
    page = watched.open("/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    reached: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
        if reached[-1] == "image":
            page.keyboard.press("Space")
            expect(page.locator("#square")).to_be_visible()
        if reached[-1] == "send":
            break
    assert {"image", "square", "send"} <= set(reached)
    page.keyboard.press("Enter")
    expect(page.locator(".verdict-title")).to_be_focused()


def test_the_language_is_changed_and_stays(watched: Watched):
    page = watched.open("/")
    page.get_by_role("button", name="Deutsch").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.set_input_files("#image", IRREGULAR)
    page.get_by_role("button", name=re.compile("Antwort|Auswerten|Ergebnis|Einschätzung")).click()
    expect(page.locator("article.answer")).to_be_visible()
    assert "Medizinprodukt" in page.locator("article.answer").inner_text()
    watched.open("/help")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
