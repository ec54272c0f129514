from __future__ import annotations

from pathlib import Path

import pytest

from dermalens.predict.classifier import Classifier, load
from tests.tiny_bundle import write_tiny_bundle


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle on disk; tests do not change it."""
    folder = tmp_path_factory.mktemp("tiny") / "bundle"
    write_tiny_bundle(folder)
    return folder


@pytest.fixture(scope="session")
def classifier(bundle_folder: Path) -> Classifier:
    return load(bundle_folder)
