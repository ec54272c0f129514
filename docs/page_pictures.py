"""Pictures of the pages for the docs, from a real server with an empty record: python docs/page_pictures.py

Needs Chromium (Debian: apt-get install chromium) and the environment of `make setup`. The images on the pages are the
drawn examples of this repository and a drawn landscape, no photographs.
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, ViewportSize, sync_playwright

from dermalens.export.not_lesions import drawn

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "figures" / "pages"
EXAMPLES = ROOT / "docs" / "examples"
DESKTOP: ViewportSize = {"width": 1200, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
NO_CASE = "0" * 32
KEPT = {"drawn_mole.jpg": "2026-03-02", "drawn_irregular.jpg": ""}
"""Images of one lesion and the days on which they were taken; the last one is of the day of the pictures."""


def main() -> None:
    """Write every picture."""
    OUT.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("Chromium is not installed: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, _server(folder) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        with _page(browser, address) as page:
            _classify(page, "classify", "answer")
            cases = [_keep(page, name, day) for name, day in KEPT.items()]
            _take(page, cases[-1], "case")
            page.get_by_role("link", name="P17 left forearm 1").first.click()
            _save(page, "comparison")
            _take(page, f"{cases[-1]}/delete", "delete")
            _take(page, f"/cases/{NO_CASE}", "problem")
            _abstain(page, "abstain")
            _take(page, "/history", "history")
            _take(page, "/help", "help")
            _take(page, "/sign-in", "sign-in")
            page.goto("/batch")
            page.set_input_files("#images", sorted(EXAMPLES.glob("*.jpg")))
            page.locator("#progress-words").filter(has_text="3 of 3").wait_for()
            _save(page, "batch")
        with _page(browser, address, viewport=PHONE, color_scheme="dark", locale="de-DE") as page:
            _classify(page, "classify-phone-dark-german", "answer-phone-dark-german")
        browser.close()


def _classify(page: Page, before: str, after: str) -> None:
    _choose(page, EXAMPLES / "drawn_irregular.jpg")
    _save(page, before)
    page.click("#send")
    page.wait_for_selector("article.answer")
    _save(page, after)


def _abstain(page: Page, name: str) -> None:
    """The answer for a picture that the gate refuses."""
    stream = io.BytesIO()
    Image.fromarray(drawn("landscape", 0, 450)).save(stream, "PNG")
    _choose(page, {"name": "landscape.png", "mimeType": "image/png", "buffer": stream.getvalue()})
    page.click("#send")
    page.wait_for_selector("article.answer[data-verdict=abstain]")
    _save(page, name)


def _choose(page: Page, image: Path | FilePayload) -> None:
    page.goto("/")
    page.set_input_files("#image", image)
    page.wait_for_selector("#crop:visible")


def _keep(page: Page, name: str, day: str) -> str:
    page.goto("/")
    page.set_input_files("#image", EXAMPLES / name)
    page.check("#keep")
    page.click(".keep-more summary")
    page.fill("#lesion", "P17 left forearm 1")
    page.fill("#taken_on", day)
    page.click("#send")
    return str(page.get_by_role("link", name="Open the case").get_attribute("href"))


def _take(page: Page, path: str, name: str) -> None:
    page.goto(path)
    _save(page, name)


def _save(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    before = page.viewport_size or DESKTOP
    height = int(page.evaluate("document.documentElement.scrollHeight"))
    page.set_viewport_size({"width": before["width"], "height": height})  # so that what sticks to the foot is there
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(OUT / f"{name}.png", optimize=True)
    page.set_viewport_size(before)


@contextmanager
def _page(browser: Browser, address: str, **options: object) -> Iterator[Page]:
    context = browser.new_context(**{"base_url": address, "viewport": DESKTOP, "locale": "en-GB", **options})  # type: ignore[arg-type]
    yield context.new_page()
    context.close()


@contextmanager
def _server(folder: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    settings = {name: value for name, value in os.environ.items() if not name.startswith("DERMALENS_")}
    command = [sys.executable, "-m", "dermalens", "serve", "--port", address.partition(":")[2], "--data-folder", folder]
    with subprocess.Popen(command, env=settings, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(100):
                try:
                    urllib.request.urlopen(f"http://{address}/readyz", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.2)
            yield f"http://{address}"
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
