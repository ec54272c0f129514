"""A reader of the pages: asks for HTML, and posts the forms as a browser does."""

import re

import pytest

from tests.serve.conftest import encoded
from tests.tiny_bundle import lesion

HTML = {"accept": "text/html", "accept-language": "en"}
FRAGMENT = {**HTML, "x-fragment": "1"}
GERMAN = {**HTML, "accept-language": "de-AT,de;q=0.9,en;q=0.5"}


@pytest.fixture
def own(client_with):
    """A server of the test's own, for what it keeps."""
    return client_with(workers=1)


@pytest.fixture(scope="session")
def naevus() -> bytes:
    return encoded(lesion("nv"))


@pytest.fixture
def ask():
    """Posts an image with fields of the form; the answer as it came."""

    def post(client, image, headers=HTML, **fields):
        files = {"image": ("image.png", image, "image/png")}
        return client.post("/answer", files=files, data=fields, headers=headers)

    return post


@pytest.fixture
def keep(ask):
    """Keeps a case through the form and gives its id."""

    def kept(client, image, **fields):
        response = ask(client, image, keep="yes", **fields)
        assert response.status_code == 200
        return re.search(r'href="/cases/([0-9a-f]{32})"', response.text)[1]

    return kept
