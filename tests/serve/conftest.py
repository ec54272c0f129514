"""A server on the tiny bundle, in this process; nothing listens on a port."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dermalens.core.bundlefile import write_bundle
from dermalens.serve.app import create_app
from dermalens.serve.logs import make_logger
from dermalens.serve.service import close_service, open_service
from dermalens.serve.settings import read_settings
from tests.tiny_bundle import lesion, page, write_equipped_bundle

ADDRESS = "http://127.0.0.1:8000"


def encoded(picture, kind="PNG") -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "tiny"
    bundle = write_equipped_bundle(folder.with_name("plain"))
    write_bundle(folder, bundle.manifest.model_copy(update={"prevalence": 0.2}), bundle.graphs)
    return folder


@pytest.fixture(scope="session")
def mel() -> bytes:
    return encoded(lesion("mel"))


@pytest.fixture(scope="session")
def chessboard() -> bytes:
    return encoded(page())


@pytest.fixture
def service_with(bundle_folder, tmp_path):
    """Opens a service with these settings; `classifiers` stands in for the bundle's own."""
    opened = []

    def open_with(*, classifiers=None, **settings):
        given = {"bundle": bundle_folder, "data_folder": tmp_path / "data", "workers": 2, **settings}
        service = open_service(read_settings(**given))
        opened.append(service)
        return replace(service, classifiers=classifiers) if classifiers else service

    yield open_with
    for service in opened:
        close_service(service)


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def client_with(service_with, log):
    """Starts an application with these settings and gives a client of it."""
    started = []

    def start(*, address=ADDRESS, **settings):
        app = create_app(service_with(**settings), logger=make_logger(log))
        client = TestClient(app, base_url=address)
        client.__enter__()
        started.append(client)
        return client

    yield start
    for client in started:
        client.__exit__(None, None, None)


@pytest.fixture(scope="session")
def client(bundle_folder, tmp_path_factory):
    """One server for all tests that change no settings and keep nothing that matters to another."""
    data_folder = tmp_path_factory.mktemp("data")
    service = open_service(read_settings(bundle=bundle_folder, data_folder=data_folder, workers=2))
    with TestClient(create_app(service, logger=make_logger(io.StringIO())), base_url=ADDRESS) as client:
        yield client
    close_service(service)
