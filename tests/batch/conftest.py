from __future__ import annotations

from pathlib import Path

import pytest

from dermalens.predict.classifier import load
from tests.batch.drawn import draw
from tests.tiny_bundle import write_equipped_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny bundle with a gate on disk; tests do not change it."""
    folder = tmp_path_factory.mktemp("equipped") / "bundle"
    write_equipped_bundle(folder)
    return str(folder)


@pytest.fixture(scope="session")
def classifier(bundle):
    return load(bundle)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty-four lesions, a page, a blank, a text named jpg, and what is not looked at."""
    return draw(tmp_path_factory.mktemp("source") / "images")
