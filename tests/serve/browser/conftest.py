"""A real server with the packaged bundle, and a real browser that reports everything that should not happen.

Both end with each module: a process that another test forks while Playwright runs holds its pipes, and Playwright waits
for these to close.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, sync_playwright

from benchmarks.ports import free_port
from tests.serve.browser.watched import Watched

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where `dermalens serve` listens, with an empty record of its own."""
    folder = tmp_path_factory.mktemp("served")
    port = free_port()
    log = folder / "server.log"
    settings = {name: value for name, value in os.environ.items() if not name.startswith("DERMALENS_")}
    command = [sys.executable, "-m", "dermalens", "serve", "--port", str(port), "--data-folder", str(folder / "data")]
    with log.open("wb") as stream, subprocess.Popen(command, stderr=stream, env=settings) as process:
        try:
            _wait(f"http://127.0.0.1:{port}/readyz", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
    assert process.returncode == 0, log.read_text()
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; in CI it must be there."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        reason = "Chromium is not installed: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def watched(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """A new page; the test fails when the console, the policy or the network complains."""
    options = {"viewport": {"width": 1200, "height": 900}, "locale": "en-GB", **getattr(request, "param", {})}
    context = browser.new_context(**options)
    context.set_default_timeout(20_000)
    watched = Watched(context.new_page(), address)
    page = watched.page
    page.add_init_script(
        "document.addEventListener('securitypolicyviolation', event => "
        "console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI))"
    )
    page.on("console", lambda message: _listen(watched, message))
    page.on("pageerror", lambda error: watched.complaints.append(f"script: {error}"))
    page.on("request", lambda sent: _check_host(watched, sent.url))
    yield watched
    context.close()
    assert watched.unexpected == []


def _listen(watched: Watched, message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        watched.complaints.append(message.text)


def _check_host(watched: Watched, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("data", "blob") and f"{parts.scheme}://{parts.netloc}" != watched.address:
        watched.complaints.append(f"another host was asked: {url}")


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"The server did not become ready: {log.read_text()}")
