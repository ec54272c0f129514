"""The Gradio page says what the other surfaces say, and asks nobody but this machine."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from PIL import Image
from typer.testing import CliRunner

from benchmarks.ports import free_port
from dermalens.cli import demo
from dermalens.cli.main import app
from dermalens.predict.classifier import Classifier, load
from tests.tiny_bundle import lesion


@pytest.fixture(scope="module")
def classifier(bundle_folder: Path) -> Classifier:
    return load(bundle_folder)


@pytest.fixture(scope="module")
def melanoma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("drawn") / "mel.png"
    lesion("mel").save(path)
    return path


def test_the_decision_comes_first_with_the_wording_of_the_other_surfaces(classifier, melanoma):
    words, probabilities, heatmap = demo.answer(classifier, str(melanoma))
    expected = classifier.predict(melanoma, heatmap=True)
    assert words.splitlines()[0] == "## REFER: show this lesion to a dermatologist"
    assert all(sentence in words for sentence in (*expected.reasons, expected.recommendation, "Not a medical device."))
    assert list(probabilities.values()) == list(expected.probabilities.values())
    assert "mel melanoma, a dangerous skin cancer" in probabilities
    assert heatmap == expected.explanation.overlay()


def test_a_blank_picture_shows_no_probability_and_no_heat_map(classifier, tmp_path):
    Image.new("RGB", (100, 100), (60, 60, 70)).save(tmp_path / "blank.png")
    words, probabilities, heatmap = demo.answer(classifier, str(tmp_path / "blank.png"))
    assert words.startswith("## ABSTAIN")
    assert probabilities is heatmap is None


@pytest.mark.parametrize("content", [b"text named jpg", None])
def test_a_bad_image_or_none_is_answered_with_what_is_needed(classifier, tmp_path, content):
    path = tmp_path / "bad.jpg"
    path.write_bytes(content or b"")
    words, probabilities, heatmap = demo.answer(classifier, str(path) if content else None)
    assert words.startswith("## No answer\n\nThe file is ")
    assert str(tmp_path) not in words
    assert probabilities is heatmap is None


def test_the_page_answers_over_http_and_nothing_leaves_the_machine(classifier, melanoma, monkeypatch, tmp_path):
    asked: list[str] = []
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: asked.append(host) or real(host, *rest, **more)
    )
    page = demo.build(classifier)
    _, url, share_url = page.launch(
        server_name="127.0.0.1", server_port=free_port(), ssr_mode=False, quiet=True, prevent_thread_lock=True
    )
    try:
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
            html, config = client.get("/").text, client.get("/config").json()
            words, label, picture = classify(client, melanoma)
            shown = client.get(picture["url"].removeprefix(url)).content
            (tmp_path / "text.jpg").write_text("text named jpg")
            refused, *nothing = classify(client, tmp_path / "text.jpg")
    finally:
        page.close(verbose=False)
    expected = classifier.predict(melanoma, heatmap=True)
    assert words == demo.answer(classifier, str(melanoma))[0]
    assert refused.startswith("## No answer\n\nThe file is text")
    assert not any(nothing)
    assert label["confidences"][0]["confidence"] == expected.probabilities["mel"]
    assert Image.open(io.BytesIO(shown)).convert("RGB").tobytes() == expected.explanation.overlay().tobytes()
    assert not share_url
    assert not config["analytics_enabled"]
    assert set(asked) <= {"127.0.0.1", "localhost", None}
    assert all(limit in html for limit in classifier.manifest.limits)
    assert 'src="http' not in html
    assert "fonts.googleapis" not in html


def classify(client: httpx.Client, image: Path) -> list:
    """Upload an image and ask the page's one function about it, as its own script does."""
    sent = client.post("/gradio_api/upload", files={"files": (image.name, image.read_bytes())}).raise_for_status()
    given = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
    call = client.post("/gradio_api/call/lambda", json={"data": [given]}).raise_for_status()
    stream = client.get(f"/gradio_api/call/lambda/{call.json()['event_id']}").text
    assert "event: complete" in stream, stream
    return json.loads(stream.split("data: ")[-1])


def test_a_port_in_use_is_said_in_one_line(bundle_folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(app, ["demo", "--bundle", str(bundle_folder), "--port", port])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: The demo cannot have 127.0.0.1:{port}: ")
    assert result.stderr.endswith("Choose another with --port.\n")


def test_a_port_that_cannot_be_is_refused_in_words():
    result = CliRunner().invoke(app, ["demo", "--port", "99999"])
    assert result.exit_code == 2
    assert "equal to 65535" in result.output


def test_without_gradio_the_command_says_what_to_install(bundle_folder):
    code = (
        "import sys; sys.modules['gradio'] = None\n"
        f"sys.argv = ['dermalens', 'demo', '--bundle', {str(bundle_folder)!r}]\n"
        "from dermalens.cli.main import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: The demo needs an optional part: pip install 'dermalens[gradio]'\n"


def test_the_demo_stays_as_small_as_it_was_asked_for():
    assert len(Path(demo.__file__).read_text(encoding="utf-8").splitlines()) <= 60
